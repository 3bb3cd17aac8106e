/* Mean over any of the dimensions y, x, c, int8 (TFLite MEAN). N = count, s = sum of the N elements:
 *
 *   out = clamp(out_zero + scale(s - in_zero * N, mult, shift), lo, hi)
 *
 * The division by N is in mult and shift. Dimensions that stay keep their order. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static int8_t mean_from(const thr_mean_params *p, const int8_t *in, int32_t y0, int32_t x0, int32_t c0) {
  const int32_t y1 = p->over_y ? p->y : y0 + 1, x1 = p->over_x ? p->x : x0 + 1, c1 = p->over_c ? p->c : c0 + 1;
  uint32_t sum = 0u - (uint32_t)p->in_zero * (uint32_t)p->count;
  for (int32_t y = y0; y < y1; y++) {
    for (int32_t x = x0; x < x1; x++) {
      const int8_t *pixel = in + ((size_t)y * (size_t)p->x + (size_t)x) * (size_t)p->c;
      for (int32_t c = c0; c < c1; c++) {
        const int32_t v = pixel[c];
        sum += (uint32_t)v;
      }
    }
  }
  return thr_finish(thr_scale((int32_t)sum, p->mult, p->shift), p->out_zero, p->lo, p->hi);
}

void thr_mean_s8_ref(const thr_mean_params *p, const int8_t *in, int8_t *out) {
  const int32_t y_end = p->over_y ? 1 : p->y, x_end = p->over_x ? 1 : p->x, c_end = p->over_c ? 1 : p->c;
  for (int32_t y = 0; y < y_end; y++) {
    for (int32_t x = 0; x < x_end; x++) {
      for (int32_t c = 0; c < c_end; c++) *out++ = mean_from(p, in, y, x, c);
    }
  }
}
