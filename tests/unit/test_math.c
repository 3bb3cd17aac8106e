/* Float kernels: each build that this processor runs against plain loops in double, and AVX2 against AVX-512 bit by
 * bit.
 *
 * A job fills `out` from random inputs that depend on its seed alone; the same job runs on every build.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "math/math.h"

#define MOST 40000

typedef struct job {
  th_rng rng;
  float out[MOST];
  double want[MOST]; /* from plain loops */
  int n;
} job;

static int below(job *j, int n) {
  return (int)th_rng_below(&j->rng, (uint32_t)n);
}

static float *numbers(job *j, int n) {
  float *v = malloc(sizeof(float) * (size_t)(n + 1));
  for (int i = 0; i < n; i++) v[i] = th_rng_normal(&j->rng);
  return v;
}

static void run_gemm(const th_math *m, job *j) {
  int rows = 1 + below(j, 30), n = 1 + below(j, 70), k = 1 + below(j, below(j, 4) ? 40 : 700),
      segments = 1 + below(j, 4);
  int repeat = 1 + below(j, 3), stride = 1 + below(j, 3);
  bool packed = below(j, 2), transposed = below(j, 2), accumulate = below(j, 2), bias = below(j, 2);
  ptrdiff_t a_row = transposed ? 1 : stride * k, a_col = transposed ? rows + 3 : 1;
  ptrdiff_t plane = (ptrdiff_t)(rows + 4) * (stride + 1) * (k + 1), segment[4];
  for (int s = 0; s < 4; s++) segment[s] = s * plane;
  float *a = numbers(j, (int)(plane * (segments + repeat))), *b = numbers(j, segments * k * n), *c = j->out;
  float *add = numbers(j, n), *pack = numbers(j, (int)th_math_pack_elems(segments * k, n));
  float *tail = malloc(sizeof(float) * 8 * (size_t)(segments * k));
  j->n = repeat * rows * n;
  assert_true(j->n <= MOST);
  for (int i = 0; i < j->n; i++) c[i] = th_rng_normal(&j->rng);
  if (packed) m->pack(b, n, 1, segments * k, n, pack);
  for (int r = 0; r < repeat; r++)
    for (int i = 0; i < rows; i++)
      for (int col = 0; col < n; col++) {
        double sum = accumulate ? (double)c[(r * rows + i) * n + col] : bias ? (double)add[col] : 0;
        for (int s = 0; s < segments; s++)
          for (int l = 0; l < k; l++)
            sum += (double)a[r * plane + segment[s] + i * a_row + l * a_col] * (double)b[(s * k + l) * n + col];
        j->want[(r * rows + i) * n + col] = fmin(fmax(sum, -5), 50);
      }
  th_gemm g = {.m = rows,
               .n = n,
               .k = k,
               .segments = segments,
               .segment = segment,
               .repeat = repeat,
               .a = a,
               .a_row = a_row,
               .a_col = a_col,
               .a_repeat = plane,
               .b = packed ? pack : b,
               .b_row = packed ? TH_MATH_PACKED : n,
               .c = c,
               .c_row = n,
               .c_repeat = (ptrdiff_t)rows * n,
               .accumulate = accumulate,
               .bias = bias ? add : NULL,
               .clamp = true,
               .lo = -5,
               .hi = 50,
               .tail = tail};
  m->gemm(&g);
  free(a), free(b), free(add), free(pack), free(tail);
}

static void run_transpose(const th_math *m, job *j) {
  int r = 1 + below(j, 40), c = 1 + below(j, 40);
  bool accumulate = below(j, 2);
  float *x = numbers(j, r * (c + 2)), *y = j->out;
  j->n = c * (r + 1);
  for (int i = 0; i < j->n; i++) j->want[i] = (double)(y[i] = th_rng_normal(&j->rng));
  for (int i = 0; i < c; i++)
    for (int k = 0; k < r; k++)
      j->want[i * (r + 1) + k] = (double)x[k * (c + 2) + i] + (accumulate ? j->want[i * (r + 1) + k] : 0);
  m->transpose(x, c + 2, r, c, y, r + 1, accumulate);
  free(x);
}

static double unary(th_unary f, double alpha, double x) {
  switch (f) {
    case TH_UNARY_RELU:
      return fmax(x, 0);
    case TH_UNARY_RELU6:
      return fmin(fmax(x, 0), 6);
    case TH_UNARY_RELU_N1_1:
      return fmin(fmax(x, -1), 1);
    case TH_UNARY_LEAKY_RELU:
      return x > 0 ? x : alpha * x;
    case TH_UNARY_HARD_SWISH:
      return x * fmin(fmax(x + 3, 0), 6) / 6;
    case TH_UNARY_SIGMOID:
      return 1 / (1 + exp(-x));
    case TH_UNARY_TANH:
      return tanh(x);
    default:
      return exp(x);
  }
}

