/* Products of matrices, int8 (TFLite BATCH_MATMUL): acc = sum over k of (a - a_zero) * (b - b_zero), wrapping;
 * out = clamp(out_zero + scale(acc, mult, shift), -128, 127). SPDX-License-Identifier: Apache-2.0 */
#include "batch_matmul.h"

static int32_t product(const thr_batch_matmul_params *p, thr_line a, thr_line b) {
  const int8_t *x = (const int8_t *)a.data + a.at, *w = (const int8_t *)b.data + b.at;
  uint32_t sum = 0;
  for (int32_t k = 0; k < p->k; k++, x += a.next, w += b.next) sum += (uint32_t)((*x - p->a_zero) * (*w - p->b_zero));
  return thr_finish(thr_scale((int32_t)sum, p->mult, p->shift), p->out_zero, INT8_MIN, INT8_MAX);
}

void thr_batch_matmul_s8_ref(const thr_batch_matmul_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_batch_matmul(p, a, b, out, 1, product);
}
