/* (a - b)^2, int8 (TFLite SQUARED_DIFFERENCE). Both operands go to a common scale, twice the larger of the two, with
 * left_shift (7) bits to spare:
 *
 *   d = scale(a 2^left_shift, mult0, shift0) - scale(b 2^left_shift, mult1, shift1)
 *   out = clamp(out_zero + scale(d * d, mult2, shift2), lo, hi)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

static int32_t squared_difference(const thr_elementwise_params *p, int32_t a, int32_t b) {
  const int32_t scaled_a = thr_scale(thr_wrap_shl(a, p->left_shift), p->mult[0], p->shift[0]);
  const int32_t scaled_b = thr_scale(thr_wrap_shl(b, p->left_shift), p->mult[1], p->shift[1]);
  const uint32_t d = (uint32_t)thr_wrap_sub(scaled_a, scaled_b);
  return thr_finish(thr_scale((int32_t)(d * d), p->mult[2], p->shift[2]), p->out_zero, p->lo, p->hi);
}

void thr_squared_difference_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, 1, squared_difference);
}
