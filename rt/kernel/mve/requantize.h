/* Requantization: thr_scale() of four lanes, without its shift to the left.
 *
 * VQRDMULH is thr_high_mul(). VRSHL rounds halves upwards where thr_rshift() rounds them away from zero: one less does
 * that for a negative number. After a relu no negative number matters, for it ends at the clamp's lower end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_MVE_REQUANTIZE_H
#define THR_MVE_REQUANTIZE_H

#include "mve.h"

/* right: 0 or negative */
static inline thr_q32 thr_q32_scale(thr_q32 acc, thr_q32 mult, thr_q32 right, int relu) {
  const thr_q32 x = thr_q32_high_mul(acc, mult);
  return thr_q32_rshl(relu ? x : thr_q32_add(x, thr_q32_both_negative(x, right)), right);
}

/* The same with numbers. */
static inline thr_q32 thr_q32_scale_n(thr_q32 acc, int32_t mult, int32_t right, int relu) {
  const thr_q32 x = thr_q32_high_mul_n(acc, mult);
  if (right == 0) return x;
  return thr_q32_rshl_n(relu ? x : thr_q32_add(x, thr_q32_sign(x)), right);
}

/* With a shift to either side. */
static inline thr_q32 thr_q32_scale_any(thr_q32 acc, int32_t mult, int32_t shift, int relu) {
  if (shift > 0) return thr_q32_high_mul_n(thr_q32_shl(acc, thr_q32_all(shift)), mult);
  return thr_q32_scale_n(acc, mult, shift, relu);
}

typedef struct thr_mve_range { /* of the output */
  thr_q32 zero, lo, hi;
  int relu; /* the lower end is at the zero point or above */
} thr_mve_range;

static inline thr_mve_range thr_mve_range_of(int32_t out_zero, int32_t lo, int32_t hi) {
  const thr_mve_range r = {thr_q32_all(out_zero), thr_q32_all(lo), thr_q32_all(hi), lo >= out_zero};
  return r;
}

static inline thr_q32 thr_q32_finish(thr_q32 x, const thr_mve_range *r) {
  return thr_q32_min(thr_q32_max(thr_q32_add(x, r->zero), r->lo), r->hi);
}

#endif
