/* Armv8.1-M vectors as the kernels of this folder use them: 8 registers of 16 bytes, and the sum of 16 products of
 * bytes in one instruction.
 *
 * Every operation stands here twice: as the instruction where the compiler has MVE, else as plain C that does the same
 * to each lane. So kernels and forms are tested on any host, under sanitizers too. A row of the list is an
 * operation on lanes of 32 bits. Arm, "Armv8-M Architecture Reference Manual",
 * chapter C2. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_MVE_H
#define THR_MVE_H

#include <string.h>

#include "../ref/arith.h"

/* Loops in assembly need all registers; code that is not optimized keeps some to itself and takes the plain ones. */
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__)
#define THR_MVE_LOOPS 1
#else
#define THR_MVE_LOOPS 0
#endif

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
typedef int32x4_t thr_q32;
#define THR_Q32_OP(name, instruction, f)             \
  static inline thr_q32 name(thr_q32 a, thr_q32 b) { \
    return instruction(a, b);                        \
  }
#else
typedef struct thr_q32 {
  int32_t lane[4];
} thr_q32;
#define THR_Q32_OP(name, instruction, f)                             \
  static inline thr_q32 name(thr_q32 a, thr_q32 b) {                 \
    for (int i = 0; i < 4; i++) a.lane[i] = f(a.lane[i], b.lane[i]); \
    return a;                                                        \
  }
#endif

/* a * 2^n rounded to nearest, halves upwards; -31 <= n <= 0. */
static inline int32_t thr_lane_rshl(int32_t a, int32_t n) {
  return n == 0 ? a : (int32_t)(((int64_t)a + ((int64_t)1 << (-n - 1))) >> -n);
}

static inline int32_t thr_lane_shl(int32_t a, int32_t n) {
  return thr_wrap_shl(a, (int)n);
}

static inline int32_t thr_lane_max(int32_t a, int32_t b) {
  return a > b ? a : b;
}

static inline int32_t thr_lane_min(int32_t a, int32_t b) {
  return a < b ? a : b;
}

static inline int32_t thr_lane_both_negative(int32_t a, int32_t b) {
  return (a & b) < 0 ? -1 : 0;
}

THR_Q32_OP(thr_q32_add, vaddq_s32, thr_wrap_add)
THR_Q32_OP(thr_q32_high_mul, vqrdmulhq_s32, thr_high_mul)
THR_Q32_OP(thr_q32_shl, vshlq_s32, thr_lane_shl) /* by 0 to 30 */
THR_Q32_OP(thr_q32_rshl, vrshlq_s32, thr_lane_rshl)
THR_Q32_OP(thr_q32_max, vmaxq_s32, thr_lane_max)
THR_Q32_OP(thr_q32_min, vminq_s32, thr_lane_min)

/* Lanes of 16 bits are only held. */
#if defined(__ARM_FEATURE_MVE)
typedef int16x8_t thr_q16;
static inline thr_q16 thr_q16_all(int32_t x) {
  return vdupq_n_s16((int16_t)x);
}
static inline int32_t thr_q16_first(thr_q16 a) {
  return vgetq_lane_s16(a, 0);
}
#else
typedef struct thr_q16 {
  int16_t lane[8];
} thr_q16;
static inline thr_q16 thr_q16_all(int32_t x) {
  const int16_t v = (int16_t)x;
  return (thr_q16){{v, v, v, v, v, v, v, v}};
}
static inline int32_t thr_q16_first(thr_q16 a) {
  return a.lane[0];
}
#endif

#if defined(__ARM_FEATURE_MVE)
/* -1 where both are negative, else 0 */
static inline thr_q32 thr_q32_both_negative(thr_q32 a, thr_q32 b) {
  return vshrq_n_s32(vandq_s32(a, b), 31);
}

static inline thr_q32 thr_q32_all(int32_t x) {
  return vdupq_n_s32(x);
}

/* With a number in place of the second vector. */
static inline thr_q32 thr_q32_add_n(thr_q32 a, int32_t n) {
  return vaddq_n_s32(a, n);
}

static inline thr_q32 thr_q32_high_mul_n(thr_q32 a, int32_t n) {
  return vqrdmulhq_n_s32(a, n);
}

static inline thr_q32 thr_q32_rshl_n(thr_q32 a, int32_t n) {
  return vrshlq_n_s32(a, n);
}

/* a * factor + n */
static inline thr_q32 thr_q32_line(thr_q32 a, thr_q32 factor, int32_t n) {
  return vmlasq_n_s32(a, factor, n);
}

