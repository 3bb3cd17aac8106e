/* The input lines that one line of output pixels sees, each with its padding, in a ring: line y of the image is in
 * place y modulo kernel_y, lines outside hold in_zero. Each is brought in once, and widened to 16 bits: loads of 16
 * bits take their address from any register, loads that widen from the lower eight only. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef THR_MVE_LINES_H
#define THR_MVE_LINES_H

#include "move.h"

enum { THR_MVE_BEHIND = 8 }; /* elements behind each line that may be read */

typedef struct thr_mve_lines {
  int16_t *ring;
  int32_t line_elems, next; /* next: the line of the image that comes next */
} thr_mve_lines;

static inline int32_t thr_mve_line_pixels(const thr_conv2d_params *p) {
  return (p->out_x - 1) * p->stride_x + p->kernel_x;
}

static inline size_t thr_mve_line_elems(const thr_conv2d_params *p) {
  return (size_t)thr_mve_line_pixels(p) * (size_t)p->in_c + THR_MVE_BEHIND;
}

/* `ring`: kernel_y * thr_mve_line_elems() elements. */
void thr_mve_lines_begin(thr_mve_lines *lines, const thr_conv2d_params *p, int16_t *ring);
/* Brings in what the windows of output line y see and gives their lines, from top to bottom. For y = 0, 1, ... */
void thr_mve_lines_fill(thr_mve_lines *lines, const thr_conv2d_params *p, const int8_t *in, int32_t y,
                        const int16_t **line);

#endif
