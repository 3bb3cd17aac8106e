/* Requantization in three multiplications of 32 bits, for processors without a 32x32 -> 64 one (Cortex-M0+, AVR).
 *
 * With the multiplier cut into parts of 10, 10 and 11 bits, m = m2 * 2^20 + m1 * 2^10 + m0, nested floors are exact:
 *
 *   floor(x * m / 2^20) = floor((floor(x * m0 / 2^10) + x * m1) / 2^10) + x * m2
 *
 * and no term leaves 32 bits while |x| <= THR_NARROW_LIMIT. Both roundings of thr_scale() are then one addition: half a
 * unit of the high product, half a unit of the result, less one unit of the high product where x < 0 (halves go away
 * from zero). Larger sums are cut to the limit first: thr_scale() is monotone, so this changes nothing as long as the
 * limit itself already gives `lo` or `hi`, and the zero point added to the largest results does not wrap: hence a shift
 * of at least 1 to the right. Where any of this is not so, `wide` says to call thr_scale(). SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef THR_NARROW_H
#define THR_NARROW_H

#include "../ref/arith.h"

#define THR_NARROW_LIMIT (((int32_t)1 << 20) - ((int32_t)1 << 12))
#define THR_NARROW_SHIFT_MOST 11 /* so that the rounding terms fit above the limit's product */

typedef struct thr_narrow {
  int32_t m0, m1, m2;
  int32_t round;
  int32_t out_zero, lo, hi, mult;
  uint8_t shift, wide;
  int8_t shift_wide;
} thr_narrow;

/* thr_scale(x, mult, shift), before anything is added, for |x| <= THR_NARROW_LIMIT. */
static inline int32_t thr_narrow_scale(const thr_narrow *s, int32_t x) {
  const int32_t low = (x * s->m0) >> 10;
  const int32_t middle = (low + x * s->m1) >> 10;
  return (middle + x * s->m2 + s->round + ((x >> 31) & -((int32_t)1 << 11))) >> s->shift;
}

static inline void thr_narrow_begin(thr_narrow *s, int32_t mult, int shift, int32_t out_zero, int32_t lo, int32_t hi) {
  s->out_zero = out_zero, s->lo = lo, s->hi = hi;
  s->mult = mult, s->shift_wide = (int8_t)shift;
  s->wide = 1;
  if (mult < 0 || shift >= 0 || shift < -THR_NARROW_SHIFT_MOST) return;
  s->m0 = mult & 1023;
  s->m1 = (mult >> 10) & 1023;
  s->m2 = mult >> 20;
  s->shift = (uint8_t)(11 - shift);
  s->round = ((int32_t)1 << 10) + ((int32_t)1 << (10 - shift));
  s->wide =
      thr_narrow_scale(s, THR_NARROW_LIMIT) + out_zero < hi || thr_narrow_scale(s, -THR_NARROW_LIMIT) + out_zero > lo;
}

/* thr_finish(thr_scale(x, mult, shift), out_zero, lo, hi) */
static inline int8_t thr_narrow_finish(const thr_narrow *s, int32_t x) {
  if (s->wide) return thr_finish(thr_scale(x, s->mult, s->shift_wide), s->out_zero, s->lo, s->hi);
  x = thr_clamp(x, -THR_NARROW_LIMIT, THR_NARROW_LIMIT);
  return (int8_t)thr_clamp(thr_narrow_scale(s, x) + s->out_zero, s->lo, s->hi);
}

#endif
