/* Softmax over the last dimension, int8 -> int8 with scale 1/256 and zero -128 (TFLite SOFTMAX).
 *
 *   d = x - max of the row;  d < diff_min gives -128 and does not count; else
 *   e   = exp(high_mul(d * 2^shift, mult))            argument Q5.26, result Q0.31
 *   sum = sum of rshift(e, 12)                        Q12.19
 *   z   = leading zeros of sum;  r = 1 / (1 + f) with 1 + f = sum * 2^z / 2^31
 *   out = clamp(rshift(high_mul(r, e), 35 - z) - 128, -128, 127)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fixed_exp.h"

static int32_t exp_of(const thr_softmax_params *p, int32_t d) {
  return thr_exp_negative(thr_high_mul(thr_wrap_shl(d, p->shift), p->mult), 5);
}

static int32_t row_max(const int8_t *in, int32_t n) {
  int32_t max = INT8_MIN;
  for (int32_t i = 0; i < n; i++) max = in[i] > max ? in[i] : max;
  return max;
}

void thr_softmax_s8_ref(const thr_softmax_params *p, const int8_t *in, int8_t *out) {
  for (int32_t row = 0; row < p->rows; row++, in += p->depth, out += p->depth) {
    const int32_t max = row_max(in, p->depth);
    uint32_t sum = 0;
    for (int32_t i = 0; i < p->depth; i++) {
      if (in[i] - max >= p->diff_min) sum += (uint32_t)thr_rshift(exp_of(p, in[i] - max), 12);
    }
    const int zeros = thr_clz(sum);
    const int32_t fraction = (int32_t)((zeros < 32 ? sum << zeros : 0u) - 0x80000000u);
    const int32_t reciprocal = thr_one_over_one_plus(fraction);
    for (int32_t i = 0; i < p->depth; i++) {
      int32_t y = 0;
      if (in[i] - max >= p->diff_min && zeros >= 4) {
        /* with fewer zeros, 512 equal inputs or more, every output rounds to 0 */
        y = thr_rshift(thr_high_mul(reciprocal, exp_of(p, in[i] - max)), 35 - zeros);
      }
      out[i] = thr_finish(y, -128, INT8_MIN, INT8_MAX);
    }
  }
}
