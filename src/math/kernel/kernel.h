/* What the kernel sources share: the vector type of this build and the names of its functions.
 *
 * Compiled with TH_ISA (the name) and TH_LANES (floats per vector). Vectors are GNU vector extensions, so a*b+c becomes
 * a fused multiply-add where the processor has one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_MATH_KERNEL_KERNEL_H
#define TH_MATH_KERNEL_KERNEL_H

#include <string.h>

#include "math/math.h"

#define TH_PASTE2(a, b, c) a##b##_##c
#define TH_PASTE(a, b, c) TH_PASTE2(a, b, c)
#define TH_KERNEL(name) TH_PASTE(th_, TH_ISA, name) /* th_avx2_gemm */

typedef float vec __attribute__((vector_size(4 * TH_LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * TH_LANES))); /* what comparing two vec gives: 0 or -1 */
typedef float vec8 __attribute__((vector_size(32)));

#define TH_INLINE static inline __attribute__((always_inline))

TH_INLINE vec vec_load(const float *p) {
  vec v;
  memcpy(&v, p, sizeof v);
  return v;
}
TH_INLINE void vec_store(float *p, vec v) {
  memcpy(p, &v, sizeof v);
}

TH_INLINE vec8 vec8_load(const float *p) {
  vec8 v;
  memcpy(&v, p, sizeof v);
  return v;
}

/* Transposes an 8 x 8 block: pairs of rows are interleaved by 1, 2 and 4 elements. y rows from x columns. */
TH_INLINE void transpose8(const float *x, ptrdiff_t x_row, vec8 y[8]) {
  vec8 a[8], b[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) a[i] = vec8_load(x + i * x_row);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      a[i + j] = __builtin_shufflevector(b[i + j], b[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      a[i + j + 2] = __builtin_shufflevector(b[i + j], b[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    y[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    y[i + 4] = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

/* Functions of this build, one line per entry of th_math. */
void TH_KERNEL(gemm)(const th_gemm *g);
void TH_KERNEL(pack)(const float *b, ptrdiff_t row, ptrdiff_t column, int k, int n, float *packed);
void TH_KERNEL(depthwise)(const th_depthwise *d, const float *x, const float *w, const float *bias, float *out);
void TH_KERNEL(depthwise_3x3)(const th_depthwise *d, int in_y, int top, int left, const float *x, const float *w,
                              const float *bias, float *out);
void TH_KERNEL(depthwise_weights)(const th_depthwise *d, const float *x, const float *dy, float *dw);
void TH_KERNEL(depthwise_weights_3x3)(const th_depthwise *d, int in_y, int top, int left, const float *x,
                                      const float *dy, float *dw);
void TH_KERNEL(depthwise_input)(const th_depthwise *d, const float *dy, const float *w, float *dx);
void TH_KERNEL(max_pool)(const th_pool *p, const float *x, float *y);
void TH_KERNEL(avg_pool)(const th_pool *p, const float *x, float *y);
void TH_KERNEL(max_pool_grad)(const th_pool *p, const float *x, const float *dy, float *dx);
void TH_KERNEL(avg_pool_grad)(const th_pool *p, const float *dy, float *dx);
void TH_KERNEL(unary)(th_unary f, float alpha, const float *x, float *y, int64_t n);
void TH_KERNEL(unary_grad)(th_unary f, float alpha, const float *v, const float *dy, float *dx, int64_t n, bool acc);
void TH_KERNEL(binary)(th_binary f, const float *a, const float *b, float *y, int64_t n);
void TH_KERNEL(add)(float *y, const float *x, int64_t n);
void TH_KERNEL(scale)(float *y, float a, const float *x, int64_t n);
void TH_KERNEL(axpy)(float *y, float a, const float *x, int64_t n);
void TH_KERNEL(multiply_add)(float *y, const float *a, const float *b, int64_t n);
void TH_KERNEL(softmax)(float beta, const float *x, float *y, int64_t rows, int n);
void TH_KERNEL(softmax_grad)(float beta, const float *y, const float *dy, float *dx, int64_t rows, int n, bool acc);
void TH_KERNEL(quantize_s8)(const float *x, int64_t n, float scale, int32_t zero, int8_t *q);
void TH_KERNEL(column_sums)(const float *x, int64_t rows, int c, float *sum);
void TH_KERNEL(moments)(const float *x, int64_t rows, int c, const float *shift, float *sum, float *sum2);
void TH_KERNEL(moments_grad)(const float *x, const float *dy, int64_t rows, int c, const float *shift,
                             const th_gate *gate, float *sum, float *sum_x);
void TH_KERNEL(affine)(const float *x, int64_t rows, int c, const float *scale, const float *shift, float *y,
                       bool relu);
void TH_KERNEL(affine_grad)(const float *x, const float *dy, int64_t rows, int c, const float *a, const float *b,
                            const float *d, const th_gate *gate, float *dx, bool acc);
void TH_KERNEL(transpose)(const float *x, ptrdiff_t x_row, int r, int c, float *y, ptrdiff_t y_row, bool acc);

#endif
