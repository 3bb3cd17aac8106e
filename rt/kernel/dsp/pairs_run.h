/* The core of the convolutions: two columns of input values times rows of weights, two by two, requantized and stored.
 *
 * A quad is 4 values of a column. Columns lie quad by quad as 4 words: (0, 2) and (1, 3) of column 0, then of column 1;
 * weights likewise: of row 0, of row 1. So two instructions load what 8 dual products need, and a quad takes 10 for 16
 * products. It is assembly as the loop uses all 14 registers, more than compilers hand out; what else it needs lies on
 * the stack. Eight quads are unrolled, and a pass may begin in the middle of them. SPDX-License-Identifier: Apache-2.0
 */
#ifndef THR_DSP_PAIRS_RUN_H
#define THR_DSP_PAIRS_RUN_H

#include <stddef.h>

#include "pairs.h"
#include "requantize.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define THR_QUAD                  \
  "ldmia.w r0!, {r4-r7}\n"        \
  "ldmia.w r1!, {r2,r3,r12,lr}\n" \
  "smlad r8, r4, r2, r8\n"        \
  "smlad r9, r6, r2, r9\n"        \
  "smlad r10, r4, r12, r10\n"     \
  "smlad r11, r6, r12, r11\n"     \
  "smlad r8, r5, r3, r8\n"        \
  "smlad r9, r7, r3, r9\n"        \
  "smlad r10, r5, lr, r10\n"      \
  "smlad r11, r7, lr, r11\n"

#define THR_RELU(acc, mult, round, right)     \
  "smmlar " acc ", " acc ", " mult ", " round \
  "\n"                                        \
  "asr " acc ", " acc ", " right              \
  "\n"                                        \
  "ssat " acc ", #8, " acc "\n"
#define THR_ANY(acc, mult, round, right) \
  "add r12, " round ", " acc             \
  ", asr #31\n"                          \
  "smmlar " acc ", " acc ", " mult       \
  ", r12\n"                              \
  "asr " acc ", " acc ", " right         \
  "\n"                                   \
  "ssat " acc ", #8, " acc "\n"
#define THR_FOUR(ONE) \
  ONE("r8", "r2", "r4", "r6") ONE("r10", "r2", "r4", "r6")    \
  ONE("r9", "r3", "r5", "r7") ONE("r11", "r3", "r5", "r7")    \
  "bfi r8, r9, #8, #8\n"                                      \
  "bfi r10, r11, #8, #8\n"
#define THR_CLAMP                \
  "ldrd r2, r3, [sp, #28]\n"     \
  "pkhbt r8, r8, r10, lsl #16\n" \
  "ssub8 r12, r8, r2\n"          \
  "sel r8, r8, r2\n"             \
  "ssub8 r12, r8, r3\n"          \
  "sel r8, r3, r8\n"             \
  "lsr r10, r8, #16\n"
#define THR_STORE            \
  "ldrd r2, r3, [sp, #16]\n" \
  "strh r8, [r2], #2\n"      \
  "strh r10, [r3], #2\n"     \
  "strd r2, r3, [sp, #16]\n" \
  "ldr r12, [sp, #24]\n"     \
  "cmp r2, r12\n"            \
  "bne 2b\n"                 \
  "b 8f\n"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* the assembly reads them */
__attribute__((naked, noinline)) static void thr_pairs_run(const thr_pairs *p) {
  __asm__(
      "push {r4-r11, lr}\n"
      "sub sp, sp, #36\n"
      "ldmia r0, {r1-r10}\n"
      "adr.w r11, 3f\n"
      "add r4, r4, r11\n"
      "adr.w r11, 9f\n"
      "ldr r5, [r11, r5]\n"
      "add r5, r5, r11\n"
      "mov r0, r1\n"
      "stmia sp, {r2-r10}\n"
      "2:\n"
      "ldmia.w r0!, {r8-r11}\n"
      "ldr r1, [sp]\n"
      "ldr pc, [sp, #8]\n"
      ".p2align 2\n"
      "3:\n" THR_QUAD THR_QUAD THR_QUAD THR_QUAD THR_QUAD THR_QUAD THR_QUAD THR_QUAD
      "ldr r2, [sp, #4]\n"
      "cmp r1, r2\n"
      "bne 3b\n"
      "ldmia.w r0!, {r2-r7}\n"
      "ldr pc, [sp, #12]\n"
      "4:\n" THR_FOUR(THR_RELU) THR_STORE "5:\n" THR_FOUR(THR_ANY) THR_STORE "6:\n" THR_FOUR(THR_RELU)
          THR_CLAMP THR_STORE "7:\n" THR_FOUR(THR_ANY) THR_CLAMP THR_STORE
      "8:\n"
      "add sp, sp, #36\n"
      "pop {r4-r11, pc}\n"
      ".p2align 2\n"
      "9:\n"
      ".word 4b - 9b + 1, 5b - 9b + 1, 6b - 9b + 1, 7b - 9b + 1\n");
}
#pragma GCC diagnostic pop

#else

static inline int8_t thr_pairs_finish(const thr_pairs *p, int32_t acc, const int32_t *tail) {
  const int relu = p->kind == 4 * THR_PAIRS_RELU || p->kind == 4 * THR_PAIRS_RELU_CLAMP;
  const int32_t v =
      relu ? thr_short_scale_relu(acc, tail[0], tail[2], tail[4]) : thr_short_scale(acc, tail[0], tail[2], tail[4]);
  const int clamp = p->kind >= 4 * THR_PAIRS_RELU_CLAMP;
  return (int8_t)(clamp ? thr_clamp(thr_ssat8(v), (int8_t)(uint8_t)p->lo, (int8_t)(uint8_t)p->hi) : thr_ssat8(v));
}

static inline void thr_pairs_run(const thr_pairs *p) {
  const uint32_t *w = p->packed;
  for (ptrdiff_t row = 0; row < p->end - p->out0; row += 2, w += THR_PAIRS_TAIL) {
    int32_t acc[4];
    memcpy(acc, w, sizeof acc);
    w += THR_PAIRS_HEAD;
    for (const uint32_t *column = p->columns; column < p->columns_end; column += 4, w += 4) {
      for (int32_t k = 0; k < 4; k++) { /* column k / 2, row k % 2 */
        const uint32_t *x = column + 2 * (k >> 1), *u = w + 2 * (k & 1);
        acc[k] = thr_smlad(u[1], x[1], thr_smlad(u[0], x[0], acc[k]));
      }
    }
    const int32_t *tail = (const int32_t *)w;
    p->out0[row] = thr_pairs_finish(p, acc[0], tail);
    p->out0[row + 1] = thr_pairs_finish(p, acc[1], tail + 1);
    p->out1[row] = thr_pairs_finish(p, acc[2], tail);
    p->out1[row + 1] = thr_pairs_finish(p, acc[3], tail + 1);
  }
}

#endif
#endif
