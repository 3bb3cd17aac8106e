/* Sums of products of bytes, in loops whose registers were chosen by hand: sums of VMLADAVA lie in even registers only,
 * and compilers spill around that. Eight sums leave no register for the counter of a low-overhead loop, which is LR.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_MVE_DOT_H
#define THR_MVE_DOT_H

#include "mve.h"

#if THR_MVE_LOOPS

/* Four rows, blocks of 16 taps side by side behind four sums to begin with, times two columns. *w moves behind them. */
static inline void thr_mve_dot_2x4(const int8_t *c0, const int8_t *c1, const int8_t **w, int32_t blocks, thr_q32 *s0,
                                   thr_q32 *s1) {
  const int8_t *at = *w;
  thr_q32 a, b;
  __asm volatile(
      "ldrd r0, r2, [%[w]]\n"
      "ldrd r8, r10, [%[w]], #8\n"
      "ldrd r4, r6, [%[w]]\n"
      "ldrd r12, lr, [%[w]], #8\n"
      "1:\n"
      "vldrb.8 q0, [%[c0]], #16\n"
      "vldrb.8 q1, [%[c1]], #16\n"
      "vldrb.8 q2, [%[w]], #16\n"
      "vmladava.s8 r0, q0, q2\n"
      "vmladava.s8 r8, q1, q2\n"
      "vldrb.8 q2, [%[w]], #16\n"
      "vmladava.s8 r2, q0, q2\n"
      "vmladava.s8 r10, q1, q2\n"
      "vldrb.8 q2, [%[w]], #16\n"
      "vmladava.s8 r4, q0, q2\n"
      "vmladava.s8 r12, q1, q2\n"
      "vldrb.8 q2, [%[w]], #16\n"
      "vmladava.s8 r6, q0, q2\n"
      "vmladava.s8 lr, q1, q2\n"
      "subs %[n], %[n], #1\n"
      "bne 1b\n"
      "vmov %q[a][2], %q[a][0], r0, r4\n"
      "vmov %q[a][3], %q[a][1], r2, r6\n"
      "vmov %q[b][2], %q[b][0], r8, r12\n"
      "vmov %q[b][3], %q[b][1], r10, lr\n"
      : [c0] "+r"(c0), [c1] "+r"(c1), [w] "+r"(at), [n] "+r"(blocks), [a] "=&w"(a), [b] "=&w"(b)
      :
      : "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2", "cc", "memory");
  *w = at;
  *s0 = a;
  *s1 = b;
}

/* The same with one column of n taps; nothing behind them is read. */
static inline thr_q32 thr_mve_dot_1x4(const int8_t *c, const int8_t **w, int32_t n) {
  const int8_t *at = *w;
  thr_q32 a;
  __asm volatile(
      "ldrd r0, r2, [%[w]], #8\n"
      "ldrd r4, r6, [%[w]], #8\n"
      "dlstp.8 lr, %[n]\n"
      "1:\n"
      "vldrb.8 q0, [%[c]], #16\n"
      "vldrb.8 q1, [%[w]], #16\n"
      "vmladava.s8 r0, q0, q1\n"
      "vldrb.8 q1, [%[w]], #16\n"
      "vmladava.s8 r2, q0, q1\n"
      "vldrb.8 q1, [%[w]], #16\n"
      "vmladava.s8 r4, q0, q1\n"
      "vldrb.8 q1, [%[w]], #16\n"
      "vmladava.s8 r6, q0, q1\n"
      "letp lr, 1b\n"
      "vmov %q[a][2], %q[a][0], r0, r4\n"
      "vmov %q[a][3], %q[a][1], r2, r6\n"
      : [c] "+r"(c), [w] "+r"(at), [a] "=&w"(a)
      : [n] "r"(n)
      : "r0", "r2", "r4", "r6", "lr", "q0", "q1", "cc", "memory");
  *w = at;
  return a;
}
#else
static inline thr_q32 thr_mve_dot_1x4(const int8_t *c, const int8_t **w, int32_t n) {
  int32_t sum[4];
  memcpy(sum, *w, sizeof sum);
  *w += 16;
  for (int32_t i = 0; i < n; i += 16, *w += 64)
    for (int32_t r = 0; r < 4; r++) sum[r] = thr_dot(sum[r], c + i, *w + 16 * r, n - i < 16 ? n - i : 16, 0);
  return thr_q32_load(sum);
}

static inline void thr_mve_dot_2x4(const int8_t *c0, const int8_t *c1, const int8_t **w, int32_t blocks, thr_q32 *s0,
                                   thr_q32 *s1) {
  const int8_t *again = *w;
  *s0 = thr_mve_dot_1x4(c0, &again, 16 * blocks);
  *s1 = thr_mve_dot_1x4(c1, w, 16 * blocks);
}
#endif

