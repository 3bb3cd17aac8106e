/* Exponential and reciprocal in fixed point, the arithmetic below softmax, logistic and tanh.
 *
 * "Qi.f" is a 32-bit number with i integer and f fraction bits, i + f = 31. The method is that of gemmlowp's
 * fixedpoint.h: a polynomial on [-1/4, 0) times one constant per set bit of the rest; Newton-Raphson for the
 * reciprocal. Formulas: docs/numerics.md. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_FIXED_EXP_H
#define THR_FIXED_EXP_H

#include "arith.h"

/* e^x of Q0.31 in [-1/4, 0): around -1/8, e^(-1/8) * (1 + t + t^2/2 + t^3/6 + t^4/24) with t = x + 1/8. */
static inline int32_t thr_exp_quarter(int32_t x) {
  const int32_t exp_minus_eighth = 1895147668; /* round(e^(-1/8) * 2^31) */
  const int32_t third = 715827883;             /* round(2^31 / 3) */
  const int32_t t = x + ((int32_t)1 << 28);
  const int32_t t2 = thr_high_mul(t, t), t3 = thr_high_mul(t2, t), t4 = thr_high_mul(t2, t2);
  const int32_t tail = thr_rshift(thr_high_mul(thr_rshift(t4, 2) + t3, third) + t2, 1);
  return exp_minus_eighth + thr_high_mul(exp_minus_eighth, t + tail);
}

/* e^a as Q0.31 for a <= 0 in Q(integer_bits).(31 - integer_bits), 1 <= integer_bits <= 5. */
static inline int32_t thr_exp_negative(int32_t a, int integer_bits) {
  static const int32_t factor[7] THR_FLASH = {/* round(e^(-2^k) * 2^31), k = -2 .. 4 */
                                              1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  const int32_t quarter = (int32_t)1 << (29 - integer_bits);
  const int32_t part = (a & (quarter - 1)) - quarter; /* in [-1/4, 0) */
  const int32_t rest = thr_wrap_sub(part, a);         /* a multiple of 1/4 */
  if (a == 0) return INT32_MAX;
  int32_t y = thr_exp_quarter(thr_wrap_shl(part, integer_bits));
  for (int k = -2; k < integer_bits; k++) {
    if ((uint32_t)rest >> (31 - integer_bits + k) & 1u) y = thr_high_mul(y, thr_flash_s32(factor + (k + 2)));
  }
  return y;
}

/* 2 / (1 + a) as Q2.29 for a in [0, 1], Q0.31: x <- x + x * (1 - d * x) with d = (1 + a) / 2, thrice from
 * x = 48/17 - 32/17 * d. */
static inline int32_t thr_reciprocal(int32_t a) {
  const int32_t half = (int32_t)(((int64_t)a + ((int64_t)1 << 31)) / 2);
  int32_t x = 1515870810 + thr_high_mul(half, -1010580540);
  for (int i = 0; i < 3; i++) {
    const int32_t error = thr_wrap_sub((int32_t)1 << 29, thr_high_mul(half, x));
    x = thr_wrap_add(x, thr_sat_shl(thr_high_mul(x, error), 2));
  }
  return x;
}

/* 1 / (1 + a) as Q0.31. */
static inline int32_t thr_one_over_one_plus(int32_t a) {
  return thr_sat_shl(thr_reciprocal(a), 1);
}

/* (1 - a) / (1 + a) as Q0.31: 2 / (1 + a) - 1. */
static inline int32_t thr_one_minus_over_one_plus(int32_t a) {
  return thr_sat_shl(thr_wrap_sub(thr_reciprocal(a), (int32_t)1 << 29), 2);
}

#endif