/* Relative error counts, since exp and tanh span many magnitudes: values are divided by what is expected. */
static void run_unary(const th_math *m, job *j) {
  th_unary f = (th_unary)below(j, TH_UNARY_COUNT);
  float scale = below(j, 2) ? 20.0f : 0.3f;
  j->n = 1 + below(j, 300);
  for (int i = 0; i < j->n; i++) {
    float x = scale * th_rng_normal(&j->rng);
    j->want[i] = unary(f, (double)0.2f, (double)x);
    j->out[i] = x;
  }
  m->unary(f, 0.2f, j->out, j->out, j->n);
  for (int i = 0; i < j->n; i++) {
    double w = j->want[i];
    if (fabs(w) < 1e-30) continue;
    j->out[i] = (float)((double)j->out[i] / w);
    j->want[i] = 1;
  }
}

static void run_channels(const th_math *m, job *j) {
  int rows = 1 + below(j, 50), c = 1 + below(j, 150);
  bool relu = below(j, 2);
  float *x = numbers(j, rows * c), *dy = numbers(j, rows * c), *p = numbers(j, 3 * c);
  float *sums = j->out, *y = j->out + 5 * c, *dx = y + rows * c;
  double *w = j->want;
  j->n = 5 * c + 2 * rows * c;
  th_gate relu_gate = {p, p + c}, *gate = relu ? &relu_gate : NULL;
  memset(sums, 0, sizeof(float) * (size_t)c);
  memset(w, 0, sizeof(double) * (size_t)(5 * c));
  m->column_sums(x, rows, c, sums);
  m->moments(x, rows, c, p, sums + c, sums + 2 * c);
  m->moments_grad(x, dy, rows, c, p, gate, sums + 3 * c, sums + 4 * c);
  m->affine(x, rows, c, p, p + c, y, relu);
  m->affine_grad(x, dy, rows, c, p, p + c, p + 2 * c, gate, dx, false);
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < c; i++) {
      double v = (double)x[r * c + i], t = v - (double)p[i], u = v * (double)p[i] + (double)p[c + i];
      double g = relu && u <= 0 ? 0 : (double)dy[r * c + i];
      w[i] += v, w[c + i] += t, w[2 * c + i] += t * t, w[3 * c + i] += g, w[4 * c + i] += g * t;
      w[5 * c + r * c + i] = relu && u <= 0 ? 0 : u;
      w[5 * c + (rows + r) * c + i] = g * (double)p[i] + v * (double)p[c + i] + (double)p[2 * c + i];
    }
  free(x), free(dy), free(p);
}

static void run_depthwise(const th_math *m, job *j) {
  th_depthwise d = {.out_y = 1 + below(j, 4),
                    .out_x = 1 + below(j, 9),
                    .channels = 16 * (1 + below(j, 3)),
                    .kernel_y = 1 + below(j, 3),
                    .kernel_x = 1 + below(j, 5),
                    .stride_y = 1 + below(j, 2),
                    .stride_x = 1 + below(j, 2),
                    .dilation_y = 1 + below(j, 2),
                    .dilation_x = 1 + below(j, 2)};
  int in_y = (d.out_y - 1) * d.stride_y + (d.kernel_y - 1) * d.dilation_y + 1, c = d.channels;
  d.in_x = (d.out_x - 1) * d.stride_x + (d.kernel_x - 1) * d.dilation_x + 1;
  int pixels = d.out_y * d.out_x, taps = d.kernel_y * d.kernel_x, image = in_y * d.in_x;
  float *x = numbers(j, image * c), *w = numbers(j, taps * c), *dy = numbers(j, pixels * c), *bias = numbers(j, c);
  j->n = (pixels + taps + image) * c;
  assert_true(j->n <= MOST);
  memset(j->out, 0, sizeof(float) * (size_t)j->n);
  memset(j->want, 0, sizeof(double) * (size_t)j->n);
  m->depthwise(&d, x, w, bias, j->out);
  m->depthwise_weights(&d, x, dy, j->out + pixels * c);
  m->depthwise_input(&d, dy, w, j->out + (pixels + taps) * c);
  for (int p = 0; p < pixels; p++)
    for (int t = 0; t < taps; t++)
      for (int i = 0; i < c; i++) {
        int y = p / d.out_x * d.stride_y + t / d.kernel_x * d.dilation_y;
        int at = (y * d.in_x + p % d.out_x * d.stride_x + t % d.kernel_x * d.dilation_x) * c + i;
        double g = (double)dy[p * c + i];
        j->want[p * c + i] += (double)x[at] * (double)w[t * c + i] + (t ? 0 : (double)bias[i]);
        j->want[(pixels + t) * c + i] += (double)x[at] * g;
        j->want[(pixels + taps) * c + at] += g * (double)w[t * c + i];
      }
  free(x), free(w), free(dy), free(bias);
}

