/* What the kernels of one operator share for all types of elements: how to get and set an element whose size the caller
 * knows when compiling, and the loop of add, sub and mul: four output dimensions, and a stride per dimension for each
 * operand (0 where it is broadcast). SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_ELEMENTWISE_H
#define THR_ELEMENTWISE_H

#include "arith.h"

/* Element `i` of int8 (bytes 1) or int16 (bytes 2). Inlined, so that the type is no question at run time. */
static inline int32_t thr_get(const void *p, size_t i, int bytes) {
  return bytes == 2 ? ((const int16_t *)p)[i] : ((const int8_t *)p)[i];
}

static inline void thr_set(void *p, size_t i, int bytes, int32_t v) {
  if (bytes == 2) {
    ((int16_t *)p)[i] = (int16_t)v;
  } else {
    ((int8_t *)p)[i] = (int8_t)v;
  }
}

/* Whether an operand with these strides has the output's shape: no broadcasting, elements in the same order. */
static inline int thr_is_flat(const thr_elementwise_params *p, const int32_t *stride) {
  int32_t size = 1;
  for (int d = 3; d >= 0; d--) {
    if (p->dim[d] > 1 && stride[d] != size) return 0;
    size *= p->dim[d];
  }
  return 1;
}

typedef int32_t thr_binary_fn(const thr_elementwise_params *p, int32_t a, int32_t b);

/* `out` is written in order, each element after its operands were read. Inlined, so that `f` is a direct call. */
static inline void thr_elementwise(const thr_elementwise_params *p, const void *a, const void *b, void *out, int bytes,
                                   thr_binary_fn *f) {
  size_t to = 0;
  for (int32_t n = 0; n < p->dim[0]; n++) {
    for (int32_t y = 0; y < p->dim[1]; y++) {
      for (int32_t x = 0; x < p->dim[2]; x++) {
        const int32_t at_a = n * p->stride_a[0] + y * p->stride_a[1] + x * p->stride_a[2];
        const int32_t at_b = n * p->stride_b[0] + y * p->stride_b[1] + x * p->stride_b[2];
        for (int32_t c = 0; c < p->dim[3]; c++) {
          const int32_t va = thr_get(a, (size_t)(at_a + c * p->stride_a[3]), bytes) - p->a_zero;
          const int32_t vb = thr_get(b, (size_t)(at_b + c * p->stride_b[3]), bytes) - p->b_zero;
          thr_set(out, to++, bytes, f(p, va, vb));
        }
      }
    }
  }
}

/* clamp(out_zero + x, lo, hi) */
static inline int32_t thr_finish_binary(const thr_elementwise_params *p, int32_t x) {
  return thr_clamp(thr_wrap_add(x, p->out_zero), p->lo, p->hi);
}

/* scale(scale(a * 2^L, m0) + or - scale(b * 2^L, m1), m2) */
static inline int32_t thr_add_of(const thr_elementwise_params *p, int32_t a, int32_t b) {
  const int32_t scaled_a = thr_scale(thr_wrap_shl(a, p->left_shift), p->mult[0], p->shift[0]);
  const int32_t scaled_b = thr_scale(thr_wrap_shl(b, p->left_shift), p->mult[1], p->shift[1]);
  return thr_finish_binary(p, thr_scale(thr_wrap_add(scaled_a, scaled_b), p->mult[2], p->shift[2]));
}

static inline int32_t thr_sub_of(const thr_elementwise_params *p, int32_t a, int32_t b) {
  const int32_t scaled_a = thr_scale(thr_wrap_shl(a, p->left_shift), p->mult[0], p->shift[0]);
  const int32_t scaled_b = thr_scale(thr_wrap_shl(b, p->left_shift), p->mult[1], p->shift[1]);
  return thr_finish_binary(p, thr_scale(thr_wrap_sub(scaled_a, scaled_b), p->mult[2], p->shift[2]));
}

/* (scale(a * 2^L, m0) - scale(b * 2^L, m1))^2, scaled by m2 */
static inline int32_t thr_squared_difference_of(const thr_elementwise_params *p, int32_t a, int32_t b) {
  const int32_t on_a = thr_scale(thr_wrap_shl(a, p->left_shift), p->mult[0], p->shift[0]);
  const int32_t on_b = thr_scale(thr_wrap_shl(b, p->left_shift), p->mult[1], p->shift[1]);
  const int32_t d = thr_wrap_sub(on_a, on_b);
  return thr_finish_binary(p, thr_scale(thr_wrap_mul(d, d), p->mult[2], p->shift[2]));
}

static inline int32_t thr_smaller_of(const thr_elementwise_params *p, int32_t a, int32_t b) {
  return thr_finish_binary(p, a < b ? a : b);
}

static inline int32_t thr_larger_of(const thr_elementwise_params *p, int32_t a, int32_t b) {
  return thr_finish_binary(p, a > b ? a : b);
}

static inline int32_t thr_mul_of(const thr_elementwise_params *p, int32_t a, int32_t b) {
  return thr_finish_binary(p, thr_scale(thr_wrap_mul(a, b), p->mult[2], p->shift[2]));
}

#endif
