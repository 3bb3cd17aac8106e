/* The smaller of two int16 tensors with the same quantization (TFLite MINIMUM). SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

void thr_minimum_s16_ref(const thr_elementwise_params *p, const int16_t *a, const int16_t *b, int16_t *out) {
  thr_elementwise(p, a, b, out, 2, thr_smaller_of);
}
