/* Staging: the input of a window operator as THR_OFFSET + x, with its border, so that no window leaves it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_X86_STAGE_H
#define THR_X86_STAGE_H

#include "simd.h"

THR_INLINE void thr_stage_fill(thr_staged *to, int32_t x, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = (thr_staged)x;
}

/* Rows and columns that the windows of p reach, border included. */
static inline int32_t thr_stage_rows(const thr_conv2d_params *p) {
  return (p->out_y - 1) * p->stride_y + (p->kernel_y - 1) * p->dilation_y + 1;
}
static inline int32_t thr_stage_columns(const thr_conv2d_params *p) {
  return (p->out_x - 1) * p->stride_x + (p->kernel_x - 1) * p->dilation_x + 1;
}

/* Whether the staged image is of a size worth having: with far-reaching windows it may be much larger than the input.
 */
static inline int thr_stage_fits(const thr_conv2d_params *p) {
  const int64_t most = (int64_t)1 << 26;
  const int64_t rows = ((int64_t)p->out_y + 4) * p->stride_y + ((int64_t)p->kernel_y + 4) * p->dilation_y;
  const int64_t columns = ((int64_t)p->out_x + 1) * p->stride_x + (int64_t)p->kernel_x * p->dilation_x;
  return rows <= most && columns <= most / rows && p->in_c <= most / (rows * columns);
}

static inline size_t thr_align(size_t bytes) {
  return (bytes + THR_VARIANT_ALIGN - 1) / THR_VARIANT_ALIGN * THR_VARIANT_ALIGN;
}

#endif
