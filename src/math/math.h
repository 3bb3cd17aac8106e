/* Float32 kernels: what the operators' forward and backward and the optimizers spend their time in.
 *
 * One struct of function pointers per instruction set; th_math_get() gives the best that this processor runs. All are
 * compiled from the same sources (math.cmake) with vectors of 4, 8 or 16 floats. Every result element is computed by
 * one chain of operations whose order depends on the shapes alone, so AVX2 and AVX-512 (both fuse multiply and add)
 * give the same bits; the portable build rounds products separately on processors without fused multiply-add.
 * Kernels never allocate, keep no state and are serial: threads are the caller's business.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_MATH_MATH_H
#define TH_MATH_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* C (m x n) = or += sum over segments s, j < k of A(i, s, j) * B(s * k + j, col), then + bias, then clamped.
 *   A(i, s, j) = a[segment[s] + i * a_row + j * a_col]      segment NULL: one segment at 0
 *   B(r, col)  = b[r * b_row + col], or packed by pack() when b_row is TH_MATH_PACKED
 *   C(i, col)  = c[i * c_row + col]
 * `repeat` such products with the same B are done at once, a moved by a_repeat and c by c_repeat each time (the rows
 * of an image). Where n is not a multiple of 8 and B is not packed, `tail` must hold 8 * k * segments floats. */
#define TH_MATH_PACKED 0
typedef struct th_gemm {
  int m, n, k, segments, repeat; /* k at least 1 */
  const float *a;
  ptrdiff_t a_row, a_col, a_repeat;
  const ptrdiff_t *segment;
  const float *b;
  ptrdiff_t b_row;
  float *c;
  ptrdiff_t c_row, c_repeat;
  bool accumulate;   /* start from C instead of from bias or zero */
  const float *bias; /* n, or NULL */
  bool clamp;        /* to [lo, hi] at the end */
  float lo, hi;
  float *tail;
} th_gemm;

/* Depthwise convolution of one image without padding (the caller pads), stride and dilation free, one output channel
 * per input channel, channels a multiple of 16: x (y, x, c), w (ky, kx, c), out (oy, ox, c). */
typedef struct th_depthwise {
  int in_x, out_y, out_x, channels;
  int kernel_y, kernel_x, stride_y, stride_x, dilation_y, dilation_x;
} th_depthwise;

/* A relu after affine(), on the way back: dy counts where scale * x + shift > 0. NULL in its place: everywhere. */
typedef struct th_gate {
  const float *scale, *shift;
} th_gate;

/* Pooling of one image; padding takes no part. */
typedef struct th_pool {
  int in_y, in_x, out_y, out_x, channels;
  int kernel_y, kernel_x, stride_y, stride_x, top, left;
} th_pool;

typedef enum th_unary {
  TH_UNARY_RELU,
  TH_UNARY_RELU6,
  TH_UNARY_RELU_N1_1,
  TH_UNARY_LEAKY_RELU, /* alpha */
  TH_UNARY_HARD_SWISH,
  TH_UNARY_SIGMOID,
  TH_UNARY_TANH,
  TH_UNARY_EXP,
  TH_UNARY_COUNT
} th_unary;

typedef enum th_binary { TH_BINARY_ADD, TH_BINARY_SUB, TH_BINARY_MUL } th_binary;

