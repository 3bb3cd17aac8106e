/* uint8 to int8 of other parameters (TFLite QUANTIZE): out = clamp(out_zero + scale(x - in_zero, mult, shift), lo, hi).
 * With equal scales, and zero points 128 apart, it subtracts 128. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

void thr_requantize_u8_s8_ref(const thr_unary_params *p, const uint8_t *in, int8_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = in[i] - p->in_zero;
    out[i] = thr_finish(thr_scale(v, p->mult[0], p->shift[0]), p->out_zero, p->lo, p->hi);
  }
}
