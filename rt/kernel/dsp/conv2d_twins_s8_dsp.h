/* The form conv2d_twins_s8_dsp: a convolution whose table is no larger than raw weights and their channels.
 *
 * What the windows of two output pixels see is widened to 16 bits, in_zero where a window leaves the image, and
 * multiplied with all rows, whose int8 weights lie as twins (twins.h). Table: that of each pair of rows after the
 * other. Scratch: two columns, four elements (0, 2), (1, 3) of the first pixel, then of the second; then room for one
 * window. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_CONV2D_TWINS_S8_DSP_H
#define THR_DSP_CONV2D_TWINS_S8_DSP_H

#include "twins.h"

static inline int32_t thr_twins_row(const thr_conv2d_params *p) {
  return (int32_t)p->kernel_y * p->kernel_x * p->in_c;
}

static inline int32_t thr_twin_words(int32_t quads) {
  return THR_TWIN_HEAD + 2 * quads + THR_TWIN_TAIL;
}

#endif
