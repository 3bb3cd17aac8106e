/* What the core of the convolutions works on (pairs_run.h, columns.h). SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_PAIRS_H
#define THR_DSP_PAIRS_H

#include "dsp.h"

/* How sums become outputs: requantization as after a relu or not (requantize.h); then saturated, or clamped. */
enum { THR_PAIRS_RELU, THR_PAIRS_ANY, THR_PAIRS_RELU_CLAMP, THR_PAIRS_ANY_CLAMP };

enum { THR_PAIRS_HEAD = 4, THR_PAIRS_TAIL = 6 }; /* words around the weights of two rows: columns.h */

typedef struct thr_pairs { /* the members from `columns` on are also the assembly's stack */
  const uint32_t *packed, *columns, *columns_end;
  uint32_t entry;            /* of the unrolled loop, for the first pass: thr_pairs_entry() */
  uint32_t kind;             /* times 4 */
  int8_t *out0, *out1, *end; /* of column 0, of column 1; end of column 0's, an even number behind its begin */
  uint32_t lo, hi;           /* 4 times in a word */
} thr_pairs;

/* Where a first pass over a part of the eight quads begins: bytes of code, and the bit that says Thumb. */
static inline uint32_t thr_pairs_entry(int32_t quads) {
  return (-(uint32_t)quads & 7u) * 40u + 1u;
}

#endif
