/* Difference of two tensors, int8 (TFLite SUB), L = left_shift = 20:
 *
 *   out = clamp(out_zero + scale(scale((a - a_zero) * 2^L, m0) - scale((b - b_zero) * 2^L, m1), m2), lo, hi)
 *
 * m0, m1, m2 as in add_s8.c. SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

void thr_sub_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, 1, thr_sub_of);
}
