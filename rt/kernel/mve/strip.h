/* A strip holds what one line of output pixels sees, so that each window is one run of bytes: for each pixel across,
 * the padding ones included, kernel_y stacked pixels of the input. The window of the next output pixel begins stride_x
 * stacks further on. Points outside the image hold in_zero.
 *
 *   input lines   y0:  a0 a1 a2 ...      strip:  a0 b0 c0 | a1 b1 c1 | a2 b2 c2 | ...
 *                 y1:  b0 b1 b2 ...
 *                 y2:  c0 c1 c2 ...      SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_MVE_STRIP_H
#define THR_MVE_STRIP_H

#include "move.h"

static inline int32_t thr_mve_strip_pixels(const thr_conv2d_params *p) {
  return (p->out_x - 1) * p->stride_x + p->kernel_x;
}

/* Blocks of 16 bytes that begin within it may reach 15 bytes behind it. */
static inline size_t thr_mve_strip_bytes(const thr_conv2d_params *p) {
  return (size_t)thr_mve_strip_pixels(p) * (size_t)p->kernel_y * (size_t)p->in_c + 16;
}

typedef struct thr_mve_strip {
  int8_t *bytes;
  thr_mve_places places;
} thr_mve_strip;

/* Once per image, with thr_mve_strip_bytes() of memory. */
void thr_mve_strip_begin(thr_mve_strip *strip, const thr_conv2d_params *p, int8_t *bytes);
/* The strip of output line y. */
void thr_mve_strip_fill(const thr_mve_strip *strip, const thr_conv2d_params *p, const int8_t *in, int32_t y);

#endif
