/* Filling strips. See strip.h. SPDX-License-Identifier: Apache-2.0 */
#include "strip.h"

void thr_mve_strip_begin(thr_mve_strip *strip, const thr_conv2d_params *p, int8_t *bytes) {
  strip->bytes = bytes;
  thr_mve_places_of(&strip->places, p->in_c, p->kernel_y * p->in_c);
  memset(bytes, p->in_zero, thr_mve_strip_bytes(p));
}

/* The image's pixels that stand in a strip: [0, count), the first one in stack `at`. */
static inline int32_t pixels_inside(const thr_conv2d_params *p) {
  const int32_t room = thr_mve_strip_pixels(p) - p->pad_x;
  return p->in_x < room ? p->in_x : room;
}

static void clear_line(const thr_conv2d_params *p, int8_t *to, int32_t pixels) {
  for (; pixels > 0; pixels--, to += p->kernel_y * p->in_c) memset(to, p->in_zero, (size_t)p->in_c);
}

void thr_mve_strip_fill(const thr_mve_strip *strip, const thr_conv2d_params *p, const int8_t *in, int32_t y) {
  const int32_t pixels = pixels_inside(p);
  int8_t *to = strip->bytes + p->pad_x * strip->places.step;
  int32_t from = y * p->stride_y - p->pad_y;
  for (int32_t ky = 0; ky < p->kernel_y; ky++, to += p->in_c, from += p->dilation_y) {
    if (from < 0 || from >= p->in_y)
      clear_line(p, to, pixels);
    else
      thr_mve_spread(to, in + (size_t)from * (size_t)p->in_x * (size_t)p->in_c, pixels, &strip->places);
  }
}
