/* Change of scale with a clamp, int8: relu (TFLite RELU), relu6 and requantization (QUANTIZE int8 -> int8) differ in
 * lo and hi only.
 *
 *   out = clamp(out_zero + scale(x - in_zero, mult, shift), lo, hi)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

void thr_relu_s8_ref(const thr_unary_params *p, const int8_t *in, int8_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = thr_scale(in[i] - p->in_zero, p->mult[0], p->shift[0]);
    out[i] = thr_finish(v, p->out_zero, p->lo, p->hi);
  }
}
