/* (a - b)^2, int16 (TFLite SQUARED_DIFFERENCE): the formula of squared_difference_s8.c, left_shift is 0.
 * SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"

void thr_squared_difference_s16_ref(const thr_elementwise_params *p, const int16_t *a, const int16_t *b, int16_t *out) {
  thr_elementwise(p, a, b, out, 2, thr_squared_difference_of);
}
