/* The loop that reduce_max and reduce_min share: over any of the dimensions y, x, c, as mean does.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_REDUCE_H
#define THR_REDUCE_H

#include "arith.h"

/* sign -1: the smallest. Inlined, so that `sign` is a constant. */
static inline int8_t thr_extreme(const thr_mean_params *p, const int8_t *in, int32_t y0, int32_t x0, int32_t c0,
                                 int32_t sign) {
  const int32_t y1 = p->over_y ? p->y : y0 + 1, x1 = p->over_x ? p->x : x0 + 1, c1 = p->over_c ? p->c : c0 + 1;
  int32_t top = INT8_MIN; /* no element times sign is less */
  for (int32_t y = y0; y < y1; y++) {
    for (int32_t x = x0; x < x1; x++) {
      const int8_t *pixel = in + ((size_t)y * (size_t)p->x + (size_t)x) * (size_t)p->c;
      for (int32_t c = c0; c < c1; c++) top = sign * pixel[c] > top ? sign * pixel[c] : top;
    }
  }
  return (int8_t)thr_clamp(sign * top, p->lo, p->hi);
}

static inline void thr_reduce(const thr_mean_params *p, const int8_t *in, int8_t *out, int32_t sign) {
  const int32_t y_end = p->over_y ? 1 : p->y, x_end = p->over_x ? 1 : p->x, c_end = p->over_c ? 1 : p->c;
  for (int32_t y = 0; y < y_end; y++) {
    for (int32_t x = 0; x < x_end; x++) {
      for (int32_t c = 0; c < c_end; c++) *out++ = thr_extreme(p, in, y, x, c, sign);
    }
  }
}

#endif
