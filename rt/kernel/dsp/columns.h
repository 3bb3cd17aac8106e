/* Convolution as products of columns: all that the windows of two output pixels see, widened to 16 bits, times all rows
 * of weights. The forms of convolutions fill the columns, each in its own way; the rest is here.
 *
 * Table: for each two output channels
 *   2 words            what the sums begin with: bias - in_zero * sum of the row, times 2^left (requantize.h)
 *   4 words per quad   weights, times 2^left, as dot_2x2.h takes them; the last quad is filled up with zeros
 *   6 words            mult of both, round of both, right shift of both
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

/* All output channels of the pixels of two columns. */
void thr_dsp_columns(const thr_conv2d_params *p, int32_t quads, const uint32_t *packed, const uint32_t *columns,
                     int8_t *out0, int8_t *out1);

/* --- on the host: the same for rows of `elems` weights --- */
int thr_dsp_columns_need(const thr_conv2d_params *p, int32_t elems, thr_need *need);
void thr_dsp_columns_pack(const thr_conv2d_params *p, int32_t elems, void *packed);

#endif
