/* The order in which a window's values stand in a column: for each line of the kernel as many as fill quads, then what
 * is left of all lines, side by side. So three values a pixel (9 a line) take 7 quads, not 9. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef THR_DSP_WINDOWS_H
#define THR_DSP_WINDOWS_H

#include "columns.h"

/* Values of a line, of the quads it fills, and of the rest. */
static inline int32_t thr_dsp_line(const thr_conv2d_params *p) {
  return (int32_t)p->kernel_x * p->in_c;
}

static inline int32_t thr_dsp_rest(const thr_conv2d_params *p) {
  return thr_dsp_line(p) & 3;
}

static inline int32_t thr_dsp_rest_quads(const thr_conv2d_params *p) {
  return thr_dsp_quads(p->kernel_y * thr_dsp_rest(p));
}

static inline int32_t thr_dsp_window_quads(const thr_conv2d_params *p) {
  return p->kernel_y * (thr_dsp_line(p) >> 2) + thr_dsp_rest_quads(p);
}

/* Scratch: the columns, then words of bytes: the rests of both windows, a line of in_zero for lines outside the image,
 * and a line for each window that is composed where it hangs over the side. */
static inline int32_t thr_dsp_line_words(const thr_conv2d_params *p) {
  return thr_dsp_quads(thr_dsp_line(p));
}

static inline int32_t thr_dsp_window_words(const thr_conv2d_params *p) {
  return 4 * thr_dsp_window_quads(p) + 2 * thr_dsp_rest_quads(p) + 3 * thr_dsp_line_words(p);
}

#endif
