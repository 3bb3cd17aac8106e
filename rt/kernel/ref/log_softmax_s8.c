/* Logarithm of the softmax over the last dimension, int8 -> int8 with scale 16/256 and zero 127 (TFLite LOG_SOFTMAX).
 *
 *   d = x - max of the row;  e = high_mul(d * 2^shift, mult)   Q5.26
 *   log_sum = log(sum of rshift(exp(e), 12) over d >= diff_min)
 *   out = clamp(rshift(e - log_sum, 22) + 127, -128, 127), and -128 where d is so low that e - log_sum would not fit
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fixed_log.h"

static int32_t scaled(const thr_log_softmax_params *p, int32_t d) {
  return thr_high_mul(thr_wrap_shl(d, p->shift), p->mult);
}

static int32_t log_of_sum(const thr_log_softmax_params *p, const int8_t *in, int32_t max) {
  uint32_t sum = 0;
  for (int32_t i = 0; i < p->depth; i++) {
    const int32_t d = in[i] - max;
    if (d >= p->diff_min) sum += (uint32_t)thr_rshift(thr_exp_negative(scaled(p, d), 5), 12);
  }
  return thr_log((int32_t)sum);
}

void thr_log_softmax_s8_ref(const thr_log_softmax_params *p, const int8_t *in, int8_t *out) {
  for (int32_t row = 0; row < p->rows; row++, in += p->depth, out += p->depth) {
    int32_t max = INT8_MIN;
    for (int32_t i = 0; i < p->depth; i++) max = in[i] > max ? in[i] : max;
    const int32_t log_sum = log_of_sum(p, in, max);
    const int32_t least = thr_scale(thr_wrap_add(log_sum, INT32_MIN), p->back_mult, p->back_shift);
    const int32_t lowest = least > p->diff_min - 1 ? least : p->diff_min - 1;
    for (int32_t i = 0; i < p->depth; i++) {
      const int32_t d = in[i] - max;
      const int32_t y = d > lowest ? thr_rshift(thr_wrap_sub(scaled(p, d), log_sum), 22) : -255;
      out[i] = thr_finish(y, 127, INT8_MIN, INT8_MAX);
    }
  }
}
