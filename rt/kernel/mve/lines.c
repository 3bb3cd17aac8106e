/* Filling the ring. See lines.h. SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

void thr_mve_lines_begin(thr_mve_lines *lines, const thr_conv2d_params *p, int16_t *ring) {
  lines->ring = ring;
  lines->line_elems = (int32_t)thr_mve_line_elems(p);
  lines->next = -p->pad_y;
  thr_mve_fill(ring, p->in_zero, p->kernel_y * lines->line_elems);
}

static void fill_line(const thr_conv2d_params *p, const int8_t *in, int32_t y, int16_t *line) {
  const int32_t room = thr_mve_line_pixels(p) - p->pad_x, pixels = p->in_x < room ? p->in_x : room;
  int16_t *to = line + p->pad_x * p->in_c;
  if (pixels <= 0) return;
  if (y < 0 || y >= p->in_y)
    thr_mve_fill(to, p->in_zero, pixels * p->in_c);
  else
    thr_mve_widen(to, in + (size_t)y * (size_t)p->in_x * (size_t)p->in_c, pixels * p->in_c);
}

void thr_mve_lines_fill(thr_mve_lines *lines, const thr_conv2d_params *p, const int8_t *in, int32_t y,
                        const int16_t **line) {
  const int32_t top = y * p->stride_y - p->pad_y, end = top + p->kernel_y;
  if (lines->next < top) lines->next = top; /* strides larger than the kernel leave lines out */
  int32_t place = (lines->next + p->pad_y) % p->kernel_y;
  for (; lines->next < end; lines->next++, place = place + 1 == p->kernel_y ? 0 : place + 1)
    fill_line(p, in, lines->next, lines->ring + place * lines->line_elems);
  for (int32_t ky = 0; ky < p->kernel_y; ky++) { /* `place` is where the oldest line lies: the top one */
    line[ky] = lines->ring + place * lines->line_elems;
    place = place + 1 == p->kernel_y ? 0 : place + 1;
  }
}
