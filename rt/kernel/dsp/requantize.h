/* Requantization for the DSP kernels: thr_scale() of kernel/ref/arith.h, bit for bit, in few instructions.
 *
 * SMMLAR(a, b, c) = floor((a b + 2^31) / 2^32) + c, so with x2 = 2 x it is thr_high_mul(x, mult) + c, and c can carry
 * all that is added afterwards: half of the divisor 2^n that follows and the output's zero, times 2^n. What is left of
 * "halves away from zero" is one less for negative numbers, x2 >> 31:
 *
 *   zero + thr_scale(acc, ...) = SMMLAR(x2, mult, round + (x2 >> 31)) >> n   4 instructions with x2 = acc << left
 *   the same where lo >= zero, as after a relu: without (x2 >> 31)           3: only halves below zero differ, and
 *                                                                               both values are clamped to lo
 *
 * thr_short_fits() says for which numbers that holds: they must leave room in 32 bits; all layers of real models do.
 * Weights stored doubled (times 2^left) spare the shift that makes x2. thr_scale_dsp() has no conditions and needs
 * about twice as many instructions. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_REQUANTIZE_H
#define THR_DSP_REQUANTIZE_H

#include "../ref/arith.h"
#include "dsp.h"

/* A multiplier and shift, and an output zero, as the short form wants them. */
typedef struct thr_short {
  int32_t mult, round;
  uint8_t left, right; /* x2 = acc << left (at least 1); n */
} thr_short;

/* The most that may be shifted right when the zero of an int8 or int16 output is carried along. */
enum { THR_SHORT_RIGHT8 = 22, THR_SHORT_RIGHT16 = 14 };

/* Whether the short form is exact for all |acc| <= most. `relu`: the form without (x2 >> 31) will be used, and
 * lo >= zero; else a shift of 0 does not fit, whose only rounding is upwards. `wide`: 1 for int16 outputs. */
static inline int thr_short_fits(uint32_t most, int32_t mult, int shift, int relu, int wide) {
  const int left = shift > 0 ? shift + 1 : 1, right = shift > 0 ? 0 : -shift;
  if (mult < 0 || right > (wide ? THR_SHORT_RIGHT16 : THR_SHORT_RIGHT8)) return 0;
  return most <= (uint32_t)INT32_MAX >> left && (relu || right > 0);
}

static inline thr_short thr_short_of(int32_t mult, int shift, int32_t zero) {
  thr_short s = {mult, 0, (uint8_t)(shift > 0 ? shift + 1 : 1), (uint8_t)(shift > 0 ? 0 : -shift)};
  s.round = thr_wrap_shl(zero, s.right) + (s.right > 0 ? (int32_t)1 << (s.right - 1) : 0);
  return s;
}

/* zero + thr_scale(acc, mult, shift), before the clamp. */
static inline int32_t thr_short_scale(int32_t x2, int32_t mult, int32_t round, int right) {
  return thr_smmlar(x2, mult, round + (x2 >> 31)) >> right;
}

/* The same where the clamp's lo is at least zero. */
static inline int32_t thr_short_scale_relu(int32_t x2, int32_t mult, int32_t round, int right) {
  return thr_smmlar(x2, mult, round) >> right;
}

/* thr_high_mul for all numbers. Both halves of the product are needed, as 2 a can leave 32 bits; QADD is the doubling
 * that saturates the one product that must. */
static inline int32_t thr_high_mul_dsp(int32_t a, int32_t b) {
  const int64_t product = (int64_t)a * b + ((int64_t)1 << 30);
  const int32_t high = (int32_t)(product >> 32);
  return thr_qadd(high, high) | (int32_t)((uint32_t)product >> 31);
}

/* thr_scale for all numbers. The last bit is shifted out apart, so that nothing is added to a number near 2^31. */
static inline int32_t thr_scale_dsp(int32_t x, int32_t mult, int shift) {
  const int32_t h = thr_high_mul_dsp(thr_wrap_shl(x, shift > 0 ? shift : 0), mult);
  if (shift >= 0) return h;
  const int32_t twice = (h + (h >> 31)) >> (-shift - 1); /* h is never -2^31 */
  return (twice >> 1) + (twice & 1);
}

#endif
