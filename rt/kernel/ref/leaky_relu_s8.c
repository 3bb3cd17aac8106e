/* Leaky relu, int8 (TFLite LEAKY_RELU). v = x - in_zero; m0 for v >= 0, m1 (with the slope in it) for v < 0:
 *
 *   out = clamp(out_zero + scale(v, m0 or m1), lo, hi)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

void thr_leaky_relu_s8_ref(const thr_unary_params *p, const int8_t *in, int8_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = in[i] - p->in_zero;
    const int k = v < 0 ? 1 : 0;
    out[i] = thr_finish(thr_scale(v, p->mult[k], p->shift[k]), p->out_zero, p->lo, p->hi);
  }
}
