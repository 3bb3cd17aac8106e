/* Sum of two tensors, int8 (TFLite ADD), L = left_shift = 20:
 *
 *   out = clamp(out_zero + scale(scale((a - a_zero) * 2^L, m0) + scale((b - b_zero) * 2^L, m1), m2), lo, hi)
 *
 * m0 = a's scale / t, m1 = b's scale / t, t = twice the larger of the two, m2 = t / (2^L * out's scale).
 * SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

void thr_add_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, 1, thr_add_of);
}
