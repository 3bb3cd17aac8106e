/* Convolution as products of columns: all that the windows of two output pixels see, widened to 16 bits, times all rows
 * of weights (pairs.h). The forms of convolutions fill the columns, each in its own way; the rest is here.
 *
 * Table: for each two output channels a and b
 *   4 words            what the sums begin with, a b a b: bias - in_zero * sum of the row, times 2^left (requantize.h)
 *   4 words per quad   weights, times 2^left; the last quad is filled up with zeros
 *   6 words            mult of a and b, round of both, right shift of both
 * An odd last channel has a companion of zeros. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_COLUMNS_H
#define THR_DSP_COLUMNS_H

#include "dsp.h"
#include "thr_form.h"

static inline int32_t thr_dsp_quads(int32_t elems) {
  return (elems + 3) / 4;
}

/* Whether the clamp's lower end is at the zero point or above, as after a relu: requantization is shorter then. */
static inline int thr_dsp_is_relu(const thr_conv2d_params *p) {
  return p->lo >= p->out_zero;
}

/* 4 values of each column from their bytes. */
static inline void thr_dsp_widen(uint32_t a, uint32_t b, uint32_t *column) {
  column[0] = thr_sxtb16(a);
  column[1] = thr_sxtb16_ror8(a);
  column[2] = thr_sxtb16(b);
  column[3] = thr_sxtb16_ror8(b);
}

/* All output channels of the pixels of two columns. */
void thr_dsp_columns(const thr_conv2d_params *p, int32_t quads, const uint32_t *packed, const uint32_t *columns,
                     int8_t *out0, int8_t *out1);

/* --- on the host, for columns of `quads` quads; order gives the element of a row that the i-th of a column meets, -1
 * for none --- */
typedef int32_t thr_dsp_order_fn(const thr_conv2d_params *p, int32_t i);
int thr_dsp_columns_need(const thr_conv2d_params *p, int32_t quads, thr_need *need);
void thr_dsp_columns_pack(const thr_conv2d_params *p, int32_t quads, thr_dsp_order_fn *order, void *packed);

#endif
