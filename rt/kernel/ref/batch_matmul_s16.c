/* Products of matrices, int16 (TFLite BATCH_MATMUL). Zero points are 0: acc = sum over k of a * b with 64 bits;
 * out = clamp(scale64(acc, mult, shift), -32768, 32767). SPDX-License-Identifier: Apache-2.0 */
#include "batch_matmul.h"

static int32_t product(const thr_batch_matmul_params *p, thr_line a, thr_line b) {
  const int16_t *x = (const int16_t *)a.data + a.at, *w = (const int16_t *)b.data + b.at;
  int64_t sum = 0;
  for (int32_t k = 0; k < p->k; k++, x += a.next, w += b.next) sum += *x * *w;
  return thr_finish16(thr_scale64(sum, p->mult, p->shift), p->out_zero, INT16_MIN, INT16_MAX);
}

void thr_batch_matmul_s16_ref(const thr_batch_matmul_params *p, const int16_t *a, const int16_t *b, int16_t *out) {
  thr_batch_matmul(p, a, b, out, 2, product);
}
