/* Softmax over the last dimension, int16 -> int16 with scale 1/32768 and zero 0 (TFLite SOFTMAX).
 *
 *   e   = table of exp at clamp16(scale(x - max, mult, shift) + 32767)      -65535 to 0 stands for -10 to 0
 *   sum = sum of e;  z = leading zeros of sum
 *   r   = table of 1 / (1 + f) at clamp16(((sum * 2^(z - 1) + 2^13) >> 14) - 2^15 - 2^16)
 *   out = clamp((e * r + 2^(30 - z)) >> (31 - z), 0, 32767)
 *
 * The output holds e in between. At most 65536 elements in a row, so that the sum fits. SPDX-License-Identifier:
 * Apache-2.0
 */
#include "fixed_s16.h"

static int32_t clamp16(int32_t v) {
  return thr_clamp(v, INT16_MIN, INT16_MAX);
}

static int32_t row_max(const int16_t *in, int32_t n) {
  int32_t max = INT16_MIN;
  for (int32_t i = 0; i < n; i++) max = in[i] > max ? in[i] : max;
  return max;
}

void thr_softmax_s16_ref(const thr_softmax_params *p, const int16_t *in, int16_t *out) {
  for (int32_t row = 0; row < p->rows; row++, in += p->depth, out += p->depth) {
    const int32_t max = row_max(in, p->depth);
    int32_t sum = 0;
    for (int32_t i = 0; i < p->depth; i++) {
      const int32_t scaled = thr_scale(in[i] - max, p->mult, p->shift);
      out[i] = (int16_t)thr_table_at(thr_softmax_exp_table, clamp16(thr_wrap_add(scaled, INT16_MAX)));
      sum += out[i];
    }
    const int zeros = thr_clz((uint32_t)sum), shift = 31 - zeros;
    const int32_t shifted = (int32_t)((((int64_t)sum << (zeros - 1)) + ((int32_t)1 << 13)) >> 14);
    const int32_t reciprocal = thr_table_at(thr_softmax_reciprocal_table, clamp16(shifted - 32768 - 65536));
    for (int32_t i = 0; i < p->depth; i++) {
      const int32_t y = (int32_t)(((int64_t)out[i] * reciprocal + ((int32_t)1 << (shift - 1))) >> shift);
      out[i] = (int16_t)thr_clamp(y, 0, INT16_MAX);
    }
  }
}
