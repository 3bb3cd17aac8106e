/* Sums of products of bytes, in loops whose registers were chosen by hand: sums of VMLADAVA lie in even registers only,
 * and compilers spill around that. Eight sums leave no register for the counter of a low-overhead loop, which is LR.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_MVE_DOT_H
#define THR_MVE_DOT_H

#include "mve.h"

#if defined(__ARM_FEATURE_MVE)

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
  thr_q32 a = thr_q32_load(*w);
  *w += 16;
  for (int32_t i = 0; i < n; i += 16, *w += 64)
    for (int32_t r = 0; r < 4; r++) a.lane[r] = thr_dot(a.lane[r], c + i, *w + 16 * r, n - i < 16 ? n - i : 16, 0);
  return a;
}

static inline void thr_mve_dot_2x4(const int8_t *c0, const int8_t *c1, const int8_t **w, int32_t blocks, thr_q32 *s0,
                                   thr_q32 *s1) {
  const int8_t *again = *w;
  *s0 = thr_mve_dot_1x4(c0, &again, 16 * blocks);
  *s1 = thr_mve_dot_1x4(c1, w, 16 * blocks);
}
#endif

#endif
