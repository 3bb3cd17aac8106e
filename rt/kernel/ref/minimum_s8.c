/* The smaller of two int8 tensors with the same quantization (TFLite MINIMUM). SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

void thr_minimum_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  thr_elementwise(p, a, b, out, 1, thr_smaller_of);
}
