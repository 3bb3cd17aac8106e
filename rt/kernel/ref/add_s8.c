/* Sum of two tensors, int8 (TFLite ADD), L = left_shift = 20:
 *
 *   out = clamp(out_zero + scale(scale((a - a_zero) * 2^L, m0) + scale((b - b_zero) * 2^L, m1), m2), lo, hi)
 *
 * m0 = a's scale / t, m1 = b's scale / t, t = twice the larger of the two, m2 = t / (2^L * out's scale).
 * SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

static inline int8_t add(const thr_elementwise_params *p, int32_t a, int32_t b) {
  const int32_t scaled_a = thr_scale(thr_wrap_shl(a, p->left_shift), p->mult[0], p->shift[0]);
  const int32_t scaled_b = thr_scale(thr_wrap_shl(b, p->left_shift), p->mult[1], p->shift[1]);
  const int32_t sum = thr_scale(thr_wrap_add(scaled_a, scaled_b), p->mult[2], p->shift[2]);
  return thr_finish(sum, p->out_zero, p->lo, p->hi);
}

void thr_add_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, add);
}
