/* Parametric relu, int8 (TFLite PRELU): the slope below zero is a tensor, b. With a = x - a_zero, b = alpha - b_zero:
 *
 *   out = clamp(out_zero + (a >= 0 ? scale(a, mult0, shift0) : scale(a * b, mult1, shift1)), lo, hi)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

static int32_t prelu(const thr_elementwise_params *p, int32_t a, int32_t b) {
  const int32_t v = a >= 0 ? thr_scale(a, p->mult[0], p->shift[0]) : thr_scale(a * b, p->mult[1], p->shift[1]);
  return thr_finish(v, p->out_zero, p->lo, p->hi);
}

void thr_prelu_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, 1, prelu);
}
