/* Rows divided by the root of the sum of their squares, int8 -> int8 with scale 1/128 and zero 0 (TFLite
 * L2_NORMALIZATION). v = x - in_zero, (m, s) = 1 / sqrt(sum of v^2):
 *
 *   out = clamp(scale(v, m, s + 7), -128, 127)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fixed_root.h"

static int32_t sum_of_squares(const int8_t *in, int32_t n, int32_t zero) {
  uint32_t sum = 0;
  for (int32_t i = 0; i < n; i++) sum += (uint32_t)((in[i] - zero) * (in[i] - zero));
  return (int32_t)sum;
}

void thr_l2_normalization_s8_ref(const thr_l2_normalization_params *p, const int8_t *in, int8_t *out) {
  for (int32_t row = 0; row < p->rows; row++, in += p->depth, out += p->depth) {
    int shift;
    const int32_t mult = thr_inverse_root(sum_of_squares(in, p->depth, p->in_zero), &shift);
    for (int32_t i = 0; i < p->depth; i++) {
      out[i] = thr_finish(thr_scale(in[i] - p->in_zero, mult, shift + 7), 0, INT8_MIN, INT8_MAX);
    }
  }
}
