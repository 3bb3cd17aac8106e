/* The larger of two int8 tensors with the same quantization (TFLite MAXIMUM). SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

static int32_t larger(const thr_elementwise_params *p, int32_t a, int32_t b) {
  return thr_finish(a > b ? a : b, p->out_zero, p->lo, p->hi);
}

void thr_maximum_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, 1, larger);
}
