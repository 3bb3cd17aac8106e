/* The loop that add, sub and mul share: four output dimensions, and a stride per dimension for each operand (0 where it
 * is broadcast). SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_ELEMENTWISE_H
#define THR_ELEMENTWISE_H

#include "arith.h"

typedef int8_t thr_binary_fn(const thr_elementwise_params *p, int32_t a, int32_t b);

/* `out` is written in order, each element after its operands were read. Inlined, so that `f` is a direct call. */
static inline void thr_elementwise(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out,
                                   thr_binary_fn *f) {
  for (int32_t n = 0; n < p->dim[0]; n++) {
    for (int32_t y = 0; y < p->dim[1]; y++) {
      for (int32_t x = 0; x < p->dim[2]; x++) {
        const int8_t *pa = a + n * p->stride_a[0] + y * p->stride_a[1] + x * p->stride_a[2];
        const int8_t *pb = b + n * p->stride_b[0] + y * p->stride_b[1] + x * p->stride_b[2];
        for (int32_t c = 0; c < p->dim[3]; c++) {
          *out++ = f(p, pa[c * p->stride_a[3]] - p->a_zero, pb[c * p->stride_b[3]] - p->b_zero);
        }
      }
    }
  }
}

#endif
