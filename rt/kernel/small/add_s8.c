/* Sum of two tensors, int8, without a long multiplication: ref/add_s8.c with products in parts.
 *
 * An operand has nine bits, v, and is shifted by 20: high_mul(v * 2^20, m) = floor((v * m + 2^10) / 2^11), which is
 * v * (m >> 11) + ((v * (m & 2047) + 2^10) >> 11). The sum of both stays below 2^29 and takes four products of 16 bits.
 * Other shifts are left to ref's arithmetic. SPDX-License-Identifier: Apache-2.0 */
#include "../ref/elementwise.h"

typedef struct rounding { /* of a division by 2^n, halves away from zero */
  int32_t half, sign;
  int n;
} rounding;

typedef struct operand {
  int32_t zero, upper, lower;
  rounding r;
} operand;

static rounding rounding_of(int shift) {
  const rounding r = {shift ? (int32_t)1 << (-shift - 1) : 0, shift ? -1 : 0, -shift};
  return r;
}

static operand operand_of(int32_t zero, int32_t mult, int shift) {
  const operand o = {zero, mult >> 11, mult & 2047, rounding_of(shift)};
  return o;
}

static inline int32_t divide(const rounding *r, int32_t x) {
  return (x + r->half + ((x >> 31) & r->sign)) >> r->n;
}

static inline int32_t scale_operand(const operand *o, int32_t q) {
  const int32_t v = q - o->zero;
  return divide(&o->r, v * o->upper + ((v * o->lower + 1024) >> 11));
}

/* thr_high_mul(x, mult) for |x| <= 2^29 and mult >= 0. */
static inline int32_t high_mul_29(int32_t x, int32_t mult) {
  const int32_t low = (int16_t)(uint16_t)(uint32_t)x, high = (x - low) >> 16;
  const int32_t m_low = mult & 0xFFFF, m_high = mult >> 16;
  const int32_t middle = high * m_low + low * m_high + ((low * m_low) >> 16);
  return 2 * high * m_high + ((middle + (1 << 14)) >> 15);
}

static int fits(const thr_elementwise_params *p) {
  for (int i = 0; i < 3; i++)
    if (p->mult[i] < 0 || p->shift[i] > 0 || p->shift[i] < -30) return 0;
  return p->left_shift == 20 && p->a_zero >= -128 && p->a_zero <= 127 && p->b_zero >= -128 && p->b_zero <= 127;
}

void thr_add_s8_small(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
  if (!fits(p)) {
    thr_elementwise(p, a, b, out, 1, thr_add_of);
    return;
  }
  const operand of_a = operand_of(p->a_zero, p->mult[0], p->shift[0]);
  const operand of_b = operand_of(p->b_zero, p->mult[1], p->shift[1]);
  const rounding last = rounding_of(p->shift[2]);
  for (int32_t n = 0; n < p->dim[0]; n++) {
    for (int32_t y = 0; y < p->dim[1]; y++) {
      for (int32_t x = 0; x < p->dim[2]; x++) {
        const int8_t *at_a = a + (n * p->stride_a[0] + y * p->stride_a[1] + x * p->stride_a[2]);
        const int8_t *at_b = b + (n * p->stride_b[0] + y * p->stride_b[1] + x * p->stride_b[2]);
        for (int32_t c = p->dim[3]; c > 0; c--, at_a += p->stride_a[3], at_b += p->stride_b[3]) {
          const int32_t sum = scale_operand(&of_a, *at_a) + scale_operand(&of_b, *at_b);
          *out++ = (int8_t)thr_finish_binary(p, divide(&last, high_mul_29(sum, p->mult[2])));
        }
      }
    }
  }
}
