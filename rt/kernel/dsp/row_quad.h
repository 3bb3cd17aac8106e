/* Four rows of weights times windows of an image, for kernels that have the weights in storage order and come by them a
 * row at a time: 16 products in 13 instructions, from int8 values as they lie in the image.
 *
 * The rows are widened to int16 first, once per image, and doubled on the way (times 2^left, requantize.h), so that a
 * sum is ready for SMMLAR. Four elements of all are eight words: (0, 2) of each row, then (1, 3). A line of the kernel
 * begins with a quad of its own, filled up with zeros; what the image has there does not count, but it is read.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_ROW_QUAD_H
#define THR_DSP_ROW_QUAD_H

#include <stddef.h>

#include "requantize.h"

enum { THR_ROW_QUAD = 8 }; /* words of four elements */

typedef struct thr_row_scale {
  int32_t mult, round, right;
  int32_t place; /* of the row's result in an output pixel */
} thr_row_scale;

typedef struct thr_row_quad { /* the assembly knows the order */
  const uint32_t *w;
  int32_t begin[4]; /* of the sums */
  int32_t line_bytes;
  const uint32_t *w_end;
  int32_t skip; /* in the image from the end of a line's quads to the next line */
  thr_row_scale scale[4];
  const int8_t *x; /* first window */
  int8_t *out;     /* first pixel */
  int32_t step, out_step;
  int32_t windows; /* at least 1 */
  uint32_t entry;  /* of a line in the unrolled loop: thr_row_quad_entry() */
} thr_row_quad;

/* Where the first pass over the four unrolled quads begins: bytes of code. */
static inline uint32_t thr_row_quad_entry(int32_t line_quads) {
  return (-(uint32_t)line_quads & 3u) * 52u;
}

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define THR_ROW_HALF(widen)     \
  "sxtb16 lr, r2" widen         \
  "\n"                          \
  "ldmia.w r1!, {r3-r5, r12}\n" \
  "smlad r8, r3, lr, r8\n"      \
  "smlad r9, r4, lr, r9\n"      \
  "smlad r10, r5, lr, r10\n"    \
  "smlad r11, r12, lr, r11\n"
#define THR_ROW_ALL "ldr r2, [r0], #4\n" THR_ROW_HALF("") THR_ROW_HALF(", ror #8")
#define THR_ROW_FINISH(acc)    \
  "ldmia.w r2!, {r3-r5, r7}\n" \
  "add r4, r4, " acc           \
  ", asr #31\n"                \
  "smmlar " acc ", " acc       \
  ", r3, r4\n"                 \
  "asr " acc ", " acc          \
  ", r5\n"                     \
  "ssat " acc ", #8, " acc     \
  "\n"                         \
  "strb " acc ", [r1, r7]\n"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* the assembly reads it */
__attribute__((naked, noinline)) static void thr_row_quad_run(thr_row_quad *p) {
  __asm__(
      "push {r3-r11, lr}\n"
      "mov r6, r0\n"
      "ldr r1, [r6, #116]\n"
      "adr.w r2, 3f\n"
      "add r1, r1, r2\n"
      "orr r1, r1, #1\n"
      "str r1, [sp]\n"
      "1:\n"
      "ldr r0, [r6, #96]\n"
      "ldmia.w r6, {r1, r8-r11}\n"
      "ldr r7, [r6, #20]\n"
      "add r7, r7, r1\n"
      "2:\n"
      "ldr pc, [sp]\n"
      ".p2align 2\n"
      "3:\n" THR_ROW_ALL THR_ROW_ALL THR_ROW_ALL THR_ROW_ALL
      "cmp r1, r7\n"
      "bne 3b\n"
      "ldrd r2, r3, [r6, #24]\n"
      "cmp r1, r2\n"
      "beq 4f\n"
      "add r0, r0, r3\n"
      "ldr r3, [r6, #20]\n"
      "add r7, r7, r3\n"
      "b 2b\n"
      "4:\n"
      "add r2, r6, #32\n"
      "ldr r1, [r6, #100]\n" THR_ROW_FINISH("r8") THR_ROW_FINISH("r9") THR_ROW_FINISH("r10") THR_ROW_FINISH("r11")
      "add r7, r6, #96\n"
      "ldmia.w r7, {r0-r4}\n"
      "add r0, r0, r2\n"
      "add r1, r1, r3\n"
      "subs r4, r4, #1\n"
      "stmia.w r7, {r0-r4}\n"
      "bne 1b\n"
      "pop {r3-r11, pc}\n");
}
#pragma GCC diagnostic pop

#else

static inline void thr_row_quad_sums(const thr_row_quad *p, int32_t acc[4]) {
  const int8_t *x = p->x;
  int32_t left = p->line_bytes;
  memcpy(acc, p->begin, sizeof p->begin);
  for (const uint32_t *w = p->w; w < p->w_end; w += THR_ROW_QUAD) {
    const uint32_t four = thr_load4(x);
    for (int32_t i = 0; i < 4; i++)
      acc[i] = thr_smlad(w[4 + i], thr_sxtb16_ror8(four), thr_smlad(w[i], thr_sxtb16(four), acc[i]));
    left -= 4 * THR_ROW_QUAD;
    x += left > 0 ? 4 : 4 + p->skip;
    if (left == 0) left = p->line_bytes;
  }
}

static inline void thr_row_quad_run(thr_row_quad *p) {
  for (; p->windows > 0; p->windows--, p->x += p->step, p->out += p->out_step) {
    int32_t acc[4];
    thr_row_quad_sums(p, acc);
    for (int32_t i = 0; i < 4; i++) {
      const thr_row_scale *s = &p->scale[i];
      p->out[s->place] = (int8_t)thr_ssat8(thr_short_scale(acc[i], s->mult, s->round, s->right));
    }
  }
}

#endif
#endif
