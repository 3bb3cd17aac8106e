/* Requantization of a vector of accumulators: RS(HM(x * 2^left, mult), right) + zero, exactly as arith.h has it.
 *
 * For |x| * 2^left < 2^30 one 64-bit product per lane does it. With half = 2^(right - 1), or 0 when right is 0:
 *
 *   HM(x, m) = floor((2 x m + 2^31) / 2^32): the high half of (x + 2^30) * 2m + 2^31 - 2^30 * 2m, where both factors
 * are unsigned, so that 2m fits 32 bits; the constant of the channel takes half + zero * 2^right along, times 2^32
 *   RS(h, n) = (h + half - (h < 0 ? 1 : 0)) >> n: halves move away from zero
 *
 * The 2^30 is part of the bias. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_X86_SCALE_H
#define THR_X86_SCALE_H

#include "simd.h"

/* Of THR_LANES channels. */
typedef struct thr_scales {
  int32_t bias[THR_LANES];
  uint32_t even_mult[THR_LANES], odd_mult[THR_LANES]; /* 2 mult; of odd channels one lane down */
  int64_t even_add[THR_LANES / 2], odd_add[THR_LANES / 2];
  int32_t below[THR_LANES], right[THR_LANES], left[THR_LANES];
} thr_scales;

typedef struct thr_scale_lane {
  uint32_t mult;
  int64_t add;
  int32_t offset, below, right, left;
} thr_scale_lane;

/* For inputs of magnitude `bound` at most. Returns 0 when the formula above could wrap. */
static inline int thr_scale_of(int32_t mult, int32_t shift, int64_t bound, int32_t zero, thr_scale_lane *s) {
  int32_t left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
  if (mult < 0 || left > 30 || right > 31 || bound < 0 || bound >= ((int64_t)1 << 30) >> left) return 0;
  if (right > 0 && bound < (int64_t)1 << (right - 1)) mult = 0, right = 0; /* rounds to 0 */
  if (right > 22) return 0;
  const int64_t half = right > 0 ? (int64_t)1 << (right - 1) : 0, raised = half + (int64_t)zero * ((int64_t)1 << right);
  s->mult = 2u * (uint32_t)mult;
  s->add = ((int64_t)1 << 31) - ((int64_t)1 << 30) * (int64_t)s->mult + raised * ((int64_t)1 << 32);
  s->offset = (int32_t)(1 << 30) >> left;
  s->below = right > 0 ? (int32_t)raised : INT32_MIN;
  s->right = right;
  s->left = left;
  return 1;
}

static inline void thr_scales_set(thr_scales *s, int32_t lane, int32_t bias, const thr_scale_lane *one) {
  s->bias[lane] = thr_wrap_add(bias, one->offset);
  if (lane % 2 == 0) s->even_mult[lane] = one->mult, s->even_add[lane / 2] = one->add;
  if (lane % 2 == 1) s->odd_mult[lane - 1] = one->mult, s->odd_add[lane / 2] = one->add;
  s->below[lane] = one->below;
  s->right[lane] = one->right;
  s->left[lane] = one->left;
}

/* The tables in registers. */
typedef struct thr_scaler {
  thr_vec even_mult, odd_mult, even_add, odd_add, below, right;
} thr_scaler;

THR_INLINE thr_scaler thr_scaler_load(const thr_scales *s) {
  const thr_scaler r = {thr_v_load(s->even_mult), thr_v_load(s->odd_mult), thr_v_load(s->even_add),
                        thr_v_load(s->odd_add),   thr_v_load(s->below),    thr_v_load(s->right)};
  return r;
}

/* One scale for all lanes. */
THR_INLINE thr_scaler thr_scaler_one(const thr_scale_lane *s) {
  const thr_vec mult = thr_v_set64((int64_t)s->mult), add = thr_v_set64(s->add);
  const thr_scaler r = {mult, mult, add, add, thr_v_set(s->below), thr_v_set(s->right)};
  return r;
}

/* `acc` has the offset added, and is shifted left where that is due. */
THR_INLINE thr_vec thr_rescale(thr_vec acc, const thr_scaler *s) {
  return thr_v_round(thr_v_high(acc, s->even_mult, s->odd_mult, s->even_add, s->odd_add), s->below, s->right);
}

/* A channel that always gives `value`. */
static inline void thr_scale_constant(int32_t value, thr_scale_lane *s) {
  const thr_scale_lane constant = {.add = (int64_t)thr_clamp(value, INT16_MIN, INT16_MAX) * ((int64_t)1 << 32),
                                   .below = INT32_MIN};
  *s = constant;
}

/* The scale of channel c whose accumulator is its bias + sum of w[i] * (x[i] - in_zero), i < n. A channel without
 * weights, as dead ones are, may have a bias of any size. */
static inline int thr_scale_channel(const thr_requant *r, const thr_bias *bias, int32_t c, const int8_t *w, int32_t n,
                                    int32_t in_zero, int32_t out_zero, thr_scale_lane *s) {
  if (r->decode) return 0; /* channels in order only: left to the reference kernel */
  const int32_t e = r->index ? r->index[c] : r->per_channel ? c : 0, b = thr_bias_at(bias, c);
  int64_t weights = 0;
  for (int32_t i = 0; i < n; i++) weights += w[i] < 0 ? -w[i] : w[i];
  if (weights == 0) {
    thr_scale_constant(thr_wrap_add(thr_scale(b, r->mult[e], r->shift[e]), out_zero), s);
    return 1;
  }
  const int64_t farthest = in_zero < 0 ? 127 - in_zero : in_zero + 128, bound = b < 0 ? -(int64_t)b : b;
  return thr_scale_of(r->mult[e], r->shift[e], bound + farthest * weights, out_zero, s);
}

/* Bias of a channel for staged inputs: those exceed x by THR_OFFSET, and the zero point is still to be subtracted. */
static inline int32_t thr_staged_bias(const thr_bias *bias, int32_t c, const int8_t *w, int32_t n, int32_t in_zero) {
  int64_t sum = 0;
  for (int32_t i = 0; i < n; i++) sum += w[i];
  return (int32_t)(uint32_t)(uint64_t)(thr_bias_at(bias, c) - sum * (in_zero + THR_OFFSET));
}

#endif
