/* Natural logarithm in fixed point, as TFLite's common.h has it: a rational approximation around sqrt(sqrt(1/2)).
 * Formulas: docs/numerics.md. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_FIXED_LOG_H
#define THR_FIXED_LOG_H

#include "fixed_exp.h"

static inline int32_t thr_saturate(int64_t v) {
  return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

static inline int32_t thr_sat_shl_any(int32_t x, int n) {
  return n > 0 ? thr_sat_shl(x, n) : x;
}

/* log of the mantissa r, a Q0.31 in about [0.59, 1]: (numerator, 1 / denominator) of the approximation. */
static inline int32_t thr_log_mantissa(int32_t r, int32_t *over_denominator) {
  const int32_t middle = 1805811301;                       /* sqrt(sqrt(1/2)), as the others times 2^31 */
  const int32_t alpha_n = 117049297, alpha_d = 127690142;  /* 11/240 sqrt(sqrt(2)), 1/20 sqrt(sqrt(2)) */
  const int32_t alpha_i = 1057819769, alpha_f = 638450708; /* 2/sqrt(sqrt(2)) - sqrt(sqrt(2)), 1/4 sqrt(sqrt(2)) */
  const int64_t sum = (int64_t)r + middle;
  const int32_t p = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
  const int32_t q = thr_wrap_shl(thr_wrap_sub(r, middle), 1), q2 = thr_high_mul(q, q);
  const int32_t inner = thr_wrap_add(thr_wrap_add(alpha_i, q), thr_high_mul(alpha_d, q2));
  const int32_t denominator = thr_wrap_add(thr_high_mul(p, inner), thr_high_mul(alpha_f, q));
  *over_denominator = thr_one_over_one_plus(denominator);
  return thr_wrap_add(thr_high_mul(q, r), thr_high_mul(thr_high_mul(q, q2), alpha_n));
}

/* log(x) as Q5.26 of x >= 1 in Q12.19; 0 for what is not positive. x = 2^k m once with m around 3/4 and once with m
 * around 1; the smaller mantissa counts. Powers are kept in Q6.25, a quarter off so that they meet in the middle. */
static inline int32_t thr_log(int32_t x) {
  const int32_t log_2 = 1488522236, root_half = 1518500250; /* log(2), sqrt(1/2), times 2^31 */
  const int32_t quarter = (int32_t)1 << 23;                 /* 1/4 in Q6.25 */
  if (x <= 0) return 0;
  const int zeros_a = thr_clz((uint32_t)x);
  const int32_t r_a = thr_sat_shl(thr_high_mul(thr_sat_shl_any(x, zeros_a - 1), root_half), 1);
  const int32_t power_a = thr_saturate((int64_t)(12 - zeros_a) * ((int64_t)1 << 25) + quarter);
  const int headroom_b = thr_clz((uint32_t)thr_high_mul(x, root_half)) - 1;
  const int32_t r_b = thr_sat_shl_any(x, headroom_b > 30 ? 30 : headroom_b);
  const int32_t power_b = thr_saturate((int64_t)(12 - headroom_b) * ((int64_t)1 << 25) - quarter);
  int32_t over;
  const int32_t numerator = thr_rshift(thr_log_mantissa(r_a < r_b ? r_a : r_b, &over), 6);
  const int32_t power = power_a > power_b ? power_a : power_b;
  return thr_sat_shl(thr_wrap_add(thr_high_mul(power, log_2), thr_high_mul(numerator, over)), 1);
}

#endif
