/* Inverse square root in fixed point, by Newton-Raphson as TFLite's common.h has it. Formulas: docs/numerics.md.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_FIXED_ROOT_H
#define THR_FIXED_ROOT_H

#include "arith.h"

/* 1 / sqrt(x) as a multiplier for thr_scale: the mantissa is returned, the shift is in *shift. x below 2 counts as 1.
 *
 * x is brought into [2^27, 2^29) by a power of 4; as a = x / 2^29 in Q3.28, y -> y (3/2 - a y^2 / 2), five times from
 * 1, then times sqrt(1/2). */
static inline int32_t thr_inverse_root(int32_t x, int *shift) {
  const int32_t half_root = 1518500250; /* round(sqrt(1/2) 2^31) */
  int right = 11;
  *shift = 0;
  if (x <= 1) return INT32_MAX;
  for (; x >= (int32_t)1 << 29; right++) x /= 4;
  for (; x < (int32_t)1 << 27; right--) x *= 4;
  const int32_t half = thr_rshift(x >> 1, 1);
  int32_t y = (int32_t)1 << 28;
  for (int i = 0; i < 5; i++) {
    const int32_t cube = thr_sat_shl(thr_high_mul(thr_high_mul(y, y), y), 6);
    const int32_t three_halves = thr_high_mul(402653184, y); /* 1.5 in Q3.28 */
    y = thr_sat_shl(thr_wrap_sub(three_halves, thr_high_mul(half, cube)), 3);
  }
  y = thr_high_mul(y, half_root);
  if (right < 0) return thr_wrap_shl(y, -right);
  *shift = -right;
  return y;
}

#endif
