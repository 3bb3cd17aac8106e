/* The loop that the pools' row kernels share: for each point of the output line the columns of its window, and what
 * `f` makes of their values on the lines that are there. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_POOL2D_ROW_H
#define THR_POOL2D_ROW_H

#include "arith.h"
#include "thr_rows.h"

typedef struct thr_pool_columns { /* of one channel: `line` points at that channel of column 0 */
  const int8_t *const *line;
  int32_t lines, x, x_end, channels, c;
} thr_pool_columns;

typedef int32_t thr_pool_row_fn(const thr_pool_columns *w);

static inline void thr_pool2d_row(const thr_pool2d_params *p, const int8_t *const *line, int8_t *out,
                                  thr_pool_row_fn *f) {
  thr_pool_columns w = {line, p->kernel_y, 0, 0, p->c, 0};
  for (int32_t x = 0; x < p->out_x; x++) {
    const int32_t x0 = x * p->stride_x - p->pad_x;
    thr_window(x0, p->kernel_x, 1, p->in_x, &w.x, &w.x_end);
    w.x += x0;
    w.x_end += x0;
    for (w.c = 0; w.c < p->c; w.c++) *out++ = (int8_t)thr_clamp(f(&w), p->lo, p->hi);
  }
}

#endif
