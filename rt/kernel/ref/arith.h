/* The integer arithmetic that all reference kernels share. Formulas and their origin: docs/numerics.md.
 *
 * Three habits keep every function total, so that no parameter found in a damaged blob leads to undefined behaviour:
 * sums wrap (computed in uint32_t), products are taken in 64 bits, and shift counts are those that thr_open() and
 * th_lower() let through (-31 to 30). `>>` of a negative number is taken to be an arithmetic shift, which C99 leaves to
 * the compiler and every compiler for the targets does. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_ARITH_H
#define THR_ARITH_H

#include "thr_flash.h"
#include "thr_kernels.h"

/* An operand that keeps its value from run to run: the kernel writes it. It lies in the arena, which check.c has seen
 * to. */
static inline void *thr_state(const void *operand) {
  return (void *)(uintptr_t)operand;
}

static inline int32_t thr_wrap_add(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t thr_wrap_sub(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a - (uint32_t)b);
}

static inline int32_t thr_wrap_mul(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a * (uint32_t)b);
}

static inline int32_t thr_wrap_shl(int32_t x, int n) {
  return (int32_t)((uint32_t)x << n);
}

static inline int32_t thr_clamp(int32_t x, int32_t lo, int32_t hi) {
  return x < lo ? lo : x > hi ? hi : x;
}

/* floor((a * b + 2^30) / 2^31); the one product that does not fit saturates. */
static inline int32_t thr_high_mul(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* floor((a * b + 2^14) / 2^15) for 16-bit operands; saturates likewise. */
static inline int32_t thr_high_mul16(int32_t a, int32_t b) {
  if (a == INT16_MIN && b == INT16_MIN) return INT16_MAX;
  return (a * b + ((int32_t)1 << 14)) >> 15;
}

/* x / 2^n rounded to nearest, halves away from zero; 0 <= n <= 31. */
static inline int32_t thr_rshift(int32_t x, int n) {
  const int32_t mask = (int32_t)(((uint32_t)1 << n) - 1u);
  const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> n) + ((x & mask) > threshold ? 1 : 0);
}

/* x * 2^n, saturating to 32 bits; 1 <= n <= 30. */
static inline int32_t thr_sat_shl(int32_t x, int n) {
  const int32_t limit = INT32_MAX >> n;
  if (x > limit) return INT32_MAX;
  if (x < -limit) return INT32_MIN;
  return thr_wrap_shl(x, n);
}

/* x * 2^n, saturating to 16 bits. */
static inline int32_t thr_sat_shl16(int32_t x, int n) {
  const int64_t wide = (int64_t)x * ((int64_t)1 << n);
  return wide > INT16_MAX ? INT16_MAX : wide < INT16_MIN ? INT16_MIN : (int32_t)wide;
}

/* x * mult * 2^(shift - 31) with two roundings: thr_rshift(thr_high_mul(x << max(shift, 0), mult), max(-shift, 0)). */
static inline int32_t thr_scale(int32_t x, int32_t mult, int shift) {
  const int left = shift > 0 ? shift : 0;
  const int right = shift > 0 ? 0 : -shift;
  return thr_rshift(thr_high_mul(thr_wrap_shl(x, left), mult), right);
}

/* zero + x, then the activation's clamp: the last line of nearly every kernel. */
static inline int8_t thr_finish(int32_t x, int32_t zero, int32_t lo, int32_t hi) {
  return (int8_t)thr_clamp(thr_wrap_add(x, zero), lo, hi);
}

/* The same for 16-bit outputs. */
static inline int16_t thr_finish16(int32_t x, int32_t zero, int32_t lo, int32_t hi) {
  return (int16_t)thr_clamp(thr_wrap_add(x, zero), lo, hi);
}

/* x * mult * 2^(shift - 31) of a 64-bit sum with one rounding, halves upwards: the multiplier is cut to its upper 16
 * bits. shift is at most 7; only the low 32 bits of the result count. */
static inline int32_t thr_scale64(int64_t x, int32_t mult, int shift) {
  const int32_t upper = mult < 0x7FFF0000 ? (mult + ((int32_t)1 << 15)) >> 16 : INT16_MAX;
  const int right = 15 - shift;
  const int64_t product = (int64_t)((uint64_t)x * (uint64_t)(int64_t)upper + ((uint64_t)1 << (right - 1)));
  return (int32_t)(product >> right);
}

/* The entry of a channel. */
static inline int32_t thr_requant_entry(const thr_requant *r, int32_t channel) {
  return r->index ? thr_flash_u8(r->index + channel) : r->per_channel ? channel : 0;
}

static inline int32_t thr_requantize(const thr_requant *r, int32_t channel, int32_t acc) {
  const int32_t e = thr_requant_entry(r, channel);
  return thr_scale(acc, thr_flash_s32(r->mult + e), thr_flash_s8(r->shift + e));
}

static inline int32_t thr_bias_at(const thr_bias *b, int32_t channel) {
  if (b->width == 0) return 0;
  const uint8_t *p = b->data + (size_t)channel * b->width;
  uint32_t v = 0;
  for (int i = b->width; i > 0; i--) v = v << 8 | thr_flash_u8(p + i - 1);
  if (b->width < 4 && v >> (8 * b->width - 1)) v -= (uint32_t)1 << 8 * b->width;
  return (int32_t)(v << b->shift);
}

