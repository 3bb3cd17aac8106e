/* Sum of two tensors, int8, for cores with DSP instructions: kernel/ref/add_s8.c, bit for bit.
 *
 * TFLite's multiplier of the operand with the coarser scale is exactly 1/2, and half of (a - a_zero) * 2^20 needs no
 * rounding: one addition with a shifted operand. The other operand is scaled by one SMMLAR, the sum by another:
 *
 *   b'  = SMMLAR((b - b_zero) 2^(20 + 1), m1, round) >> n1          round to nearest, halves away from zero
 *   out = SMMLAR(2 b' + (a - a_zero) 2^20, m2, round) >> n2         the same, with out_zero in the rounding constant
 *
 * Other multipliers, and broadcasting, take the reference's way. SPDX-License-Identifier: Apache-2.0 */
#include "../ref/elementwise.h"
#include "clamp.h"
#include "requantize.h"

typedef struct sum {
  int32_t unit, b_offset;      /* (b - b_zero) 2^21 = b * unit + b_offset */
  int32_t b_scale[2], b_right; /* mult, round */
  int32_t a_offset;
  int32_t out_scale[2], out_right;
} sum;

static int is_half(const thr_elementwise_params *p, int i) {
  return p->mult[i] == 1 << 30 && p->shift[i] == 0;
}

/* `i`: operand b, whose multiplier need not be 1/2. If it is 1/2, too, it is written as 2^30 with one bit more before
 * and one bit less after: the short form wants to shift right. */
static int sum_of(sum *s, const thr_elementwise_params *p, int i) {
  const int half = is_half(p, i), right = half ? 1 : -p->shift[i];
  const int32_t a_zero = i == 1 ? p->a_zero : p->b_zero, b_zero = i == 1 ? p->b_zero : p->a_zero;
  const thr_short b = thr_short_of(p->mult[i], -right, 0), out = thr_short_of(p->mult[2], p->shift[2], p->out_zero);
  s->unit = 1 << (half ? 22 : 21);
  s->b_offset = -b_zero * s->unit;
  s->b_scale[0] = b.mult;
  s->b_scale[1] = b.round;
  s->b_right = right;
  s->a_offset = -(a_zero * (1 << 20));
  s->out_scale[0] = out.mult;
  s->out_scale[1] = out.round;
  s->out_right = out.right;
  return p->left_shift == 20 && is_half(p, 1 - i) && p->shift[2] < 0 && thr_is_flat(p, p->stride_a) &&
         thr_is_flat(p, p->stride_b) && thr_short_fits(255u << (half ? 21 : 20), p->mult[i], -right, 0, 0) &&
         thr_short_fits(255u << 20, p->mult[2], p->shift[2], 0, 0);
}

static void add(const sum *s, const int8_t *a, const int8_t *b, int8_t *out, int32_t n) {
  const int32_t unit = s->unit, b_offset = s->b_offset, a_offset = s->a_offset;
  int32_t mult, round;
  for (const int8_t *end = a + n; a != end;) {
    const int32_t x2 = *b++ * unit + b_offset;
    THR_FETCH2(mult, round, s, b_scale);
    const int32_t scaled = thr_short_scale(x2, mult, round, s->b_right);
    const int32_t y2 = (int32_t)((uint32_t)a_offset + ((uint32_t)scaled << 1) + ((uint32_t)*a++ << 20));
    THR_FETCH2(mult, round, s, out_scale);
    *out++ = (int8_t)thr_ssat8(thr_short_scale(y2, mult, round, s->out_right));
  }
}

void thr_add_s8_dsp(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  const int32_t n = p->dim[0] * p->dim[1] * p->dim[2] * p->dim[3];
  sum s;
  if (sum_of(&s, p, 1)) {
    add(&s, a, b, out, n);
  } else if (sum_of(&s, p, 0)) {
    add(&s, b, a, out, n);
  } else {
    thr_elementwise(p, a, b, out, 1, thr_add_of);
    return;
  }
  thr_clamp_map(out, (uint32_t)n, p->lo, p->hi);
}
