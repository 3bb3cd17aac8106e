/* The arithmetic of docs/numerics.md a second time, for the tests: 128-bit integers, floor division and round() instead
 * of shifts and masks, so that a slip in one form is not repeated in the other. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNEL_MODEL_H
#define TESTS_KERNEL_MODEL_H

#include <math.h>
#include <stdint.h>

#if defined(__SIZEOF_INT128__)
__extension__ typedef __int128 wide;
#else /* on a microcontroller; enough for products of 32 bits, and there the reference says what is expected */
typedef int64_t wide;
#endif

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

static inline int32_t model_finish(wide x, int32_t zero, int32_t lo, int32_t hi) {
  const int32_t v = model_wrap(x + zero);
  return v < lo ? lo : v > hi ? hi : v;
}

/* Of a 64-bit sum: the multiplier rounded to 15 bits, then one rounding. */
static inline int32_t model_scale64(wide x, int32_t mult, int shift) {
  wide upper = floor_div((wide)mult + power2(15), power2(16));
  if (upper > INT16_MAX) upper = INT16_MAX;
  return model_wrap(floor_div(x * upper + power2(14 - shift), power2(15 - shift)));
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

/* --- inverse root and logarithm --- */

/* 1 / sqrt(x) = m 2^(shift - 31). x = a 4^k with a in [2^27, 2^29). */
static inline int32_t model_inverse_root(int32_t x, int *shift) {
  *shift = 0;
  if (x < 2) return INT32_MAX;
  int k = 0;
  wide a = x;
  while (a < power2(27)) a *= 4, k++;
  while (a >= power2(29)) a = floor_div(a, 4), k--;
  const int32_t half = model_rshift((int32_t)floor_div(a, 2), 1);
  int32_t y = (int32_t)power2(28);
  for (int i = 0; i < 5; i++) {
    const int32_t y3 = model_saturate(model_high_mul(model_high_mul(y, y), y) * power2(6), 32);
    const int32_t step = model_high_mul((int32_t)(power2(28) + power2(27)), y) - model_high_mul(half, y3);
    y = model_saturate(step * power2(3), 32);
  }
  y = model_high_mul(y, q31(sqrt(0.5)));
  if (k > 11) return (int32_t)(y * power2(k - 11));
  *shift = k - 11;
  return y;
}

/* x in Q12.19, at least 1; the result in Q5.26. */
static inline int32_t model_log(int32_t x) {
  int bits_a = 0, bits_b = 0; /* how far x, and x sqrt(1/2), may be doubled within 31 bits */
  while ((wide)x * power2(bits_a + 1) < power2(31)) bits_a++;
  const int32_t lower = model_high_mul(x, q31(sqrt(0.5)));
  while ((wide)lower * power2(bits_b + 1) < power2(31)) bits_b++;
  const int32_t r_a = model_saturate(model_high_mul((int32_t)(x * power2(bits_a)), q31(sqrt(0.5))) * power2(1), 32);
  const int32_t r_b = model_saturate(x * power2(bits_b), 32);
  const wide quarter = power2(23);
  const wide power_a = (11 - bits_a) * power2(25) + quarter, power_b = (12 - bits_b) * power2(25) - quarter;
  const int32_t r = r_a < r_b ? r_a : r_b, power = (int32_t)(power_a > power_b ? power_a : power_b);
  const double root = sqrt(sqrt(2));
  const int32_t middle = q31(1 / root);
  const int32_t p = (int32_t)floor_div((wide)r + middle + 1, 2), q = 2 * (r - middle), q2 = model_high_mul(q, q);
  const int32_t over = model_high_mul(q, r) + model_high_mul(model_high_mul(q, q2), q31(11.0 / 240 * root));
  const int32_t inner = q31(2 / root - root) + q + model_high_mul(q31(root / 20), q2);
  const int32_t under = model_high_mul(p, inner) + model_high_mul(q31(root / 4), q);
  const int32_t inverse = model_saturate(model_reciprocal(under) * power2(1), 32);
  const int32_t sum = model_high_mul(power, q31(log(2))) + model_high_mul(model_rshift(over, 6), inverse);
  return model_saturate(sum * power2(1), 32);
}

#endif
