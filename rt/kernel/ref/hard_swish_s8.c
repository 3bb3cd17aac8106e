/* Hard swish, x * relu6(x + 3) / 6, int8 (TFLite HARD_SWISH), in 16-bit arithmetic. mult[0], shift[0]: of the output;
 * mult[1], shift[1] = e: of the gate. hm = high_mul16.
 *
 *   v = (x - in_zero) * 128
 *   p = hm(v, mult[0])
 *   g = hm(sat16(v * 2^max(e - 1, 0)), mult[1]);  e > 0: g = sat16(2 g);  e < 0: g = rshift(g, -e)
 *   g = (g + 2^15) >> 1                                    relu6(x + 3) / 6 as Q0.15: 16 bits saturate where relu6 does
 *   q = g * p / 2^15, truncated toward zero
 *   out = clamp(out_zero + rshift(q, -shift[0]), lo, hi)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static int32_t gate(int32_t v, int32_t mult, int shift) {
  int32_t g = thr_high_mul16(thr_sat_shl16(v, shift > 1 ? shift - 1 : 0), mult);
  if (shift > 0) g = thr_sat_shl16(g, 1);
  if (shift < 0) g = thr_rshift(g, -shift);
  return (g + ((int32_t)1 << 15)) >> 1;
}

void thr_hard_swish_s8_ref(const thr_unary_params *p, const int8_t *in, int8_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = (in[i] - p->in_zero) * 128;
    const int32_t scaled = thr_high_mul16(v, p->mult[0]);
    const int32_t product = gate(v, p->mult[1], p->shift[1]) * scaled / ((int32_t)1 << 15);
    out[i] = thr_finish(thr_rshift(product, p->shift[0] < 0 ? -p->shift[0] : 0), p->out_zero, p->lo, p->hi);
  }
}
