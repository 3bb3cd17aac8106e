/* Depthwise convolution with three taps along a line and up to three lines, one channel at a time.
 *
 * A column of three values, of lines 0, 1 and 2, takes part in three sums: as tap 2 of the oldest, which is then done,
 * as tap 1 of the next, as tap 0 of a new one. So each value is loaded once, lines 0 and 1 are packed into one word,
 * and a column costs three SMLAD and three SMLA: 23 instructions per output, loads, requantization and store included.
 * A line may run along y as well as x: the longer one has less overhead.
 *
 * The input's zero is part of the bias, for windows inside; `missing` and the sums that begin before the first column
 * take it out again for columns outside the image. Lines outside have taps of 0 and stand for any line inside.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_DEPTHWISE3_H
#define THR_DSP_DEPTHWISE3_H

#include "requantize.h"

typedef struct thr_taps3 { /* of a channel; all times 2^left of the short requantization */
  uint32_t pair[3];        /* of a column: line 0 (low half), line 1 */
  uint32_t third;          /* line 2 of columns 0 and 1 */
  uint32_t third_right;    /* line 2 of column 2 (high half); the requantization's right shift (low byte) */
  int32_t bias;
  int32_t begin[2];   /* sums that lack columns 0 and 1, and column 0 */
  int32_t missing[2]; /* to add when column 2, or columns 1 and 2, are missing */
  int32_t scale[2];   /* mult, round */
} thr_taps3;

/* What the loop over a line fetches: taps and geometry in one block, so that one register points at all of it. */
typedef struct thr_line3 {
  thr_taps3 taps;
  int32_t apart;      /* from line to line */
  int32_t steps[2];   /* from column to column of the input, and of the output */
  int32_t bytes;      /* of the columns that complete an output */
  int32_t unborn;     /* columns before them */
  int32_t short_1;    /* whether there is an output that lacks column 2 */
  int32_t short_2;    /* and one that lacks columns 1 and 2 */
  const int8_t *stop; /* set by the loop */
} thr_line3;

/* Whether a line's loop can run: the last window must begin inside the image. */
static inline int thr_line3_fits(int32_t in_n, int32_t out_n, int32_t stride, int32_t pad) {
  return (stride == 1 || stride == 2) && pad <= 3 - stride && (out_n - 1) * stride - pad < in_n;
}

/* Fills in the geometry but for `apart`. */
void thr_line3_of(thr_line3 *line, int32_t in_n, int32_t out_n, int32_t stride, int32_t pad);

/* One line of outputs; `in` is the first column of line 0. */
void thr_line3_stride1(thr_line3 *line, const int8_t *in, int8_t *out);
void thr_line3_stride2(thr_line3 *line, const int8_t *in, int8_t *out);

#endif
