/* Products of matrices, int8 (TFLite BATCH_MATMUL): acc = sum over k of (a - a_zero) * (b - b_zero), wrapping;
 * out = clamp(out_zero + scale(acc, mult, shift), -128, 127). SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static int32_t product(const thr_batch_matmul_params *p, const int8_t *a, size_t a_next, const int8_t *b,
                       size_t b_next) {
  uint32_t sum = 0;
  for (int32_t k = 0; k < p->k; k++, a += a_next, b += b_next) sum += (uint32_t)((*a - p->a_zero) * (*b - p->b_zero));
  return (int32_t)sum;
}

static int8_t *matrix(const thr_batch_matmul_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  const size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k;
  const size_t a_row = p->adj_a ? 1 : k, a_next = p->adj_a ? m : 1;
  const size_t b_column = p->adj_b ? k : 1, b_next = p->adj_b ? 1 : n;
  for (size_t y = 0; y < m; y++) {
    for (size_t x = 0; x < n; x++) {
      const int32_t acc = product(p, a + y * a_row, a_next, b + x * b_column, b_next);
      *out++ = thr_finish(thr_scale(acc, p->mult, p->shift), p->out_zero, INT8_MIN, INT8_MAX);
    }
  }
  return out;
}

void thr_batch_matmul_s8_ref(const thr_batch_matmul_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  for (int32_t i = 0; i < p->dim[0]; i++) {
    for (int32_t j = 0; j < p->dim[1]; j++) {
      for (int32_t k = 0; k < p->dim[2]; k++)
        out = matrix(p, a + (ptrdiff_t)i * p->a_step[0] + (ptrdiff_t)j * p->a_step[1] + (ptrdiff_t)k * p->a_step[2],
                     b + (ptrdiff_t)i * p->b_step[0] + (ptrdiff_t)j * p->b_step[1] + (ptrdiff_t)k * p->b_step[2], out);
    }
  }
}