typedef struct th_math {
  const char *isa; /* "portable", "avx2", "avx512" */

  void (*gemm)(const th_gemm *g);
  /* B (k x n), element (r, col) at b[r * row + col * column], into the layout that gemm reads; pack_elems floats. */
  void (*pack)(const float *b, ptrdiff_t row, ptrdiff_t column, int k, int n, float *packed);

  void (*depthwise)(const th_depthwise *d, const float *x, const float *w, const float *bias, float *out);
  /* The usual case, 3 x 3 with dilation 1 and strides 1 or 2, on an image (in_y, in_x, c) that is not padded: `top`
   * and `left` rows and columns of zeros are thought around it, and as many below and to the right as out_y and out_x
   * need. */
  void (*depthwise_3x3)(const th_depthwise *d, int in_y, int top, int left, const float *x, const float *w,
                        const float *bias, float *out);
  /* dw (ky, kx, c) += sum over the image of dy * x */
  void (*depthwise_weights)(const th_depthwise *d, const float *x, const float *dy, float *dw);
  void (*depthwise_weights_3x3)(const th_depthwise *d, int in_y, int top, int left, const float *x, const float *dy,
                                float *dw);
  /* dx (padded image) += dy spread by w */
  void (*depthwise_input)(const th_depthwise *d, const float *dy, const float *w, float *dx);

  void (*max_pool)(const th_pool *p, const float *x, float *y);
  void (*avg_pool)(const th_pool *p, const float *x, float *y);
  /* dx += ; the first of equal maxima, in row order, gets the gradient */
  void (*max_pool_grad)(const th_pool *p, const float *x, const float *dy, float *dx);
  void (*avg_pool_grad)(const th_pool *p, const float *dy, float *dx);

  /* y may be x. grad: dx = or += dy * f'; RELU, RELU6, RELU_N1_1, LEAKY_RELU, SIGMOID, TANH, EXP look at `y`, the value
   * of f; HARD_SWISH at x. Leaky relu's alpha must not be negative. dx may be dy. */
  void (*unary)(th_unary f, float alpha, const float *x, float *y, int64_t n);
  void (*unary_grad)(th_unary f, float alpha, const float *x_or_y, const float *dy, float *dx, int64_t n,
                     bool accumulate);

  void (*binary)(th_binary f, const float *a, const float *b, float *y, int64_t n);
  void (*add)(float *y, const float *x, int64_t n);                          /* y += x */
  void (*scale)(float *y, float a, const float *x, int64_t n);               /* y = a x */
  void (*axpy)(float *y, float a, const float *x, int64_t n);                /* y += a x */
  void (*multiply_add)(float *y, const float *a, const float *b, int64_t n); /* y += a b */
  void (*softmax)(float beta, const float *x, float *y, int64_t rows, int n);
  void (*softmax_grad)(float beta, const float *y, const float *dy, float *dx, int64_t rows, int n, bool accumulate);

  /* Rows of `c` channels. */
  /* clamp(zero + round(x / scale), -128, 127), halves away from zero; NaN gives -128; zero in [-128, 127] */
  void (*quantize_s8)(const float *x, int64_t n, float scale, int32_t zero, int8_t *q);
  void (*column_sums)(const float *x, int64_t rows, int c, float *sum); /* += */
  /* sum of (x - shift) and of its square, per channel (=) */
  void (*moments)(const float *x, int64_t rows, int c, const float *shift, float *sum, float *sum2);
  /* sum of dy and of dy * (x - shift), per channel (=) */
  void (*moments_grad)(const float *x, const float *dy, int64_t rows, int c, const float *shift, const th_gate *gate,
                       float *sum, float *sum_x);
  /* y = scale * x + shift, negative values to 0 if `relu` */
  void (*affine)(const float *x, int64_t rows, int c, const float *scale, const float *shift, float *y, bool relu);
  /* dx = or += a * dy + b * x + d, per channel */
  void (*affine_grad)(const float *x, const float *dy, int64_t rows, int c, const float *a, const float *b,
                      const float *d, const th_gate *gate, float *dx, bool accumulate);

  /* y (c x r) = or += transpose of x (r x c); rows x_row and y_row floats apart */
  void (*transpose)(const float *x, ptrdiff_t x_row, int r, int c, float *y, ptrdiff_t y_row, bool accumulate);
} th_math;

const th_math *th_math_get(void);
/* The builds that this processor can run, best last; for tests. NULL beyond the end. */
const th_math *th_math_nth(int i);

static inline size_t th_math_pack_elems(int k, int n) {
  return (size_t)k * (((size_t)n + 7) / 8 * 8);
}

#endif
