/* Rows of weights times columns: what convolutions and fully connected layers are made of. A column is all that one
 * window sees, as one run of bytes, in the order (kx, ky, ic); the forms bring the input into that order, each in its
 * own way.
 *
 * Table: for each four output channels
 *   4 words                what the sums begin with: bias - in_zero * sum of the row
 *   64 bytes per block     16 weights of each of the four rows; the last block is filled up with zeros
 *   4 words, 4 words       mult, right shift (0 or negative)
 * Companions of the last channels are zeros. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_MVE_ROWS_H
#define THR_MVE_ROWS_H

#include "mve.h"
#include "thr_form.h"

typedef struct thr_mve_rows {
  int32_t channels, taps, out_zero, lo, hi;
} thr_mve_rows;

static inline int32_t thr_mve_blocks(int32_t taps) {
  return (taps + 15) / 16;
}

/* All channels of `count` columns, each `step` bytes behind the last. Blocks of 16 bytes are read whole, behind a
 * column too, but for a single last one. */
void thr_mve_rows_times(const thr_mve_rows *r, const void *packed, const int8_t *column, int32_t step, int32_t count,
                        int8_t *out);
/* The same of one column, of which nothing but its taps is read. */
void thr_mve_rows_once(const thr_mve_rows *r, const void *packed, const int8_t *column, int8_t *out);

/* --- on the host --- */

typedef struct thr_mve_source { /* the rows as a kernel has them: raw, in the order (ky, kx, ic) */
  int32_t channels, kernel_y, kernel_x, depth, in_zero, w_zero;
  const thr_weights *weights;
  const thr_bias *bias;
  const thr_requant *requant;
} thr_mve_source;

/* Bytes of the table; 0 when it cannot be: for coded weights or channels, or where a shift goes to the left. */
size_t thr_mve_rows_bytes(const thr_mve_source *s);
void thr_mve_rows_pack(const thr_mve_source *s, void *packed);

/* Whether nothing of what a table is made of is coded, and all shifts go to the right. */
int thr_mve_can_pack(const thr_weights *weights, const thr_requant *requant, int32_t channels);

#endif
