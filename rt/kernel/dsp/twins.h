/* Two int8 weights in the 16 bits of one: forms as small as raw weights, nearly as fast as 16-bit ones.
 *
 * A half-word h = 256 a + b holds the weights a and b of two rows. SMLAD of h and of its sign-extended low byte
 * (SXTB16) sums up P = sum of h x and Q = sum of b x; then (P - Q) / 256 is the sum of a x. That is 3 instructions for
 * 4 products, where unpacking a and b takes 4, and with two columns of x it is 10 for 16. Sums may wrap on the way, as
 * long as the sum of a x itself stays below 2^23: rows whose weights' magnitudes add up to less than 2^16 do. The one
 * pair that does not fit 16 bits is a = -128 with b < 0.
 *
 * Table of a pair of rows: head, bias of both, less in_zero times the row's sum; weights, 2 words for each four
 * elements: (0, 2) and (1, 3); tail, multipliers of both and a word of bytes: left, left, right, right (requantize.h).
 * An odd last row has a companion of zeros. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_TWINS_H
#define THR_DSP_TWINS_H

#include "requantize.h"

enum { THR_TWIN_HEAD = 2, THR_TWIN_TAIL = 3 }; /* words around the weights */

static inline int32_t thr_twin_quads(int32_t elems) {
  return (elems + 3) / 4;
}

/* --- on the host: tables of `rows` rows of `elems` weights --- */

typedef struct thr_twin_rows {
  const thr_weights *weights;
  const thr_bias *bias;
  const thr_requant *requant;
  int32_t rows, elems, in_zero, out_zero, lo;
} thr_twin_rows;

/* 0 when the rows do not fit. */
int thr_twins_fit(const thr_twin_rows *r);

/* Where the parts of a pair's table go; all zeros before. */
typedef struct thr_twin_place {
  uint32_t *head, *weights, *tail;
  int32_t quad_words; /* from one quad's weights to the next */
} thr_twin_place;

/* Rows `row` and `row` + 1. */
void thr_twin_pack(const thr_twin_rows *r, int32_t row, const thr_twin_place *to);

/* --- from sums to outputs --- */

typedef struct thr_twin_range { /* the same for all rows of a layer; `full` and `relu` constants where it is made */
  int32_t lo, hi, zero2;        /* zero2: 2 out_zero + 1 */
  int full, relu;               /* as thr_short_fits() has it; full: all of int8, so that saturation clamps */
} thr_twin_range;

typedef struct thr_twin_scale { /* of the tail of a pair */
  int32_t mult[2], round[2], left[2], right[2];
} thr_twin_scale;

static inline thr_twin_scale thr_twin_scale_of(const uint32_t *tail, int32_t zero2) {
  thr_twin_scale s;
  for (int i = 0; i < 2; i++) {
    s.mult[i] = (int32_t)tail[i];
    s.left[i] = (int32_t)(tail[2] >> 8 * i & 255u);
    s.right[i] = (int32_t)(tail[2] >> (16 + 8 * i) & 255u);
    s.round[i] = thr_wrap_shl(zero2, s.right[i]) >> 1; /* zero * 2^right and half of 2^right */
  }
  return s;
}

static inline int8_t thr_twin_finish(int32_t sum, const thr_twin_scale *s, int i, const thr_twin_range r) {
  const int32_t x2 = thr_wrap_shl(sum, s->left[i]);
  const int32_t v = r.relu ? thr_short_scale_relu(x2, s->mult[i], s->round[i], s->right[i])
                           : thr_short_scale(x2, s->mult[i], s->round[i], s->right[i]);
  return (int8_t)(r.full ? thr_ssat8(v) : thr_clamp(v, r.lo, r.hi));
}

/* The sum of the pair's first row. */
static inline int32_t thr_twin_first(int32_t both, int32_t second, uint32_t begin) {
  return thr_wrap_add((int32_t)begin, thr_wrap_sub(both, second) >> 8);
}

/* Body of a naked function (weights, columns, quads, acc) for assembly: `quad` repeated, r0 and r1 where it reads, sums
 * in r8 to r11; a quad takes 2^shift bytes from r1. */
#define THR_TWIN_LOOP(quad, shift) \
  "push {r3-r11, lr}\n"            \
  "add r12, r1, r2, lsl #" #shift  \
  "\n"                             \
  "push {r12}\n"                   \
  "and r2, r2, #3\n"               \
  "add lr, r1, r2, lsl #" #shift   \
  "\n"                             \
  "ldmia r3, {r8-r11}\n"           \
  "cbz r2, 2f\n"                   \
  "1:\n" quad                      \
  "cmp r1, lr\n"                   \
  "bne 1b\n"                       \
  "2:\n"                           \
  "ldr lr, [sp]\n"                 \
  "cmp r1, lr\n"                   \
  "beq 4f\n"                       \
  "3:\n" quad quad quad quad       \
  "cmp r1, lr\n"                   \
  "bne 3b\n"                       \
  "4:\n"                           \
  "ldr r3, [sp, #4]\n"             \
  "stmia r3, {r8-r11}\n"           \
  "add sp, sp, #8\n"               \
  "pop {r4-r11, pc}\n"

/* Calls f(..., range) with constants in the range, so that each kind of clamp has a loop of its own. */
#define THR_TWIN_BY_RANGE(p, f, ...)                                                           \
  do {                                                                                         \
    const int32_t zero2_ = 2 * (p)->out_zero + 1;                                              \
    const int full_ = (p)->lo == INT8_MIN && (p)->hi == INT8_MAX;                              \
    if (full_ && (p)->lo >= (p)->out_zero)                                                     \
      f(__VA_ARGS__, (thr_twin_range){INT8_MIN, INT8_MAX, zero2_, 1, 1});                      \
    else if (full_)                                                                            \
      f(__VA_ARGS__, (thr_twin_range){INT8_MIN, INT8_MAX, zero2_, 1, 0});                      \
    else                                                                                       \
      f(__VA_ARGS__, (thr_twin_range){(p)->lo, (p)->hi, zero2_, 0, (p)->lo >= (p)->out_zero}); \
  } while (0)

#endif
