/* (a - b)^2, int8 (TFLite SQUARED_DIFFERENCE). Both operands go to a common scale, twice the larger of the two, with
 * left_shift (7) bits to spare:
 *
 *   d = scale(a 2^left_shift, mult0, shift0) - scale(b 2^left_shift, mult1, shift1)
 *   out = clamp(out_zero + scale(d * d, mult2, shift2), lo, hi)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

void thr_squared_difference_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, 1, thr_squared_difference_of);
}
