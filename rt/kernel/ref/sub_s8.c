/* Difference of two tensors, int8 (TFLite SUB), L = left_shift = 20:
 *
 *   out = clamp(out_zero + scale(scale((a - a_zero) * 2^L, m0) - scale((b - b_zero) * 2^L, m1), m2), lo, hi)
 *
 * m0, m1, m2 as in add_s8.c, but TFLite takes their ratios in float32. SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

static inline int8_t sub(const thr_elementwise_params *p, int32_t a, int32_t b) {
  const int32_t scaled_a = thr_scale(thr_wrap_shl(a, p->left_shift), p->mult[0], p->shift[0]);
  const int32_t scaled_b = thr_scale(thr_wrap_shl(b, p->left_shift), p->mult[1], p->shift[1]);
  const int32_t difference = thr_scale(thr_wrap_sub(scaled_a, scaled_b), p->mult[2], p->shift[2]);
  return thr_finish(difference, p->out_zero, p->lo, p->hi);
}

void thr_sub_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, sub);
}
