/* The loop that means share. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_MEAN_H
#define THR_MEAN_H

#include "elementwise.h"

static inline int32_t thr_mean_from(const thr_mean_params *p, const void *in, int bytes, int32_t y0, int32_t x0,
                                    int32_t c0) {
  const int32_t y1 = p->over_y ? p->y : y0 + 1, x1 = p->over_x ? p->x : x0 + 1, c1 = p->over_c ? p->c : c0 + 1;
  uint32_t sum = 0u - (uint32_t)p->in_zero * (uint32_t)p->count;
  for (int32_t y = y0; y < y1; y++) {
    for (int32_t x = x0; x < x1; x++) {
      const size_t pixel = ((size_t)y * (size_t)p->x + (size_t)x) * (size_t)p->c;
      for (int32_t c = c0; c < c1; c++) sum += (uint32_t)thr_get(in, pixel + (size_t)c, bytes);
    }
  }
  return thr_clamp(thr_wrap_add(thr_scale((int32_t)sum, p->mult, p->shift), p->out_zero), p->lo, p->hi);
}

static inline void thr_mean(const thr_mean_params *p, const void *in, void *out, int bytes) {
  const int32_t y_end = p->over_y ? 1 : p->y, x_end = p->over_x ? 1 : p->x, c_end = p->over_c ? 1 : p->c;
  size_t to = 0;
  for (int32_t y = 0; y < y_end; y++) {
    for (int32_t x = 0; x < x_end; x++) {
      for (int32_t c = 0; c < c_end; c++) thr_set(out, to++, bytes, thr_mean_from(p, in, bytes, y, x, c));
    }
  }
}

#endif
