/* The loop of the int8 softmax, for outputs of 8 and of 16 bits. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_SOFTMAX_H
#define THR_SOFTMAX_H

#include "elementwise.h"
#include "fixed_exp.h"

static inline int32_t thr_softmax_exp(const thr_softmax_params *p, int32_t d) {
  return thr_exp_negative(thr_high_mul(thr_wrap_shl(d, p->shift), p->mult), 5);
}

static inline int32_t thr_softmax_row_max(const int8_t *in, int32_t n) {
  int32_t max = INT8_MIN;
  for (int32_t i = 0; i < n; i++) max = in[i] > max ? in[i] : max;
  return max;
}

static inline void thr_softmax(const thr_softmax_params *p, const int8_t *in, void *out, int bytes) {
  const int32_t lo = bytes == 2 ? INT16_MIN : INT8_MIN, hi = -1 - lo;
  size_t to = 0;
  for (int32_t row = 0; row < p->rows; row++, in += p->depth) {
    const int32_t max = thr_softmax_row_max(in, p->depth);
    uint32_t sum = 0;
    for (int32_t i = 0; i < p->depth; i++) {
      if (in[i] - max >= p->diff_min) sum += (uint32_t)thr_rshift(thr_softmax_exp(p, in[i] - max), 12);
    }
    const int zeros = thr_clz(sum), shift = 43 - 8 * bytes - zeros;
    const int32_t fraction = (int32_t)((zeros < 32 ? sum << zeros : 0u) - 0x80000000u);
    const int32_t reciprocal = thr_one_over_one_plus(fraction);
    for (int32_t i = 0; i < p->depth; i++) {
      int32_t y = 0;
      if (in[i] - max >= p->diff_min && shift >= 0 && shift <= 31) {
        /* with larger shifts, 512 equal inputs or more, every 8-bit output rounds to 0 */
        y = thr_rshift(thr_high_mul(reciprocal, thr_softmax_exp(p, in[i] - max)), shift);
      }
      thr_set(out, to++, bytes, thr_clamp(thr_wrap_add(y, lo), lo, hi));
    }
  }
}

#endif
