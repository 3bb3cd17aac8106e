/* Elementwise functions and softmax. Plain loops: each element is independent, so the compiler may use any vector
 * length without changing a bit.
 *
 * exp is our own so that its bits do not depend on the C library: x = n ln2 + r, |r| <= ln2 / 2, exp(r) by its Taylor
 * polynomial of degree 7 (error below 2^-25 there), times 2^n by adding n to the exponent.
 * SPDX-License-Identifier: Apache-2.0 */
#include "math/kernel/kernel.h"

TH_INLINE float exp_f32(float x) {
  const float log2e = 1.44269504f, ln2_hi = 0.693359375f, ln2_lo = -2.12194440e-4f; /* their sum is ln 2 */
  x = x > 88.0f ? 88.0f : x;                                                        /* NaN stays NaN */
  x = x < -87.0f ? -87.0f : x; /* exp(-87) = 1.6e-38, about the smallest normal result */
  float t = x * log2e;
  int32_t n = (int32_t)(t + (t < 0 ? -0.5f : 0.5f));
  float f = (float)n, r = x - f * ln2_hi;
  r = r - f * ln2_lo;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  union {
    uint32_t i;
    float f;
  } power = {((uint32_t)n + 127u) << 23};
  return p * power.f;
}

TH_INLINE float sigmoid_f32(float x) {
  return 1.0f / (1.0f + exp_f32(-x));
}

/* Near 0 the quotient cancels; there the odd Taylor polynomial (terms up to x^9, error below 1e-9 for |x| < 0.2). */
TH_INLINE float tanh_f32(float x) {
  float x2 = x * x;
  float p = 62.0f / 2835;
  p = p * x2 - 17.0f / 315;
  p = p * x2 + 2.0f / 15;
  p = p * x2 - 1.0f / 3;
  float small = x + x * (x2 * p);
  float large = 1.0f - 2.0f / (1.0f + exp_f32(2 * x));
  return x2 < 0.04f ? small : large;
}

TH_INLINE float clamp_f32(float x, float lo, float hi) {
  x = x > lo ? x : lo;
  return x < hi ? x : hi;
}

TH_INLINE float value(th_unary f, float alpha, float x) {
  switch (f) {
    case TH_UNARY_RELU:
      return x > 0 ? x : 0;
    case TH_UNARY_RELU6:
      return clamp_f32(x, 0, 6);
    case TH_UNARY_RELU_N1_1:
      return clamp_f32(x, -1, 1);
    case TH_UNARY_LEAKY_RELU:
      return x > 0 ? x : alpha * x;
    case TH_UNARY_HARD_SWISH:
      return x * (clamp_f32(x + 3, 0, 6) * (1.0f / 6));
    case TH_UNARY_SIGMOID:
      return sigmoid_f32(x);
    case TH_UNARY_TANH:
      return tanh_f32(x);
    default:
      return exp_f32(x);
  }
}

/* f' from v: f's value, except hard swish: its argument */
TH_INLINE float slope(th_unary f, float alpha, float v) {
  switch (f) {
    case TH_UNARY_RELU:
      return v > 0 ? 1 : 0;
    case TH_UNARY_RELU6:
      return v > 0 && v < 6 ? 1 : 0;
    case TH_UNARY_RELU_N1_1:
      return v > -1 && v < 1 ? 1 : 0;
    case TH_UNARY_LEAKY_RELU:
      return v > 0 ? 1 : alpha;
    case TH_UNARY_HARD_SWISH:
      return v <= -3 ? 0 : v >= 3 ? 1 : v * (1.0f / 3) + 0.5f;
    case TH_UNARY_SIGMOID:
      return v - v * v;
    case TH_UNARY_TANH:
      return 1 - v * v;
    default:
      return v;
  }
}

void TH_KERNEL(unary)(th_unary f, float alpha, const float *x, float *y, int64_t n) {
#define CASE(F)                                                   \
  case F:                                                         \
    for (int64_t i = 0; i < n; i++) y[i] = value(F, alpha, x[i]); \
    break;
  switch (f) {
    CASE(TH_UNARY_RELU)
    CASE(TH_UNARY_RELU6)
    CASE(TH_UNARY_RELU_N1_1)
    CASE(TH_UNARY_LEAKY_RELU)
    CASE(TH_UNARY_HARD_SWISH)
    CASE(TH_UNARY_SIGMOID)
    CASE(TH_UNARY_TANH)
    CASE(TH_UNARY_EXP)
    case TH_UNARY_COUNT:
      break;
  }
#undef CASE
}

void TH_KERNEL(unary_grad)(th_unary f, float alpha, const float *v, const float *dy, float *dx, int64_t n, bool acc) {
#define CASE(F)                                                               \
  case F:                                                                     \
    if (acc)                                                                  \
      for (int64_t i = 0; i < n; i++) dx[i] += dy[i] * slope(F, alpha, v[i]); \
    else                                                                      \
      for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * slope(F, alpha, v[i]);  \
    break;
  switch (f) {
    CASE(TH_UNARY_RELU)
    CASE(TH_UNARY_RELU6)
    CASE(TH_UNARY_RELU_N1_1)
    CASE(TH_UNARY_LEAKY_RELU)
    CASE(TH_UNARY_HARD_SWISH)
    CASE(TH_UNARY_SIGMOID)
    CASE(TH_UNARY_TANH)
    CASE(TH_UNARY_EXP)
    case TH_UNARY_COUNT:
      break;
  }
#undef CASE
}

void TH_KERNEL(binary)(th_binary f, const float *a, const float *b, float *y, int64_t n) {
  if (f == TH_BINARY_ADD)
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
  else if (f == TH_BINARY_SUB)
    for (int64_t i = 0; i < n; i++) y[i] = a[i] - b[i];
  else
    for (int64_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

void TH_KERNEL(add)(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

void TH_KERNEL(scale)(float *y, float a, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = a * x[i];
}

void TH_KERNEL(axpy)(float *y, float a, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] += a * x[i];
}

void TH_KERNEL(multiply_add)(float *y, const float *a, const float *b, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] += a[i] * b[i];
}

void TH_KERNEL(softmax)(float beta, const float *x, float *y, int64_t rows, int n) {
  for (int64_t r = 0; r < rows; r++, x += n, y += n) {
    float top = x[0], sum = 0;
    for (int i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
    for (int i = 0; i < n; i++) y[i] = exp_f32(beta * (x[i] - top));
    for (int i = 0; i < n; i++) sum += y[i];
    for (int i = 0; i < n; i++) y[i] /= sum;
  }
}

void TH_KERNEL(softmax_grad)(float beta, const float *y, const float *dy, float *dx, int64_t rows, int n, bool acc) {
  for (int64_t r = 0; r < rows; r++, y += n, dy += n, dx += n) {
    float dot = 0;
    for (int i = 0; i < n; i++) dot += y[i] * dy[i];
    for (int i = 0; i < n; i++) {
      float g = beta * (y[i] * (dy[i] - dot));
      dx[i] = acc ? dx[i] + g : g;
    }
  }
}
