/* Logistic function, int8 -> int8 with scale 1/256 and zero -128 (TFLite LOGISTIC). v = x - in_zero:
 *
 *   v <= -radius: -128     v >= radius: 127     else z = scale(v, mult, shift) as Q4.27
 *   s(z) = 1 / (1 + exp(-z)) for z > 0;  1/2 for z = 0;  2^31 - 1 - s(-z) for z < 0        Q0.31
 *   out  = clamp(rshift(s, 23) - 128, -128, 127)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fixed_exp.h"

static int32_t logistic(int32_t z) {
  if (z == 0) return (int32_t)1 << 30;
  const int32_t s = thr_one_over_one_plus(thr_exp_negative(z > 0 ? -z : z, 4));
  return z > 0 ? s : INT32_MAX - s;
}

void thr_logistic_s8_ref(const thr_unary_params *p, const int8_t *in, int8_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = in[i] - p->in_zero;
    if (v <= -p->radius) {
      out[i] = INT8_MIN;
    } else if (v >= p->radius) {
      out[i] = INT8_MAX;
    } else {
      out[i] = thr_finish(thr_rshift(logistic(thr_scale(v, p->mult[0], p->shift[0])), 23), -128, INT8_MIN, INT8_MAX);
    }
  }
}
