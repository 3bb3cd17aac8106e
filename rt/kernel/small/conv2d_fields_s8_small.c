/* Convolution with two sums in a word: each window is gathered into words, points outside the image as the input's zero
 * point, which the bias takes out again. See fields.h. SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

static int32_t *fill(int32_t *to, int32_t value, int32_t n) {
  for (; n > 0; n--) *to++ = value;
  return to;
}

/* A line of the window whose first point is x0; points kx to kx_end lie inside. */
static int32_t *gather_line(const thr_conv2d_params *p, const int8_t *line, int32_t x0, int32_t kx, int32_t kx_end,
                            int32_t *to) {
  const int32_t in_c = p->in_c, step = p->dilation_x * in_c;
  const int8_t *from = line + (x0 + kx * p->dilation_x) * in_c;
  to = fill(to, p->in_zero, kx * in_c);
  if (p->dilation_x == 1) {
    to = thr_fields_widen(to, from, (kx_end - kx) * in_c);
  } else {
    for (; kx < kx_end; kx++, from += step) to = thr_fields_widen(to, from, in_c);
  }
  return fill(to, p->in_zero, (p->kernel_x - kx_end) * in_c);
}

static void gather(const thr_conv2d_params *p, const int8_t *in, int32_t y0, int32_t x0, int32_t *to) {
  const int32_t row = p->kernel_x * p->in_c;
  int32_t kx, kx_end;
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &kx, &kx_end);
  for (int32_t ky = 0, y = y0; ky < p->kernel_y; ky++, y += p->dilation_y) {
    if (y < 0 || y >= p->in_y || kx >= kx_end)
      to = fill(to, p->in_zero, row);
    else
      to = gather_line(p, in + y * p->in_x * p->in_c, x0, kx, kx_end, to);
  }
}

void thr_conv2d_fields_s8_small(const thr_conv2d_params *p, const void *packed, const int8_t *in, int8_t *out,
                                void *scratch) {
  const int32_t taps = (int32_t)p->kernel_y * p->kernel_x * p->in_c, pairs = thr_fields_pairs(taps);
  const int point = p->kernel_y == 1 && p->kernel_x == 1 && p->pad_y == 0 && p->pad_x == 0;
  int32_t *window = (int32_t *)scratch;
  if (taps & 1) window[taps] = 0;
  for (int32_t y = 0, y0 = -p->pad_y; y < p->out_y; y++, y0 += p->stride_y) {
    for (int32_t x = 0, x0 = -p->pad_x; x < p->out_x; x++, x0 += p->stride_x) {
      if (point && y0 < p->in_y && x0 < p->in_x)
        (void)thr_fields_widen(window, in + (y0 * p->in_x + x0) * p->in_c, p->in_c);
      else
        gather(p, in, y0, x0, window);
      thr_fields_window(window, pairs, packed, p->out_c, p->lo, out);
      out += p->out_c;
    }
  }
}
