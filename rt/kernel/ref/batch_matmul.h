/* What the products of matrices share for all types of elements: three leading dimensions with strides, and both
 * matrices as they are or transposed. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_BATCH_MATMUL_H
#define THR_BATCH_MATMUL_H

#include "elementwise.h"

/* A row of the first or a column of the second matrix: k elements, `next` apart. */
typedef struct thr_line {
  const void *data;
  size_t at, next;
} thr_line;

/* An element of the output, clamped. */
typedef int32_t thr_product_fn(const thr_batch_matmul_params *p, thr_line a, thr_line b);

static inline size_t thr_matrix(const thr_batch_matmul_params *p, thr_line a, thr_line b, void *out, size_t to,
                                int bytes, thr_product_fn *f) {
  const size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k, first_a = a.at, first_b = b.at;
  const size_t a_row = p->adj_a ? 1 : k, b_column = p->adj_b ? k : 1;
  a.next = p->adj_a ? m : 1;
  b.next = p->adj_b ? 1 : n;
  for (size_t y = 0; y < m; y++) {
    for (size_t x = 0; x < n; x++) {
      a.at = first_a + y * a_row;
      b.at = first_b + x * b_column;
      thr_set(out, to++, bytes, f(p, a, b));
    }
  }
  return to;
}

static inline void thr_batch_matmul(const thr_batch_matmul_params *p, const void *a, const void *b, void *out,
                                    int bytes, thr_product_fn *f) {
  size_t to = 0;
  for (int32_t i = 0; i < p->dim[0]; i++) {
    for (int32_t j = 0; j < p->dim[1]; j++) {
      for (int32_t k = 0; k < p->dim[2]; k++) {
        const int32_t at_a = i * p->a_step[0] + j * p->a_step[1] + k * p->a_step[2];
        const int32_t at_b = i * p->b_step[0] + j * p->b_step[1] + k * p->b_step[2];
        to = thr_matrix(p, (thr_line){a, (size_t)at_a, 0}, (thr_line){b, (size_t)at_b, 0}, out, to, bytes, f);
      }
    }
  }
}

#endif
