/* Sums of products of int16 values and int8 weights in 64 bits. Weights in storage order come four to a word; SXTB16
 * makes two pairs of them, (0, 2) and (1, 3), and the values are paired alike: nine instructions for four products.
 * Values that are no neighbours are taken one by one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_DOT16_H
#define THR_DSP_DOT16_H

#include "../ref/arith.h"
#include "dsp.h"

/* Four products. */
static inline int64_t thr_dot16_four(int64_t acc, const int16_t *x, const int8_t *w) {
  const uint32_t four = thr_load4(w), first = thr_load4(x), second = thr_load4(x + 2);
  acc = thr_smlald(thr_pkhbt(first, second), thr_sxtb16(four), acc);
  return thr_smlald(thr_pkhtb(second, first), thr_sxtb16_ror8(four), acc);
}

/* thr_dot16 of arith.h. */
static inline int64_t thr_dot16_dsp(int64_t acc, const int16_t *x, const int8_t *w, int32_t n) {
  for (; n >= 8; n -= 8, w += 8, x += 8) acc = thr_dot16_four(thr_dot16_four(acc, x, w), x + 4, w + 4);
  for (; n > 0; n--) acc = thr_smlalbb((uint32_t)*x++, (uint32_t)*w++, acc);
  return acc;
}

/* The same for values that are `step` apart: a window's line, mostly of a few taps. */
static inline int64_t thr_taps16_dsp(int64_t acc, const int16_t *x, size_t step, const int8_t *w, int32_t n) {
  for (; n > 0; n--, x += step) acc = thr_smlalbb((uint32_t)*x, (uint32_t)*w++, acc);
  return acc;
}

#endif