static void check(const job *j, const char *isa, int seed, double tolerance) {
  double top = 1e-3;
  for (int i = 0; i < j->n; i++) top = fmax(top, fabs(j->want[i]));
  for (int i = 0; i < j->n; i++)
    if (!(fabs((double)j->out[i] - j->want[i]) <= tolerance * top))
      fail_msg("%s, seed %d: [%d] is %.9g, expected %.9g", isa, seed, i, (double)j->out[i], j->want[i]);
}

static void run_all(void (*run)(const th_math *m, job *j), int jobs, double tolerance) {
  job *j = malloc(sizeof *j), *other = malloc(sizeof *j);
  for (int seed = 0; seed < jobs; seed++)
    for (int i = 0; th_math_nth(i); i++) {
      memset(j, 0, sizeof *j);
      j->rng = th_rng_init(3, (uint64_t)seed);
      run(th_math_nth(i), j);
      check(j, th_math_nth(i)->isa, seed, tolerance);
      if (i == 2 && memcmp(j->out, other->out, sizeof(float) * (size_t)j->n))
        fail_msg("seed %d: AVX2 and AVX-512 differ in bits", seed);
      memcpy(other, j, sizeof *j);
    }
  free(j);
  free(other);
}

static void test_gemm(void **state) {
  run_all(run_gemm, 300, 8e-6);
}
static void test_transpose(void **state) {
  run_all(run_transpose, 50, 1e-7);
}
static void test_unary(void **state) {
  run_all(run_unary, 100, 1e-6);
}
static void test_channels(void **state) {
  run_all(run_channels, 60, 1e-6);
}
static void test_depthwise(void **state) {
  run_all(run_depthwise, 60, 1e-6);
}

/* Cancellation in 1 - 2 / (1 + e^2x), overflow of exp, and numbers that are not. */
static void test_edges(void **state) {
  for (int i = 0; th_math_nth(i); i++) {
    const th_math *m = th_math_nth(i);
    float x[6] = {0.0f, 1e-6f, -1e-6f, 1000.0f, -1000.0f, NAN}, y[6];
    m->unary(TH_UNARY_TANH, 0, x, y, 6);
    assert_true(y[0] == 0 && fabsf(y[1] / 1e-6f - 1) < 1e-6f && y[2] == -y[1] && y[3] == 1 && y[4] == -1 &&
                isnan(y[5]));
    m->unary(TH_UNARY_SIGMOID, 0, x, y, 6);
    assert_true(y[0] == 0.5f && y[3] == 1 && y[4] >= 0 && y[4] < 1e-37f && isnan(y[5]));
    m->unary(TH_UNARY_EXP, 0, x, y, 6);
    assert_true(y[0] == 1 && isfinite(y[3]) && y[4] < 1e-37f && isnan(y[5]));
  }
}

/* Against roundf() in double, on values around halves and at the ends. */
static void test_quantize(void **state) {
  const th_math *m;
  for (int isa = 0; (m = th_math_nth(isa)); isa++) {
    th_rng rng = th_rng_init(9, 1);
    for (int repeat = 0; repeat < 2000; repeat++) {
      float x[100];
      int8_t q[101];
      const int n = 1 + (int)th_rng_below(&rng, 100);
      const int32_t zero = (int32_t)th_rng_below(&rng, 256) - 128;
      const float scale = ldexpf(1 + (repeat % 2 ? 0 : th_rng_uniform(&rng)), (int)th_rng_below(&rng, 20) - 12);
      for (int i = 0; i < n; i++) {
        const float half = scale * 0.5f * (float)((int)th_rng_below(&rng, 1200) - 600);
        const float kinds[] = {half, nextafterf(half, 0), nextafterf(half, 1e30f), NAN, INFINITY, -INFINITY, 3e38f};
        const uint32_t kind = th_rng_below(&rng, 20);
        x[i] = kind < 7 ? kinds[kind] : half * th_rng_uniform(&rng);
      }
      q[n] = 77;
      m->quantize_s8(x, n, scale, zero, q);
      assert_int_equal(q[n], 77);
      for (int i = 0; i < n; i++) {
        const double v = (double)roundf(x[i] / scale) + zero;
        assert_int_equal(q[i], v > -128 ? (v < 127 ? (int)v : 127) : -128);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_gemm),      cmocka_unit_test(test_transpose),
                                     cmocka_unit_test(test_unary),     cmocka_unit_test(test_channels),
                                     cmocka_unit_test(test_depthwise), cmocka_unit_test(test_edges),
                                     cmocka_unit_test(test_quantize)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