/* --- the same where weights lie in storage order --- */

/* Sum of n int8, n > 0. */
#if THR_MVE_LOOPS
static inline int32_t thr_mve_sum(const int8_t *w, int32_t n) {
  register int32_t sum __asm("r0") = 0;
  __asm volatile(
      "dlstp.8 lr, %[n]\n"
      "1:\n"
      "vldrb.8 q0, [%[w]], #16\n"
      "vaddva.s8 %[sum], q0\n"
      "letp lr, 1b\n"
      : [w] "+r"(w), [sum] "+r"(sum)
      : [n] "r"(n)
      : "lr", "q0", "memory");
  return sum;
}
#else
static inline int32_t thr_mve_sum(const int8_t *w, int32_t n) {
  int32_t sum = 0;
  for (; n > 0; n--) sum += *w++;
  return sum;
}
#endif

/* s[i] += the products of n bytes of `one` and of four[i] + at. */
#if THR_MVE_LOOPS
static inline void thr_mve_dot_run(const int8_t *one, const int8_t *const *four, int32_t at, int32_t n, int32_t *s) {
  const int8_t *x0 = four[0] + at, *x1 = four[1] + at, *x2 = four[2] + at, *x3 = four[3] + at;
  int32_t s0 = s[0], s1 = s[1], s2 = s[2], s3 = s[3];
  __asm volatile(
      "dlstp.8 lr, %[n]\n"
      "1:\n"
      "vldrb.8 q0, [%[one]], #16\n"
      "vldrb.8 q1, [%[x0]], #16\n"
      "vmladava.s8 %[s0], q0, q1\n"
      "vldrb.8 q1, [%[x1]], #16\n"
      "vmladava.s8 %[s1], q0, q1\n"
      "vldrb.8 q1, [%[x2]], #16\n"
      "vmladava.s8 %[s2], q0, q1\n"
      "vldrb.8 q1, [%[x3]], #16\n"
      "vmladava.s8 %[s3], q0, q1\n"
      "letp lr, 1b\n"
      : [one] "+r"(one), [x0] "+r"(x0), [x1] "+r"(x1), [x2] "+r"(x2), [x3] "+r"(x3), [s0] "+Te"(s0), [s1] "+Te"(s1),
        [s2] "+Te"(s2), [s3] "+Te"(s3)
      : [n] "r"(n)
      : "lr", "q0", "q1", "memory");
  s[0] = s0;
  s[1] = s1;
  s[2] = s2;
  s[3] = s3;
}
#else
static inline void thr_mve_dot_run(const int8_t *one, const int8_t *const *four, int32_t at, int32_t n, int32_t *s) {
  for (int32_t i = 0; i < 4; i++) s[i] = thr_dot(s[i], four[i] + at, one, n, 0);
}
#endif

typedef struct thr_mve_runs { /* runs of n bytes, so far apart in `one` and in each of `four` */
  int32_t runs, n, one_pitch, four_pitch;
} thr_mve_runs;

/* sum + the products of `one` with each of `four`. */
static inline thr_q32 thr_mve_dot_runs(const int8_t *one, const int8_t *const *four, const thr_mve_runs *r,
                                       int32_t sum) {
  int32_t s[4] = {sum, sum, sum, sum};
  for (int32_t i = 0; i < r->runs; i++) thr_mve_dot_run(one + i * r->one_pitch, four, i * r->four_pitch, r->n, s);
  return thr_q32_load(s);
}

/* thr_dot16() */
#if THR_MVE_LOOPS
static inline int64_t thr_mve_dot16(int64_t acc, const int16_t *x, const int8_t *w, int32_t n) {
  register uint32_t low __asm("r2") = (uint32_t)(uint64_t)acc;
  register uint32_t high __asm("r3") = (uint32_t)((uint64_t)acc >> 32);
  if (n <= 0) return acc;
  __asm volatile(
      "dlstp.16 lr, %[n]\n"
      "1:\n"
      "vldrb.s16 q0, [%[w]], #8\n"
      "vldrh.u16 q1, [%[x]], #16\n"
      "vmlaldava.s16 %[low], %[high], q0, q1\n"
      "letp lr, 1b\n"
      : [x] "+r"(x), [w] "+l"(w), [low] "+r"(low), [high] "+r"(high)
      : [n] "r"(n)
      : "lr", "q0", "q1", "memory");
  return (int64_t)((uint64_t)high << 32 | low);
}
#else
static inline int64_t thr_mve_dot16(int64_t acc, const int16_t *x, const int8_t *w, int32_t n) {
  return thr_dot16(acc, x, w, n);
}
#endif

#endif
