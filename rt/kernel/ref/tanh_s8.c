/* Hyperbolic tangent, int8 -> int8 with scale 1/128 and zero 0 (TFLite TANH). v = x - in_zero:
 *
 *   v <= -radius: -128     v >= radius: 127     else z = scale(v, mult, shift) as Q4.27
 *   tanh(z) = (1 - e) / (1 + e) with e = exp(-2|z|), the sign of z put back            Q0.31
 *   out = clamp(rshift(tanh(z), 24), -128, 127)
 *
 * Reading Q4.27 as Q5.26 doubles z at no cost. SPDX-License-Identifier: Apache-2.0 */
#include "fixed_exp.h"

static int32_t hyperbolic_tangent(int32_t z) {
  if (z == 0) return 0;
  const int32_t t = thr_one_minus_over_one_plus(thr_exp_negative(z > 0 ? -z : z, 5));
  return z > 0 ? t : -t;
}

void thr_tanh_s8_ref(const thr_unary_params *p, const int8_t *in, int8_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = in[i] - p->in_zero;
    if (v <= -p->radius) {
      out[i] = INT8_MIN;
    } else if (v >= p->radius) {
      out[i] = INT8_MAX;
    } else {
      const int32_t t = hyperbolic_tangent(thr_scale(v, p->mult[0], p->shift[0]));
      out[i] = thr_finish(thr_rshift(t, 24), 0, INT8_MIN, INT8_MAX);
    }
  }
}