/* -1 where negative, else 0 */
static inline thr_q32 thr_q32_sign(thr_q32 a) {
  return vshrq_n_s32(a, 31);
}

static inline int32_t thr_q32_first(thr_q32 a) {
  return vgetq_lane_s32(a, 0);
}

static inline thr_q32 thr_q32_load(const void *p) { /* 4-byte aligned */
  return vldrwq_s32((const int32_t *)p);
}

static inline void thr_q32_store(void *p, thr_q32 a) {
  vstrwq_s32((int32_t *)p, a);
}

/* Lanes 0 to n - 1 from bytes, the others 0. */
static inline thr_q32 thr_q32_load_bytes(const int8_t *p, int32_t n) {
  return n >= 4 ? vldrbq_s32(p) : vldrbq_z_s32(p, vctp32q((uint32_t)n));
}

/* The low bytes of lanes 0 to n - 1. */
static inline void thr_q32_store_bytes(int8_t *p, thr_q32 a, int32_t n) {
  if (n >= 4)
    vstrbq_s32(p, a);
  else
    vstrbq_p_s32(p, a, vctp32q((uint32_t)n));
}

/* The same `step` bytes apart. */
static inline void thr_q32_store_apart(int8_t *p, thr_q32 a, int32_t step, int32_t n) {
  const uint32x4_t place = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)step);
  if (n >= 4)
    vstrbq_scatter_offset_s32(p, place, a);
  else
    vstrbq_scatter_offset_p_s32(p, place, a, vctp32q((uint32_t)n));
}

/* Lanes from bytes `step` apart, all four. */
static inline thr_q32 thr_q32_load_apart(const int8_t *p, int32_t step) {
  return vldrbq_gather_offset_s32(p, vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)step));
}

/* acc + a * n */
static inline thr_q32 thr_q32_add_mul(thr_q32 acc, thr_q32 a, int32_t n) {
  return vmlaq_n_s32(acc, a, n);
}
#else
THR_Q32_OP(thr_q32_both_negative, , thr_lane_both_negative)

static inline thr_q32 thr_q32_all(int32_t x) {
  return (thr_q32){{x, x, x, x}};
}

static inline thr_q32 thr_q32_add_n(thr_q32 a, int32_t n) {
  return thr_q32_add(a, thr_q32_all(n));
}

static inline thr_q32 thr_q32_high_mul_n(thr_q32 a, int32_t n) {
  return thr_q32_high_mul(a, thr_q32_all(n));
}

static inline thr_q32 thr_q32_rshl_n(thr_q32 a, int32_t n) {
  return thr_q32_rshl(a, thr_q32_all(n));
}

static inline thr_q32 thr_q32_line(thr_q32 a, thr_q32 factor, int32_t n) {
  for (int i = 0; i < 4; i++) a.lane[i] = thr_wrap_add(thr_wrap_mul(a.lane[i], factor.lane[i]), n);
  return a;
}

static inline thr_q32 thr_q32_sign(thr_q32 a) {
  return thr_q32_both_negative(a, a);
}

static inline int32_t thr_q32_first(thr_q32 a) {
  return a.lane[0];
}

static inline thr_q32 thr_q32_load(const void *p) {
  thr_q32 a;
  memcpy(&a, p, sizeof a);
  return a;
}

static inline void thr_q32_store(void *p, thr_q32 a) {
  memcpy(p, &a, sizeof a);
}

static inline thr_q32 thr_q32_load_bytes(const int8_t *p, int32_t n) {
  thr_q32 a = {{0, 0, 0, 0}};
  for (int32_t i = 0; i < n && i < 4; i++) a.lane[i] = p[i];
  return a;
}

static inline void thr_q32_store_bytes(int8_t *p, thr_q32 a, int32_t n) {
  for (int32_t i = 0; i < n && i < 4; i++) p[i] = (int8_t)(uint8_t)(uint32_t)a.lane[i];
}

static inline void thr_q32_store_apart(int8_t *p, thr_q32 a, int32_t step, int32_t n) {
  for (int32_t i = 0; i < n && i < 4; i++) p[i * step] = (int8_t)(uint8_t)(uint32_t)a.lane[i];
}

static inline thr_q32 thr_q32_load_apart(const int8_t *p, int32_t step) {
  return (thr_q32){{p[0], p[step], p[2 * step], p[3 * step]}};
}

static inline thr_q32 thr_q32_add_mul(thr_q32 acc, thr_q32 a, int32_t n) {
  for (int i = 0; i < 4; i++) acc.lane[i] = thr_wrap_add(acc.lane[i], thr_wrap_mul(a.lane[i], n));
  return acc;
}
#endif

#endif
