/* The inner loop of the convolutions: two columns of input values times two rows of weights.
 *
 * A quad is 4 values of a column. Columns lie quad by quad as 4 words: (0, 2) and (1, 3) of column 0, the same of
 * column 1; weights likewise: of row 0, of row 1. So one load instruction fetches 4 words of each side for 8 dual
 * products: 10 instructions for 16 products. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_DOT_2X2_H
#define THR_DSP_DOT_2X2_H

#include "dsp.h"

/* acc[0], acc[1]: column 0 with rows 0 and 1; acc[2], acc[3]: column 1. quads >= 1. */
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define THR_DOT_QUAD               \
  "ldmia r0!, {r4-r7}\n"           \
  "ldmia r1!, {r2, r3, r12, lr}\n" \
  "smlad r8, r4, r2, r8\n"         \
  "smlad r9, r6, r2, r9\n"         \
  "smlad r10, r4, r12, r10\n"      \
  "smlad r11, r6, r12, r11\n"      \
  "smlad r8, r5, r3, r8\n"         \
  "smlad r9, r7, r3, r9\n"         \
  "smlad r10, r5, lr, r10\n"       \
  "smlad r11, r7, lr, r11\n"

/* The loops end where the columns end: that place is on the stack, as all registers are in use. */
__attribute__((naked, noinline)) static void thr_dot_2x2(const uint32_t *weights, const uint32_t *columns,
                                                         int32_t quads, int32_t *acc) {
  __asm(
      "push {r3-r11, lr}\n"
      "add r12, r1, r2, lsl #4\n"
      "and r2, r2, #3\n"
      "ldmia r3, {r8-r11}\n"
      "add r3, r1, r2, lsl #4\n"
      "push {r3, r12}\n"
      "cbz r2, 2f\n"
      "1:\n" THR_DOT_QUAD
      "ldr r2, [sp]\n"
      "cmp r1, r2\n"
      "bne 1b\n"
      "2:\n"
      "ldr r2, [sp, #4]\n"
      "cmp r1, r2\n"
      "beq 4f\n"
      "3:\n" THR_DOT_QUAD THR_DOT_QUAD THR_DOT_QUAD THR_DOT_QUAD
      "ldr r2, [sp, #4]\n"
      "cmp r1, r2\n"
      "bne 3b\n"
      "4:\n"
      "ldr r3, [sp, #8]\n"
      "stmia r3, {r8-r11}\n"
      "add sp, sp, #12\n"
      "pop {r4-r11, pc}\n");
}

#else

static inline void thr_dot_2x2(const uint32_t *weights, const uint32_t *columns, int32_t quads, int32_t *acc) {
  for (int32_t i = 0; i < quads; i++, weights += 4, columns += 4) {
    for (int32_t k = 0; k < 4; k++) {
      const uint32_t *w = weights + 2 * (k & 1), *x = columns + 2 * (k >> 1);
      acc[k] = thr_smlad(w[1], x[1], thr_smlad(w[0], x[0], acc[k]));
    }
  }
}

#endif
#endif
