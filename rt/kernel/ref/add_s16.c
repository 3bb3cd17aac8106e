/* Sum of two tensors, int16 (TFLite ADD): the formula of add_s8.c with L = 15. SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

void thr_add_s16_ref(const thr_elementwise_params *p, const int16_t *a, const int16_t *b, int16_t *out) {
  thr_elementwise(p, a, b, out, 2, thr_add_of);
}
