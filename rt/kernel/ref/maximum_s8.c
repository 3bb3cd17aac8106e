/* The larger of two int8 tensors with the same quantization (TFLite MAXIMUM). SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

void thr_maximum_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, 1, thr_larger_of);
}