/* Channel after channel, c = 0, 1, ...; `state` begins with zeros. */
static inline thr_channel thr_channel_next(const thr_bias *bias, const thr_requant *r, thr_channel_state *state,
                                           int32_t c) {
  thr_channel channel;
  if (r->decode) {
    r->decode(r, state, &channel);
    return channel;
  }
  const int32_t e = thr_requant_entry(r, c);
  channel.bias = thr_bias_at(bias, c);
  channel.mult = thr_flash_s32(r->mult + e);
  channel.shift = thr_flash_s8(r->shift + e);
  return channel;
}

/* The same in 64 bits, also for a width of 8. */
static inline int64_t thr_bias64_at(const thr_bias *b, int32_t channel) {
  const uint8_t *p = b->data + (size_t)channel * b->width;
  uint64_t v = 0;
  if (b->width == 0) return 0;
  for (int i = b->width - 1; i >= 0; i--) v = v << 8 | thr_flash_u8(p + i);
  if (b->width < 8 && v >> (8 * b->width - 1)) v -= (uint64_t)1 << 8 * b->width;
  return (int64_t)(v << b->shift);
}

/* acc + sum of w[i] * (x[i] - zero). The difference has 9 bits; naming it int16_t lets compilers pair the products. */
static inline int32_t thr_dot(int32_t acc, const int8_t *x, const int8_t *w, int32_t n, int32_t zero) {
  uint32_t sum = (uint32_t)acc;
  for (int32_t i = 0; i < n; i++) {
    const int16_t centered = (int16_t)(x[i] - zero);
    sum += (uint32_t)((int32_t)centered * w[i]);
  }
  return (int32_t)sum;
}

/* The same of weights with a zero point. */
static inline int32_t thr_dot_zero(int32_t acc, const int8_t *x, const int8_t *w, int32_t n, int32_t zero,
                                   int32_t w_zero) {
  uint32_t sum = (uint32_t)acc;
  for (int32_t i = 0; i < n; i++) sum += (uint32_t)((x[i] - zero) * (w[i] - w_zero));
  return (int32_t)sum;
}

/* The same for 16-bit values with zero point 0, summed in 64 bits. */
static inline int64_t thr_dot16(int64_t acc, const int16_t *x, const int8_t *w, int32_t n) {
  uint64_t sum = (uint64_t)acc;
  for (int32_t i = 0; i < n; i++) sum += (uint64_t)(int64_t)((int32_t)x[i] * w[i]);
  return (int64_t)sum;
}

/* Requantization of a 16x8 layer's sum: of 64 bits, or of 32 as the layer's bias has it. */
static inline int32_t thr_scale16(int64_t acc, int32_t mult, int shift, int wide) {
  return wide ? thr_scale64(acc, mult, shift) : thr_scale((int32_t)acc, mult, shift);
}

static inline int32_t thr_requantize16(const thr_requant *r, int32_t channel, int64_t acc, int wide) {
  const int32_t e = thr_requant_entry(r, channel);
  return thr_scale16(acc, r->mult[e], r->shift[e], wide);
}

/* Kernel taps [*begin, *end) of a window starting at `origin` that fall inside [0, limit); begin >= end when none. */
static inline void thr_window(int32_t origin, int32_t kernel, int32_t dilation, int32_t limit, int32_t *begin,
                              int32_t *end) {
  const int32_t last = origin < limit ? (limit - origin + dilation - 1) / dilation : 0;
  *begin = origin < 0 ? (dilation - 1 - origin) / dilation : 0;
  *end = last < kernel ? last : kernel;
}

/* Output places whose windows reach over neither end of `in`: [*begin, *end), empty where there are none. */
static inline void thr_places_inside(int32_t out, int32_t stride, int32_t pad, int32_t reach, int32_t in,
                                     int32_t *begin, int32_t *end) {
  const int32_t room = in - 1 - reach + pad; /* of the last window's beginning, counted from the padding's */
  const int32_t first = (pad + stride - 1) / stride;
  const int32_t last = room < 0 ? 0 : room / stride + 1;
  *begin = first < out ? first : out;
  *end = last < out ? last : out;
  if (*end < *begin) *end = *begin;
}

/* Weight row `oc`: in place for raw weights, else the next `count` weights of the stream, in `scratch`. */
static inline const int8_t *thr_weight_row(const thr_weights *w, thr_stream *stream, int32_t row, int32_t count,
                                           void *scratch) {
  if (!w->decode) return (const int8_t *)w->data + (size_t)row * (size_t)count;
  w->decode(stream, (int8_t *)scratch, (uint32_t)count);
  return (const int8_t *)scratch;
}

/* Leading zero bits of x; 32 for 0. */
static inline int thr_clz(uint32_t x) {
  int n = 0;
  if (x == 0) return 32;
  while (!(x & 0x80000000u)) {
    x <<= 1;
    n++;
  }
  return n;
}

#endif
