/* The Armv7E-M and Armv8-M DSP instructions that kernels of this folder use, one function each, named as the
 * instruction; elsewhere the same in plain C, so that every kernel here also runs (and is tested) on a host.
 *
 * A word holds four int8 lanes or two int16 lanes, the first one lowest. Sums wrap. Instructions that compilers find by
 * themselves (MLA, SMULL, shifted operands) are written as C. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_H
#define THR_DSP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Four int8 or two int16 at any address: one LDR or STR. */
static inline uint32_t thr_load4(const void *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline void thr_store4(void *p, uint32_t v) {
  memcpy(p, &v, sizeof v);
}

/* Lanes as numbers. */
static inline int32_t thr_low16(uint32_t x) {
  return (int16_t)(uint16_t)x;
}

static inline int32_t thr_high16(uint32_t x) {
  return (int32_t)x >> 16;
}

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define THR_DSP_1(name, instruction)         \
  static inline uint32_t name(uint32_t a) {  \
    uint32_t d;                              \
    __asm__(instruction : "=r"(d) : "r"(a)); \
    return d;                                \
  }
#define THR_DSP_2(name, instruction)                    \
  static inline uint32_t name(uint32_t a, uint32_t b) { \
    uint32_t d;                                         \
    __asm__(instruction : "=r"(d) : "r"(a), "r"(b));    \
    return d;                                           \
  }
/* The first of two instructions writes flags and %0 while the second still reads %1 and %2: never the same registers.
 */
#define THR_DSP_CHOOSE(name, instructions)              \
  static inline uint32_t name(uint32_t a, uint32_t b) { \
    uint32_t d;                                         \
    __asm__(instructions : "=&r"(d) : "r"(a), "r"(b));  \
    return d;                                           \
  }
#define THR_DSP_3(name, instruction)                              \
  static inline int32_t name(uint32_t a, uint32_t b, int32_t c) { \
    int32_t d;                                                    \
    __asm__(instruction : "=r"(d) : "r"(a), "r"(b), "r"(c));      \
    return d;                                                     \
  }

THR_DSP_1(thr_sxtb16, "sxtb16 %0, %1")
THR_DSP_1(thr_sxtb16_ror8, "sxtb16 %0, %1, ror #8")
THR_DSP_2(thr_sxtab16, "sxtab16 %0, %1, %2")
THR_DSP_2(thr_sxtab16_ror8, "sxtab16 %0, %1, %2, ror #8")
THR_DSP_2(thr_pkhbt, "pkhbt %0, %1, %2, lsl #16")
THR_DSP_2(thr_pkhtb, "pkhtb %0, %1, %2, asr #16")
THR_DSP_2(thr_sadd16, "sadd16 %0, %1, %2")
THR_DSP_CHOOSE(thr_max8, "ssub8 %0, %1, %2\n\tsel %0, %1, %2")
THR_DSP_CHOOSE(thr_min8, "ssub8 %0, %1, %2\n\tsel %0, %2, %1")
THR_DSP_3(thr_smlad, "smlad %0, %1, %2, %3")
THR_DSP_3(thr_smlabb, "smlabb %0, %1, %2, %3")
THR_DSP_3(thr_smlabt, "smlabt %0, %1, %2, %3")
THR_DSP_3(thr_smlatt, "smlatt %0, %1, %2, %3")

static inline int32_t thr_smmlar(int32_t a, int32_t b, int32_t c) {
  int32_t d;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}

static inline int32_t thr_smmulr(int32_t a, int32_t b) {
  int32_t d;
  __asm__("smmulr %0, %1, %2" : "=r"(d) : "r"(a), "r"(b));
  return d;
}

static inline int32_t thr_qadd(int32_t a, int32_t b) {
  int32_t d;
  __asm__("qadd %0, %1, %2" : "=r"(d) : "r"(a), "r"(b));
  return d;
}

static inline int32_t thr_ssat8(int32_t a) {
  int32_t d;
  __asm__("ssat %0, #8, %1" : "=r"(d) : "r"(a));
  return d;
}

static inline int64_t thr_smlalbb(uint32_t a, uint32_t b, int64_t c) {
  __asm__("smlalbb %Q0, %R0, %1, %2" : "+r"(c) : "r"(a), "r"(b));
  return c;
}

static inline int64_t thr_smlald(uint32_t a, uint32_t b, int64_t c) {
  __asm__("smlald %Q0, %R0, %1, %2" : "+r"(c) : "r"(a), "r"(b));
  return c;
}

/* x >> (n & 255) */
static inline int32_t thr_asr(int32_t x, uint32_t n) {
  int32_t d;
  __asm__("asr %0, %1, %2" : "=r"(d) : "r"(x), "r"(n));
  return d;
}

/* p[2 * i] */
static inline int32_t thr_byte_twice(const int8_t *p, int32_t i) {
  int32_t d;
  __asm__ volatile("ldrsb %0, [%1, %2, lsl #1]" : "=r"(d) : "r"(p), "r"(i) : "memory");
  return d;
}

/* Numbers that a loop fetches anew each time, as there are too few registers to keep them: d = base->member, and
 * a, b = base->member[0], [1]. The compiler cannot hoist these loads, and the two are one instruction. */
#define THR_FETCH(d, base, member) \
  __asm__ volatile("ldr %0, [%1, %2]" : "=r"(d) : "r"(base), "i"(offsetof(__typeof__(*(base)), member)) : "memory")
#define THR_FETCH2(a, b, base, member)                                     \
  __asm__ volatile("ldrd %0, %1, [%2, %3]"                                 \
                   : "=r"(a), "=r"(b)                                      \
                   : "r"(base), "i"(offsetof(__typeof__(*(base)), member)) \
                   : "memory")

#undef THR_DSP_1
#undef THR_DSP_2
#undef THR_DSP_3
#undef THR_DSP_CHOOSE

#else

static inline uint32_t thr_pack16(int32_t low, int32_t high) {
  return ((uint32_t)low & 0xFFFFu) | (uint32_t)high << 16;
}

static inline uint32_t thr_ror8(uint32_t x) {
  return x >> 8 | x << 24;
}

static inline int32_t thr_lane8(uint32_t x, int i) {
  return (int8_t)(uint8_t)(x >> 8 * i);
}

/* Lanes 0 and 2, as int16. */
static inline uint32_t thr_sxtb16(uint32_t a) {
  return thr_pack16(thr_lane8(a, 0), thr_lane8(a, 2));
}

/* Lanes 1 and 3. */
static inline uint32_t thr_sxtb16_ror8(uint32_t a) {
  return thr_sxtb16(thr_ror8(a));
}

static inline uint32_t thr_sadd16(uint32_t a, uint32_t b) {
  return thr_pack16(thr_low16(a) + thr_low16(b), thr_high16(a) + thr_high16(b));
}

/* int16 lanes of a + int8 lanes 0 and 2 of b. */
static inline uint32_t thr_sxtab16(uint32_t a, uint32_t b) {
  return thr_sadd16(a, thr_sxtb16(b));
}

static inline uint32_t thr_sxtab16_ror8(uint32_t a, uint32_t b) {
  return thr_sadd16(a, thr_sxtb16_ror8(b));
}

/* Low half of a, then low half of b. */
static inline uint32_t thr_pkhbt(uint32_t a, uint32_t b) {
  return (a & 0xFFFFu) | b << 16;
}

/* High half of b, then high half of a. */
static inline uint32_t thr_pkhtb(uint32_t a, uint32_t b) {
  return (a & 0xFFFF0000u) | b >> 16;
}

static inline uint32_t thr_choose8(uint32_t a, uint32_t b, int larger) {
  uint32_t v = 0;
  for (int i = 0; i < 4; i++) {
    const int a_larger = thr_lane8(a, i) >= thr_lane8(b, i);
    v |= ((a_larger == larger ? a : b) >> 8 * i & 0xFFu) << 8 * i;
  }
  return v;
}

static inline uint32_t thr_max8(uint32_t a, uint32_t b) {
  return thr_choose8(a, b, 1);
}

static inline uint32_t thr_min8(uint32_t a, uint32_t b) {
  return thr_choose8(a, b, 0);
}

/* c + a.low * b.low */
static inline int32_t thr_smlabb(uint32_t a, uint32_t b, int32_t c) {
  return (int32_t)((uint32_t)c + (uint32_t)(thr_low16(a) * thr_low16(b)));
}

static inline int32_t thr_smlabt(uint32_t a, uint32_t b, int32_t c) {
  return (int32_t)((uint32_t)c + (uint32_t)(thr_low16(a) * thr_high16(b)));
}

static inline int32_t thr_smlatt(uint32_t a, uint32_t b, int32_t c) {
  return (int32_t)((uint32_t)c + (uint32_t)(thr_high16(a) * thr_high16(b)));
}

/* c + a.low * b.low + a.high * b.high */
static inline int32_t thr_smlad(uint32_t a, uint32_t b, int32_t c) {
  return thr_smlatt(a, b, thr_smlabb(a, b, c));
}

static inline int64_t thr_smlalbb(uint32_t a, uint32_t b, int64_t c) {
  return (int64_t)((uint64_t)c + (uint64_t)(int64_t)(thr_low16(a) * thr_low16(b)));
}

static inline int64_t thr_smlald(uint32_t a, uint32_t b, int64_t c) {
  const int64_t products = (int64_t)(thr_low16(a) * thr_low16(b)) + thr_high16(a) * thr_high16(b);
  return (int64_t)((uint64_t)c + (uint64_t)products);
}

/* floor((a * b + 2^31) / 2^32) */
static inline int32_t thr_smmulr(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
}

static inline int32_t thr_smmlar(int32_t a, int32_t b, int32_t c) {
  return (int32_t)((uint32_t)c + (uint32_t)thr_smmulr(a, b));
}

static inline int32_t thr_qadd(int32_t a, int32_t b) {
  const int64_t sum = (int64_t)a + b;
  return sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : (int32_t)sum;
}

static inline int32_t thr_ssat8(int32_t a) {
  return a > INT8_MAX ? INT8_MAX : a < INT8_MIN ? INT8_MIN : a;
}

static inline int32_t thr_asr(int32_t x, uint32_t n) {
  return x >> (n & 255u);
}

static inline int32_t thr_byte_twice(const int8_t *p, int32_t i) {
  return p[2 * i];
}

#define THR_FETCH(d, base, member) ((d) = (base)->member)
#define THR_FETCH2(a, b, base, member) ((a) = (base)->member[0], (b) = (base)->member[1])

#endif
#endif
