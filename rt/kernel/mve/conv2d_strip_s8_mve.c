/* Convolution with any kernel, for Armv8.1-M MVE: columns lie in a strip (strip.h), overlapping.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"
#include "strip.h"

void thr_conv2d_strip_s8_mve(const thr_conv2d_params *p, const void *packed, const int8_t *in, int8_t *out,
                             void *scratch) {
  const int32_t stack = p->kernel_y * p->in_c;
  const thr_mve_rows rows = {p->out_c, stack * p->kernel_x, p->out_zero, p->lo, p->hi};
  thr_mve_strip strip;
  thr_mve_strip_begin(&strip, p, scratch);
  for (int32_t y = 0; y < p->out_y; y++, out += p->out_x * p->out_c) {
    thr_mve_strip_fill(&strip, p, in, y);
    thr_mve_rows_times(&rows, packed, strip.bytes, p->stride_x * stack, p->out_x, out);
  }
}
