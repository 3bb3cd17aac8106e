/* a / b, int8 (TFLite DIV), through the reciprocal of b in fixed point. Signs are moved to a; then with z = clz(b) and
 * h = the sign bits of a but one:
 *
 *   r = 1 / (1 + f) with 1 + f = b 2^z / 2^31;  q = high_mul(a 2^h, r)
 *   out = clamp(out_zero + rshift(high_mul(q, mult), 31 - z + h - shift), lo, hi)
 *
 * TFLite leaves b = 0 open; here it gives lo or hi by the sign of a, and out_zero for a = 0.
 * SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"
#include "fixed_exp.h"

static int32_t quotient(const thr_elementwise_params *p, int32_t a, int32_t b) {
  const int zeros = thr_clz((uint32_t)b), headroom = thr_clz((uint32_t)(a < 0 ? ~a : a)) - 1;
  const int32_t fraction = (int32_t)(((uint32_t)b << zeros) - 0x80000000u);
  const int32_t q = thr_high_mul(thr_wrap_shl(a, headroom), thr_one_over_one_plus(fraction));
  const int right = 31 - zeros + headroom - p->shift[2];
  const int32_t v = thr_high_mul(q, p->mult[2]);
  return right > 31 ? 0 : right < 0 ? thr_wrap_shl(v, -right) : thr_rshift(v, right);
}

static int32_t divide(const thr_elementwise_params *p, int32_t a, int32_t b) {
  if (a == 0) return thr_finish(0, p->out_zero, p->lo, p->hi);
  if (b == 0) return (int8_t)(a < 0 ? p->lo : p->hi);
  return thr_finish(b < 0 ? quotient(p, -a, -b) : quotient(p, a, b), p->out_zero, p->lo, p->hi);
}

void thr_div_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, 1, divide);
}
