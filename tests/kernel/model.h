/* The arithmetic of docs/numerics.md a second time, for the tests: 128-bit integers, floor division and round() instead
 * of shifts and masks, so that a slip in one form is not repeated in the other. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNEL_MODEL_H
#define TESTS_KERNEL_MODEL_H

#include <math.h>
#include <stdint.h>

__extension__ typedef __int128 wide;

static inline wide floor_div(wide a, wide b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static inline wide power2(int n) {
  return (wide)1 << n;
}

/* Two's complement remainder in 32 bits. */
static inline int32_t model_wrap(wide x) {
  const wide r = x - floor_div(x, power2(32)) * power2(32);
  return (int32_t)(r >= power2(31) ? r - power2(32) : r);
}

static inline int32_t model_high_mul(int32_t a, int32_t b) {
  const wide q = floor_div((wide)a * b + power2(30), power2(31));
  return q > INT32_MAX ? INT32_MAX : (int32_t)q;
}

/* round() is half away from zero, and a double holds x / 2^n exactly. */
static inline int32_t model_rshift(int32_t x, int n) {
  return (int32_t)round(ldexp((double)x, -n));
}

static inline int32_t model_scale(int32_t x, int32_t mult, int shift) {
  const int32_t shifted = shift > 0 ? model_wrap(x * power2(shift)) : x;
  return model_rshift(model_high_mul(shifted, mult), shift > 0 ? 0 : -shift);
}

static inline int32_t model_saturate(wide x, int bits) {
  const wide most = power2(bits - 1) - 1;
  return (int32_t)(x > most ? most : x < -most - 1 ? -most - 1 : x);
}

static inline int8_t model_finish(wide x, int32_t zero, int32_t lo, int32_t hi) {
  const int32_t v = model_wrap(x + zero);
  return (int8_t)(v < lo ? lo : v > hi ? hi : v);
}

/* --- fixed-point functions; the constants are computed, not copied --- */

static inline int32_t q31(double x) {
  return (int32_t)round(ldexp(x, 31));
}

static inline int32_t model_exp(int32_t a, int integer_bits) {
  if (a == 0) return INT32_MAX;
  const int fraction_bits = 31 - integer_bits;
  const wide quarter = power2(fraction_bits - 2);
  const wide part = a - floor_div(a, quarter) * quarter - quarter; /* in [-1/4, 0) */
  const int32_t t = (int32_t)(part * power2(integer_bits) + power2(28));
  const int32_t t2 = model_high_mul(t, t), t3 = model_high_mul(t2, t), t4 = model_high_mul(t2, t2);
  const int32_t inner = model_high_mul(model_rshift(t4, 2) + t3, q31(1.0 / 3)) + t2;
  const int32_t k = q31(exp(-0.125));
  int32_t y = k + model_high_mul(k, t + model_rshift(inner, 1));
  wide quarters = (part - a) / quarter;
  for (int e = -2; e < integer_bits; e++, quarters /= 2) {
    if (quarters % 2) y = model_high_mul(y, q31(exp(-ldexp(1, e))));
  }
  return y;
}

static inline int32_t model_reciprocal(int32_t a) { /* 2 / (1 + a), two integer bits */
  const int32_t half = (int32_t)(((wide)a + power2(31)) / 2);
  int32_t x = (int32_t)(round(ldexp(48.0 / 17, 29)) + model_high_mul(half, (int32_t)round(ldexp(-32.0 / 17, 29))));
  for (int i = 0; i < 3; i++) {
    const int32_t error = (int32_t)(power2(29) - model_high_mul(half, x));
    x += model_saturate(model_high_mul(x, error) * power2(2), 32);
  }
  return x;
}

static inline int32_t model_logistic(int32_t z) { /* four integer bits */
  if (z == 0) return 1 << 30;
  const int32_t s = model_saturate(model_reciprocal(model_exp(z > 0 ? -z : z, 4)) * power2(1), 32);
  return z > 0 ? s : INT32_MAX - s;
}

static inline int32_t model_tanh(int32_t z) {
  if (z == 0) return 0;
  const int32_t r = model_reciprocal(model_exp(z > 0 ? -z : z, 5));
  const int32_t t = model_saturate((r - power2(29)) * power2(2), 32);
  return z > 0 ? t : -t;
}

#endif
