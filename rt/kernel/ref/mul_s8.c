/* Product of two tensors, int8 (TFLite MUL):
 *
 *   out = clamp(out_zero + scale((a - a_zero) * (b - b_zero), m2), lo, hi)      m2 = a's scale * b's scale / out's
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

void thr_mul_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, 1, thr_mul_of);
}
