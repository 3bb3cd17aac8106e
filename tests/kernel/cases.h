/* Random cases for every kernel of kernels.def, and what each must give, computed by a plain model in another order
 * than the kernel's. A case is a step with its inputs, and the output the model expects.
 *
 * Extremes are drawn often: zero points and weights at the ends of int8, multipliers just below 2^31, shifts from -31
 * up, single pixels, windows that hang over the edge. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNEL_CASES_H
#define TESTS_KERNEL_CASES_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"
#include "model.h"
#include "thr.h"

typedef struct kase {
  th_arena *arena;
  th_rng rng;
  thr_step step;
  const void *in[THR_STEP_INPUTS];
  size_t in_bytes[THR_STEP_INPUTS];
  uint8_t *expected;
  size_t out_bytes;
  unsigned states; /* bit i: input i is written too, and becomes after[i] */
  void *after[THR_STEP_INPUTS];
  int bytes;        /* of an element of the kernel: 1, or 2 for those named s16 */
  uint8_t *written; /* marks of the bytes a copy writes; NULL: all */
  bool lines_seen;  /* set by the test: it has been run line by line too */
} kase;

static int32_t between(kase *k, int32_t lo, int32_t hi) {
  return lo + (int32_t)th_rng_below(&k->rng, (uint32_t)(hi - lo) + 1);
}

static bool chance(kase *k, int percent) {
  return between(k, 0, 99) < percent;
}

/* Uniform, but one time in four an end of the range. */
static int32_t edgy(kase *k, int32_t lo, int32_t hi) {
  if (chance(k, 25)) return chance(k, 50) ? lo : hi;
  return between(k, lo, hi);
}

static int8_t *bytes_of(kase *k, size_t n) {
  int8_t *p = th_arena_alloc(k->arena, n);
  const bool extremes = chance(k, 20);
  for (size_t i = 0; i < n; i++) p[i] = (int8_t)(extremes ? (chance(k, 50) ? -128 : 127) : between(k, -128, 127));
  return p;
}

static int32_t least(const kase *k) {
  return k->bytes == 2 ? INT16_MIN : INT8_MIN;
}

static int32_t most(const kase *k) {
  return k->bytes == 2 ? INT16_MAX : INT8_MAX;
}

/* Element i of a tensor of the kernel's type. */
static int32_t get(const kase *k, const void *p, size_t i) {
  return k->bytes == 2 ? ((const int16_t *)p)[i] : ((const int8_t *)p)[i];
}

static void put(const kase *k, void *p, size_t i, int32_t v) {
  if (k->bytes == 2)
    ((int16_t *)p)[i] = (int16_t)v;
  else
    ((int8_t *)p)[i] = (int8_t)v;
}

static int16_t *halves_of(kase *k, size_t n) {
  int16_t *p = th_arena_array(k->arena, n, sizeof *p);
  const bool extremes = chance(k, 20);
  for (size_t i = 0; i < n; i++)
    p[i] = (int16_t)(extremes && chance(k, 50) ? INT16_MIN : edgy(k, INT16_MIN, INT16_MAX));
  return p;
}

static void *input(kase *k, int i, size_t n) {
  void *p = k->bytes == 2 ? (void *)halves_of(k, n) : bytes_of(k, n);
  k->in[i] = p;
  k->in_bytes[i] = n * (size_t)k->bytes;
  return p;
}

static void *expect_bytes(kase *k, size_t n) {
  k->expected = th_arena_alloc(k->arena, n);
  k->out_bytes = n;
  return k->expected;
}

static void *expect(kase *k, size_t n) {
  return expect_bytes(k, n * (size_t)k->bytes);
}

static void clamp_range(kase *k, int32_t *lo, int32_t *hi) {
  *lo = chance(k, 50) ? least(k) : between(k, least(k), most(k) * 4 / 5);
  *hi = chance(k, 50) ? most(k) : between(k, *lo, most(k));
}

/* 16-bit kernels with weights have none. */
static void zero_points(kase *k, int32_t *in_zero, int32_t *out_zero) {
  *in_zero = k->bytes == 2 ? 0 : edgy(k, -128, 127);
  *out_zero = k->bytes == 2 ? 0 : edgy(k, -128, 127);
}

/* A multiplier that puts accumulators of about `magnitude` on the int8 range, or anything at all. */
static int32_t any_mult(kase *k) {
  return chance(k, 10) ? INT32_MAX : chance(k, 5) ? 1 << 30 : chance(k, 3) ? 0 : between(k, 1 << 30, INT32_MAX);
}

static int8_t fitting_shift(kase *k, double magnitude) {
  if (chance(k, 5)) return (int8_t)between(k, -31, 12);
  return (int8_t)((k->bytes == 2 ? 14 : 6) - (int)log2(magnitude + 1) + between(k, -1, 1));
}

/* --- weighted layers --- */

static void random_requant(kase *k, int32_t channels, double magnitude, thr_requant *r) {
  const int form = between(k, 0, 2); /* one for all, one each, indexed */
  const int n = form == 0 ? 1 : form == 1 ? channels : between(k, 1, 5);
  int32_t *mult = th_arena_array(k->arena, (size_t)n, sizeof *mult);
  int8_t *shift = th_arena_array(k->arena, (size_t)n, 1);
  uint8_t *index = th_arena_array(k->arena, (size_t)channels, 1);
  for (int i = 0; i < n; i++) {
    mult[i] = any_mult(k);
    shift[i] = fitting_shift(k, magnitude);
  }
  for (int c = 0; c < channels; c++) index[c] = (uint8_t)between(k, 0, n - 1);
  *r = (thr_requant){.mult = mult, .shift = shift, .index = form == 2 ? index : NULL, .per_channel = form == 1};
}

/* acc64: sums of 64 bits. */
static int32_t model_requant(const thr_requant *r, int c, wide acc, bool acc64) {
  const int e = r->index ? r->index[c] : r->per_channel ? c : 0;
  if (acc64) return model_scale64(acc, r->mult[e], r->shift[e]);
  return model_scale(model_wrap(acc), r->mult[e], r->shift[e]);
}

static void random_bias(kase *k, int32_t channels, double magnitude, thr_bias *b) {
  static const uint8_t widths[5] = {0, 1, 2, 4, 8};
  b->width = widths[between(k, 0, k->bytes == 2 ? 4 : 3)];
  b->shift = (uint8_t)(b->width >= 4 ? between(k, 0, 2) : between(k, 0, 8));
  uint8_t *data = th_arena_alloc(k->arena, (size_t)channels * 8);
  for (int32_t i = 0; i < channels * b->width; i++) data[i] = (uint8_t)between(k, 0, 255);
  for (int32_t c = 0; b->width == 4 && c < channels; c++) { /* 32 bits, but in proportion */
    const int32_t v = (int32_t)((between(k, -1000, 1000)) * magnitude / 1000);
    memcpy(data + 4 * c, &v, 4);
  }
  for (int32_t c = 0; b->width == 8 && c < channels; c++) {
    const int64_t v = (int64_t)((between(k, -1000, 1000)) * magnitude);
    memcpy(data + 8 * c, &v, 8);
  }
  b->data = b->width ? data : NULL;
}

static wide model_bias(const thr_bias *b, int c) {
  wide v = 0;
  for (int i = b->width - 1; i >= 0; i--) v = v * 256 + b->data[c * b->width + i];
  if (b->width && v >= power2(8 * b->width - 1)) v -= power2(8 * b->width);
  return v * power2(b->shift);
}

static void random_window(kase *k, int32_t in, int32_t *out, int16_t *kernel, int16_t *stride, int16_t *dilation,
                          int16_t *pad) {
  *kernel = (int16_t)between(k, 1, 4);
  *stride = (int16_t)between(k, 1, 3);
  *dilation = (int16_t)(chance(k, 70) ? 1 : between(k, 2, 3));
  const int32_t span = (*kernel - 1) * *dilation + 1;
  *pad = (int16_t)between(k, 0, span - 1);
  *out = between(k, 1, (in - 1 + *pad) / *stride + 1); /* the last window still begins inside */
}

/* Value of an image at any coordinates, 0 (after subtracting the zero point) outside. */
static int64_t at(const kase *k, const void *image, int32_t size_y, int32_t size_x, int32_t size_c, int32_t y,
                  int32_t x, int32_t c, int32_t zero) {
  if (y < 0 || x < 0 || y >= size_y || x >= size_x) return 0;
  return get(k, image, (size_t)((y * size_x + x) * size_c + c)) - zero;
}

/* zero: the weights have a zero point. */
static void conv_case(kase *k, bool depthwise, bool zero) {
  thr_conv2d_params *p = &k->step.p.conv2d;
  p->in_y = between(k, 1, 9);
  p->in_x = between(k, 1, 9);
  p->groups = depthwise ? between(k, 1, 9) : chance(k, 60) ? 1 : between(k, 1, 4);
  p->in_c = depthwise ? p->groups : p->groups * between(k, 1, 9);
  p->out_c = p->groups * between(k, 1, depthwise ? 3 : 9);
  random_window(k, p->in_y, &p->out_y, &p->kernel_y, &p->stride_y, &p->dilation_y, &p->pad_y);
  random_window(k, p->in_x, &p->out_x, &p->kernel_x, &p->stride_x, &p->dilation_x, &p->pad_x);
  p->acc64 = k->bytes == 2 && chance(k, 60);
  zero_points(k, &p->in_zero, &p->out_zero);
  p->w_zero = zero ? edgy(k, -128, 127) : 0;
  clamp_range(k, &p->lo, &p->hi);
  const int32_t depth = p->in_c / p->groups, row = p->kernel_y * p->kernel_x * depth;
  const int8_t *w = bytes_of(k, (size_t)row * (size_t)p->out_c);
  const void *x = input(k, 0, (size_t)p->in_y * (size_t)p->in_x * (size_t)p->in_c);
  p->weights = (thr_weights){.data = (const uint8_t *)w, .bytes = (uint32_t)(row * p->out_c)};
  const double magnitude = -(62.5 + 0.5 * abs(p->w_zero)) * least(k) * sqrt(row);
  random_bias(k, p->out_c, magnitude, &p->bias);
  random_requant(k, p->out_c, magnitude, &p->requant);
  size_t to = 0;
  void *y = expect(k, (size_t)p->out_y * (size_t)p->out_x * (size_t)p->out_c);
  for (int32_t oy = 0; oy < p->out_y; oy++)
    for (int32_t ox = 0; ox < p->out_x; ox++)
      for (int32_t oc = 0; oc < p->out_c; oc++) {
        const int32_t first_c = oc / (p->out_c / p->groups) * depth;
        wide sum = model_bias(&p->bias, oc);
        for (int32_t i = 0; i < row; i++) { /* i-th weight of the row */
          const int32_t ky = i / depth / p->kernel_x, kx = i / depth % p->kernel_x;
          sum += (w[oc * row + i] - p->w_zero) *
                 at(k, x, p->in_y, p->in_x, p->in_c, oy * p->stride_y - p->pad_y + ky * p->dilation_y,
                    ox * p->stride_x - p->pad_x + kx * p->dilation_x, first_c + i % depth, p->in_zero);
        }
        put(k, y, to++, model_finish(model_requant(&p->requant, oc, sum, p->acc64), p->out_zero, p->lo, p->hi));
      }
}

static void case_conv2d_s8(kase *k) {
  conv_case(k, false, false);
}

static void case_depthwise_conv2d_s8(kase *k) {
  conv_case(k, true, false);
}

/* The same kernels for 16 bits. */
#define CASE_S16(name)                     \
  static void case_##name##_s16(kase *k) { \
    k->bytes = 2;                          \
    case_##name##_s8(k);                   \
  }

CASE_S16(conv2d)
CASE_S16(depthwise_conv2d)

static void case_conv2d_zero_s8(kase *k) {
  conv_case(k, false, true);
}

static void case_depthwise_conv2d_zero_s8(kase *k) {
  conv_case(k, true, true);
}

static void fully_connected_case(kase *k, bool zero) {
  thr_fully_connected_params *p = &k->step.p.fully_connected;
  p->in_n = chance(k, 10) ? between(k, THR_DECODE_CHUNK - 1, 3 * THR_DECODE_CHUNK) : between(k, 1, 70);
  p->out_n = between(k, 1, 20);
  p->acc64 = k->bytes == 2 && chance(k, 60);
  zero_points(k, &p->in_zero, &p->out_zero);
  p->w_zero = zero ? edgy(k, -128, 127) : 0;
  clamp_range(k, &p->lo, &p->hi);
  const int8_t *w = bytes_of(k, (size_t)p->in_n * (size_t)p->out_n);
  const void *x = input(k, 0, (size_t)p->in_n);
  p->weights = (thr_weights){.data = (const uint8_t *)w, .bytes = (uint32_t)(p->in_n * p->out_n)};
  const double magnitude = -62.5 * least(k) * sqrt(p->in_n);
  random_bias(k, p->out_n, magnitude, &p->bias);
  random_requant(k, p->out_n, magnitude, &p->requant);
  void *y = expect(k, (size_t)p->out_n);
  for (int32_t o = 0; o < p->out_n; o++) {
    wide sum = model_bias(&p->bias, o), of_weights = 0;
    for (int32_t i = 0; i < p->in_n; i++) {
      sum += (wide)(w[o * p->in_n + i] - p->w_zero) * get(k, x, (size_t)i);
      of_weights += w[o * p->in_n + i] - p->w_zero;
    }
    sum -= of_weights * p->in_zero;
    put(k, y, (size_t)o, model_finish(model_requant(&p->requant, o, sum, p->acc64), p->out_zero, p->lo, p->hi));
  }
}

static void case_fully_connected_s8(kase *k) {
  fully_connected_case(k, false);
}

static void case_fully_connected_zero_s8(kase *k) {
  fully_connected_case(k, true);
}
CASE_S16(fully_connected)

/* --- pools and mean --- */

/* m: maximum, a: average, u: average with halves up */
static void pool_case(kase *k, char kind) {
  thr_pool2d_params *p = &k->step.p.pool2d;
  int16_t dilation;
  p->in_y = between(k, 1, 9);
  p->in_x = between(k, 1, 9);
  p->c = between(k, 1, 6);
  random_window(k, p->in_y, &p->out_y, &p->kernel_y, &p->stride_y, &dilation, &p->pad_y);
  random_window(k, p->in_x, &p->out_x, &p->kernel_x, &p->stride_x, &dilation, &p->pad_x);
  p->pad_y = (int16_t)(p->pad_y % p->kernel_y);
  p->pad_x = (int16_t)(p->pad_x % p->kernel_x);
  p->out_y = between(k, 1, (p->in_y - 1 + p->pad_y) / p->stride_y + 1);
  p->out_x = between(k, 1, (p->in_x - 1 + p->pad_x) / p->stride_x + 1);
  clamp_range(k, &p->lo, &p->hi);
  const void *x = input(k, 0, (size_t)(p->in_y * p->in_x * p->c));
  void *y = expect(k, (size_t)(p->out_y * p->out_x * p->c));
  for (int32_t i = 0; i < p->out_y * p->out_x * p->c; i++) {
    const int32_t c = i % p->c, ox = i / p->c % p->out_x, oy = i / p->c / p->out_x;
    int32_t best = least(k), n = 0, sum = 0;
    for (int32_t py = 0; py < p->in_y; py++)
      for (int32_t px = 0; px < p->in_x; px++) { /* is this pixel in the window? */
        const int32_t ky = py - (oy * p->stride_y - p->pad_y), kx = px - (ox * p->stride_x - p->pad_x);
        if (ky < 0 || kx < 0 || ky >= p->kernel_y || kx >= p->kernel_x) continue;
        const int32_t v = get(k, x, (size_t)((py * p->in_x + px) * p->c + c));
        best = v > best ? v : best;
        sum += v;
        n++;
      }
    const double mean = (double)sum / n;
    const int32_t v = kind == 'm' ? best : kind == 'a' ? (int32_t)round(mean) : (int32_t)floor(mean + 0.5);
    put(k, y, (size_t)i, v < p->lo ? p->lo : v > p->hi ? p->hi : v);
  }
}

static void case_max_pool2d_s8(kase *k) {
  pool_case(k, 'm');
}

static void case_avg_pool2d_s8(kase *k) {
  pool_case(k, 'a');
}

static void case_avg_pool2d_up_s8(kase *k) {
  pool_case(k, 'u');
}

CASE_S16(max_pool2d)
CASE_S16(avg_pool2d)

static void case_mean_s8(kase *k) {
  thr_mean_params *p = &k->step.p.mean;
  p->y = between(k, 1, 7);
  p->x = between(k, 1, 7);
  p->c = between(k, 1, 9);
  p->over_y = chance(k, 60);
  p->over_x = chance(k, 60);
  p->over_c = chance(k, 30);
  p->count = (p->over_y ? p->y : 1) * (p->over_x ? p->x : 1) * (p->over_c ? p->c : 1);
  zero_points(k, &p->in_zero, &p->out_zero);
  p->mult = any_mult(k);
  p->shift = fitting_shift(k, -(double)least(k) * p->count);
  clamp_range(k, &p->lo, &p->hi);
  const int32_t elems = p->y * p->x * p->c;
  const void *x = input(k, 0, (size_t)elems);
  const int32_t my = p->over_y ? 1 : p->y, mx = p->over_x ? 1 : p->x, mc = p->over_c ? 1 : p->c;
  void *y = expect(k, (size_t)(my * mx * mc));
  wide *sums = th_arena_array(k->arena, (size_t)(my * mx * mc), sizeof(wide));
  for (int32_t i = 0; i < elems; i++) { /* scatter each element to its sum */
    const int32_t c = i % p->c, px = i / p->c % p->x, py = i / p->c / p->x;
    sums[((p->over_y ? 0 : py) * mx + (p->over_x ? 0 : px)) * mc + (p->over_c ? 0 : c)] +=
        get(k, x, (size_t)i) - p->in_zero;
  }
  for (int32_t i = 0; i < my * mx * mc; i++)
    put(k, y, (size_t)i, model_finish(model_scale((int32_t)sums[i], p->mult, p->shift), p->out_zero, p->lo, p->hi));
}

CASE_S16(mean)

/* --- element-wise --- */

/* The quotient through a reciprocal: |b| = m 2^(e - 31) with m in [2^30, 2^31). */
static wide model_quotient(const thr_elementwise_params *p, int32_t a, int32_t b) {
  int up_a = 0, up_b = 0;
  if (b < 0) a = -a, b = -b;
  while (b * power2(up_b + 1) < power2(32)) up_b++;
  while (a * power2(up_a + 1) < power2(31) && a * power2(up_a + 1) >= -power2(31)) up_a++;
  const int32_t inverse = model_saturate(model_reciprocal((int32_t)(b * power2(up_b) - power2(31))) * power2(1), 32);
  const int32_t q = model_high_mul((int32_t)(a * power2(up_a)), inverse);
  const int right = 31 - up_b + up_a - p->shift[2];
  const int32_t v = model_high_mul(q, p->mult[2]);
  return right > 31 ? 0 : right < 0 ? model_wrap(v * power2(-right)) : model_rshift(v, right);
}

/* m: minimum, M: maximum, p: prelu, /: div */
static int32_t model_other(const thr_elementwise_params *p, int32_t a, int32_t b, char op) {
  wide v = 0;
  if (op == 'm') v = fmin(a, b);
  if (op == 'M') v = fmax(a, b);
  if (op == 'p') v = a < 0 ? model_scale(a * b, p->mult[1], p->shift[1]) : model_scale(a, p->mult[0], p->shift[0]);
  if (op == '/' && a != 0) {
    if (b == 0) return a < 0 ? p->lo : p->hi;
    v = model_quotient(p, a, b);
  }
  return model_finish(v, p->out_zero, p->lo, p->hi);
}

static void elementwise_case(kase *k, char op) {
  thr_elementwise_params *p = &k->step.p.elementwise;
  int32_t dim_a[4], dim_b[4], size_a = 1, size_b = 1, size = 1;
  for (int d = 3; d >= 0; d--) {
    p->dim[d] = between(k, 1, 5);
    dim_a[d] = chance(k, 20) ? 1 : p->dim[d];
    dim_b[d] = chance(k, 20) ? 1 : p->dim[d];
    p->stride_a[d] = dim_a[d] == 1 ? 0 : size_a;
    p->stride_b[d] = dim_b[d] == 1 ? 0 : size_b;
    size_a *= dim_a[d];
    size_b *= dim_b[d];
    size *= p->dim[d];
  }
  const int left = k->bytes == 2 ? 15 : 20;
  p->a_zero = k->bytes == 2 ? 0 : edgy(k, -128, 127);
  zero_points(k, &p->b_zero, &p->out_zero);
  clamp_range(k, &p->lo, &p->hi);
  p->left_shift = (uint8_t)(op == '*' ? 0 : op == '2' ? (k->bytes == 2 ? 0 : 7) : left);
  for (int i = 0; i < 3; i++) {
    p->mult[i] = any_mult(k);
    p->shift[i] = (int8_t)(op == '*'   ? between(k, -14 * k->bytes, 1)
                           : op == 'p' ? between(k, -10, 2)
                           : op == '/' ? between(k, -2, 9)
                           : i < 2     ? between(k, -4, 0)
                           : op == '2' ? between(k, -24, -14)
                                       : between(k, -left - 2, -left + 3));
  }
  for (int i = 0; i < 2 && strchr("+-", op); i++) { /* 1/2 of the coarser scale, or of both when they are equal */
    if (!chance(k, 60)) continue;
    p->mult[i] = 1 << 30;
    p->shift[i] = 0;
  }
  const void *a = input(k, 0, (size_t)size_a), *b = input(k, 1, (size_t)size_b);
  void *y = expect(k, (size_t)size);
  for (int32_t i = 0; i < size; i++) {
    int32_t rest = i, ia = 0, ib = 0, step_a = 1, step_b = 1;
    for (int d = 3; d >= 0; d--) { /* coordinates in the operands' own shapes */
      const int32_t c = rest % p->dim[d];
      rest /= p->dim[d];
      ia += (dim_a[d] == 1 ? 0 : c) * step_a;
      ib += (dim_b[d] == 1 ? 0 : c) * step_b;
      step_a *= dim_a[d];
      step_b *= dim_b[d];
    }
    const int32_t va = get(k, a, (size_t)ia) - p->a_zero, vb = get(k, b, (size_t)ib) - p->b_zero;
    int32_t v = model_wrap((wide)va * vb);
    if (strchr("mMp/", op)) {
      put(k, y, (size_t)i, model_other(p, va, vb, op));
      continue;
    }
    if (op == '2') {
      const int32_t sa = model_scale(va * (1 << p->left_shift), p->mult[0], p->shift[0]);
      const int32_t sb = model_scale(vb * (1 << p->left_shift), p->mult[1], p->shift[1]);
      v = model_wrap((wide)(sa - sb) * (sa - sb));
    } else if (op != '*') {
      const int32_t sa = model_scale(model_wrap(va * power2(left)), p->mult[0], p->shift[0]);
      const int32_t sb = model_scale(model_wrap(vb * power2(left)), p->mult[1], p->shift[1]);
      v = model_wrap(op == '+' ? (wide)sa + sb : (wide)sa - sb);
    }
    put(k, y, (size_t)i, model_finish(model_scale(v, p->mult[2], p->shift[2]), p->out_zero, p->lo, p->hi));
  }
}

static void case_add_s8(kase *k) {
  elementwise_case(k, '+');
}

static void case_sub_s8(kase *k) {
  elementwise_case(k, '-');
}

static void case_mul_s8(kase *k) {
  elementwise_case(k, '*');
}

static void case_minimum_s8(kase *k) {
  elementwise_case(k, 'm');
}

static void case_maximum_s8(kase *k) {
  elementwise_case(k, 'M');
}

static void case_prelu_s8(kase *k) {
  elementwise_case(k, 'p');
}

static void case_squared_difference_s8(kase *k) {
  elementwise_case(k, '2');
}

CASE_S16(minimum)
CASE_S16(maximum)
CASE_S16(squared_difference)

static void case_div_s8(kase *k) {
  elementwise_case(k, '/');
}

/* Fewer elements than the table has, so that nobody takes the table for an input that may be written over. */
static void case_lookup_s8(kase *k) {
  const int32_t n = k->step.p.lookup.n = between(k, 1, 200);
  const int8_t *x = input(k, 0, (size_t)n), *table = input(k, 1, 256);
  int8_t *y = expect(k, (size_t)n);
  for (int32_t i = 0; i < n; i++) y[i] = table[x[i] + 128];
}

/* --- reductions and rows --- */

static void reduce_case(kase *k, bool max) {
  case_mean_s8(k); /* shapes and input */
  const thr_mean_params *p = &k->step.p.mean;
  const int32_t mx = p->over_x ? 1 : p->x, mc = p->over_c ? 1 : p->c;
  const int8_t *x = k->in[0];
  int8_t *y = expect(k, k->out_bytes);
  memset(y, max ? -128 : 127, k->out_bytes);
  for (int32_t i = 0; i < p->y * p->x * p->c; i++) {
    const int32_t c = i % p->c, px = i / p->c % p->x, py = i / p->c / p->x;
    int8_t *to = &y[((p->over_y ? 0 : py) * mx + (p->over_x ? 0 : px)) * mc + (p->over_c ? 0 : c)];
    if (max ? x[i] > *to : x[i] < *to) *to = x[i];
  }
  for (size_t i = 0; i < k->out_bytes; i++) y[i] = (int8_t)(y[i] < p->lo ? p->lo : y[i] > p->hi ? p->hi : y[i]);
}

static void case_reduce_max_s8(kase *k) {
  reduce_case(k, true);
}

static void case_reduce_min_s8(kase *k) {
  reduce_case(k, false);
}

static void case_argmax_s8(kase *k) {
  thr_argmax_params *p = &k->step.p.argmax;
  p->outer = between(k, 1, 5);
  p->depth = between(k, 1, 12);
  p->inner = between(k, 1, 5);
  p->smallest = chance(k, 50);
  p->last = chance(k, 50);
  const int8_t *x = input(k, 0, (size_t)(p->outer * p->depth * p->inner));
  int32_t *y = expect_bytes(k, sizeof *y * (size_t)(p->outer * p->inner));
  for (int32_t o = 0; o < p->outer * p->inner; o++) {
    const int8_t *row = x + o / p->inner * p->depth * p->inner + o % p->inner;
    double best = -1e9; /* ties are decided by a small part of the index */
    for (int32_t i = 0; i < p->depth; i++) {
      const double v = (p->smallest ? -row[i * p->inner] : row[i * p->inner]) + (p->last ? i : -i) * 1e-3;
      if (v > best) best = v, y[o] = i;
    }
  }
}

static void case_l2_normalization_s8(kase *k) {
  thr_l2_normalization_params *p = &k->step.p.l2_normalization;
  p->rows = between(k, 1, 4);
  p->depth = chance(k, 5) ? between(k, 5000, 30000) : between(k, 1, 60);
  p->in_zero = edgy(k, -128, 127);
  const int8_t *x = input(k, 0, (size_t)(p->rows * p->depth));
  int8_t *y = expect(k, (size_t)(p->rows * p->depth));
  for (int32_t r = 0; r < p->rows; r++) {
    wide sum = 0;
    int shift;
    for (int32_t i = 0; i < p->depth; i++)
      sum += (wide)(x[r * p->depth + i] - p->in_zero) * (x[r * p->depth + i] - p->in_zero);
    const int32_t mult = model_inverse_root(model_wrap(sum), &shift);
    for (int32_t i = r * p->depth; i < (r + 1) * p->depth; i++)
      y[i] = model_finish(model_scale(x[i] - p->in_zero, mult, shift + 7), 0, -128, 127);
  }
}

static void case_log_softmax_s8(kase *k) {
  thr_log_softmax_params *p = &k->step.p.log_softmax;
  p->rows = between(k, 1, 4);
  p->depth = between(k, 1, 40);
  p->mult = between(k, 1 << 30, INT32_MAX);
  p->shift = (int8_t)between(k, 16, 28);
  p->diff_min = -(int32_t)floor(ldexp(31, 26 - p->shift));
  if (chance(k, 50)) p->diff_min = (int32_t)fmax(p->diff_min, -between(k, 1, 200));
  p->back_mult = q31(ldexp(0.5, 31) / p->mult); /* between 1/2 and 1 of 2^31, the inverse with 1 - shift */
  p->back_shift = (int8_t)(1 - p->shift);
  const int8_t *x = input(k, 0, (size_t)(p->rows * p->depth));
  int8_t *y = expect(k, (size_t)(p->rows * p->depth));
  for (int32_t r = 0; r < p->rows; r++) {
    const int8_t *in = x + r * p->depth;
    int32_t top = -128;
    wide sum = 0;
    for (int32_t i = 0; i < p->depth; i++) top = in[i] > top ? in[i] : top;
    for (int32_t i = 0; i < p->depth; i++)
      if (in[i] - top >= p->diff_min)
        sum += model_rshift(model_exp(model_scale(in[i] - top, p->mult, p->shift), 5), 12);
    const int32_t log_sum = model_log((int32_t)sum);
    const double least =
        fmax(p->diff_min - 1, model_scale((int32_t)(log_sum - power2(31)), p->back_mult, p->back_shift));
    for (int32_t i = 0; i < p->depth; i++) {
      const int32_t d = in[i] - top;
      const wide v = d > least ? model_rshift(model_scale(d, p->mult, p->shift) - log_sum, 22) : -1000;
      y[r * p->depth + i] = model_finish(v, 127, -128, 127);
    }
  }
}
CASE_S16(add)
CASE_S16(sub)
CASE_S16(mul)

/* --- functions of one element, softmax --- */

/* Half the cases hold every int8 value once. */
static const void *unary_input(kase *k, thr_unary_params *p) {
  p->n = chance(k, 50) ? 256 : between(k, 1, 40);
  p->in_zero = edgy(k, least(k), most(k));
  p->out_zero = edgy(k, least(k), most(k));
  clamp_range(k, &p->lo, &p->hi);
  void *x = input(k, 0, (size_t)p->n);
  for (int i = 0; k->bytes == 1 && p->n == 256 && i < 256; i++) put(k, x, (size_t)i, i - 128);
  return x;
}

/* TFLite's multiplier and radius for a real input scale; the test of lowering checks the same against its formula. */
static void input_scale(kase *k, thr_unary_params *p, double *scale) {
  *scale = ldexp(1 + th_rng_uniform(&k->rng), between(k, -12, 0));
  int shift;
  p->mult[0] = (int32_t)round(ldexp(frexp(*scale * (1 << 27), &shift), 31));
  p->shift[0] = (int8_t)shift;
  p->radius = (int32_t)floor(15 * ldexp(1, 27 - shift));
}

static void saturating_case(kase *k, bool tanh_not_logistic) {
  thr_unary_params *p = &k->step.p.unary;
  const int8_t *x = unary_input(k, p);
  double scale;
  input_scale(k, p, &scale);
  const bool cut = chance(k, 30); /* a radius that matters, so that its edge is seen */
  if (cut) p->radius = between(k, 1, p->radius < 40 ? p->radius : 40);
  int8_t *y = expect(k, (size_t)p->n);
  for (int i = 0; i < p->n; i++) {
    const int32_t v = x[i] - p->in_zero;
    const int32_t z = abs(v) < p->radius ? model_scale(v, p->mult[0], p->shift[0]) : 0;
    const int32_t out = tanh_not_logistic ? model_rshift(model_tanh(z), 24) : model_rshift(model_logistic(z), 23) - 128;
    y[i] = (int8_t)(v <= -p->radius ? -128 : v >= p->radius ? 127 : model_saturate(out, 8));
    const double real = tanh_not_logistic ? 128 * tanh(scale * v) : 256 / (1 + exp(-scale * v)) - 128;
    if (!cut && fabs(y[i] - fmin(real, 127)) > 0.51) fail_msg("model gives %d, the function %g", y[i], real);
  }
}

static void case_logistic_s8(kase *k) {
  saturating_case(k, false);
}

static void case_tanh_s8(kase *k) {
  saturating_case(k, true);
}

static void case_relu_s8(kase *k) {
  thr_unary_params *p = &k->step.p.unary;
  const void *x = unary_input(k, p);
  p->mult[0] = any_mult(k);
  p->shift[0] = (int8_t)between(k, -6, 5);
  void *y = expect(k, (size_t)p->n);
  for (size_t i = 0; i < (size_t)p->n; i++) {
    const int32_t v = model_scale(get(k, x, i) - p->in_zero, p->mult[0], p->shift[0]);
    put(k, y, i, model_finish(v, p->out_zero, p->lo, p->hi));
  }
}

/* Bytes read as uint8 are the same bytes read as int8, plus 128 and with the upper bit changed. */
static void requantize_case(kase *k, bool from_u8) {
  thr_unary_params *p = &k->step.p.unary;
  const int8_t *x = unary_input(k, p);
  p->mult[0] = any_mult(k);
  p->shift[0] = (int8_t)between(k, -6, 5);
  int8_t *y = expect(k, (size_t)p->n);
  for (int i = 0; i < p->n; i++) {
    const int32_t v = (from_u8 && x[i] < 0 ? x[i] + 256 : x[i]) - (from_u8 ? p->in_zero + 128 : p->in_zero);
    y[i] = model_finish(model_scale(v, p->mult[0], p->shift[0]), p->out_zero, p->lo, p->hi);
    if (!from_u8) y[i] = (int8_t)(y[i] < 0 ? y[i] + 128 : y[i] - 128);
  }
  if (from_u8) {
    p->in_zero += 128;
  } else {
    p->out_zero += 128;
    p->lo += 128;
    p->hi += 128;
  }
}

static void case_requantize_u8_s8(kase *k) {
  requantize_case(k, true);
}

static void case_requantize_s8_u8(kase *k) {
  requantize_case(k, false);
}
CASE_S16(relu)

static void case_leaky_relu_s8(kase *k) {
  thr_unary_params *p = &k->step.p.unary;
  const void *x = unary_input(k, p);
  for (int i = 0; i < 2; i++) {
    p->mult[i] = (chance(k, 20) ? -1 : 1) * any_mult(k);
    p->shift[i] = (int8_t)between(k, -6, 5);
  }
  void *y = expect(k, (size_t)p->n);
  for (size_t i = 0; i < (size_t)p->n; i++) {
    const int32_t v = get(k, x, i) - p->in_zero, part = v >= 0 ? 0 : 1;
    put(k, y, i, model_finish(model_scale(v, p->mult[part], p->shift[part]), p->out_zero, p->lo, p->hi));
  }
}

CASE_S16(leaky_relu)

static void case_abs_s16(kase *k) {
  thr_unary_params *p = &k->step.p.unary;
  k->bytes = 2;
  const int16_t *x = unary_input(k, p);
  p->mult[0] = any_mult(k);
  p->shift[0] = (int8_t)between(k, -6, 2);
  int16_t *y = expect(k, (size_t)p->n);
  for (int i = 0; i < p->n; i++)
    y[i] =
        (int16_t)model_finish(model_scale(abs(x[i] - p->in_zero), p->mult[0], p->shift[0]), p->out_zero, p->lo, p->hi);
}

/* Roots with 20 bits of fraction, far from the kernel's way where libm can tell. */
static void case_rsqrt_s16(kase *k) {
  thr_unary_params *p = &k->step.p.unary;
  k->bytes = 2;
  const int16_t *x = unary_input(k, p);
  p->mult[0] = any_mult(k);
  p->shift[0] = (int8_t)between(k, -12, -4);
  int16_t *y = expect(k, (size_t)p->n);
  for (int i = 0; i < p->n; i++) {
    const int32_t v = x[i] - p->in_zero;
    int shift;
    const int32_t root = model_inverse_root(v, &shift), fraction = model_scale(1, root, shift + 20);
    if (v > 0 && fabs(fraction - ldexp(1 / sqrt(v), 20)) > 2) fail_msg("1/sqrt(%d) is %d / 2^20", v, fraction);
    y[i] = (int16_t)(v <= 0 ? p->hi
                            : model_finish(model_scale(fraction, p->mult[0], p->shift[0]), p->out_zero, p->lo, p->hi));
  }
}

/* The functions themselves, interpolated by hand between points of libm: no result may be further from the truth than
 * the table's errors, and every formula of the definition is recomputed with divisions. */
static double table_sigmoid(int i) {
  const double h = 1.0 / 24, a = 1 / (1 + exp(-i * h)), b = 1 / (1 + exp(-(i + 1) * h));
  const double middle = 1 / (1 + exp(-(i + 0.5) * h));
  return i == 255 ? 65535 : floor(65536 * (a + (middle - (a + b) / 2) / 2) + 0.5);
}

static void table_case(kase *k, bool tanh_not_logistic) {
  thr_unary_params *p = &k->step.p.unary;
  k->bytes = 2;
  const int16_t *x = unary_input(k, p);
  const bool power = chance(k, 30);
  p->mult[0] = power ? 3 << (tanh_not_logistic ? between(k, 0, 1) : 0) : between(k, 16384, 32767);
  p->shift[0] = (int8_t)(power ? 0 : between(k, 0, 20));
  int16_t *y = expect(k, (size_t)p->n);
  const int step = tanh_not_logistic ? 256 : 512;
  for (int i = 0; i < p->n; i++) {
    const wide v = p->shift[0] ? floor_div((wide)x[i] * p->mult[0] + power2(p->shift[0] - 1), power2(p->shift[0]))
                               : (wide)x[i] * p->mult[0];
    const wide distance = v < 0 ? -v : v;
    const int at = (int)(distance / step);
    const double a = at < 255 ? table_sigmoid(at) : 0, b = at < 255 ? table_sigmoid(at + 1) : 0;
    const wide inner = (wide)(a * step + (double)(distance % step) * (b - a));
    wide r;
    if (tanh_not_logistic) {
      r = (at < 255 ? inner : (wide)65535 * 256) - power2(23);
      r = floor_div(v < 0 ? 127 - r : r + 128, 256);
    } else {
      r = at < 255 ? inner : (wide)32767 * 1024;
      r = floor_div(v < 0 ? power2(25) - r + 511 : r + 512, 1024);
    }
    y[i] = (int16_t)r;
    const double real = (double)v / 12288, truth = tanh_not_logistic ? tanh(real) : 1 / (1 + exp(-real));
    if (fabs(y[i] - 32768 * truth) > 3) fail_msg("model gives %d, the function %g", y[i], 32768 * truth);
  }
}

static void case_logistic_s16(kase *k) {
  table_case(k, false);
}

static void case_tanh_s16(kase *k) {
  table_case(k, true);
}

static int32_t model_high_mul16(int32_t a, int32_t b) {
  return model_saturate(floor_div((wide)a * b + power2(14), power2(15)), 16);
}

static void case_hard_swish_s8(kase *k) {
  thr_unary_params *p = &k->step.p.unary;
  const int8_t *x = unary_input(k, p);
  for (int i = 0; i < 2; i++) p->mult[i] = chance(k, 10) ? INT16_MAX : between(k, 1 << 14, INT16_MAX);
  p->shift[0] = (int8_t)between(k, -8, 0);
  p->shift[1] = (int8_t)between(k, -9, 9);
  int8_t *y = expect(k, (size_t)p->n);
  for (int i = 0; i < p->n; i++) {
    const int32_t v = (x[i] - p->in_zero) * 128, e = p->shift[1];
    int32_t g = model_high_mul16(model_saturate(v * power2(e > 0 ? e - 1 : 0), 16), p->mult[1]);
    g = e > 0 ? model_saturate(2 * (wide)g, 16) : e < 0 ? model_rshift(g, -e) : g;
    g = (int32_t)floor_div((wide)g + 32768, 2);
    const int32_t q = (int32_t)((wide)g * model_high_mul16(v, p->mult[0]) / 32768);
    y[i] = model_finish(model_rshift(q, -p->shift[0]), p->out_zero, p->lo, p->hi);
  }
}

/* bits: of the output, 8 or 16 */
static void softmax_row(const thr_softmax_params *p, const int8_t *x, int32_t *y, int bits) {
  int32_t max = -128, zeros = 0, e[2000];
  wide sum = 0;
  for (int i = 0; i < p->depth; i++) max = x[i] > max ? x[i] : max;
  for (int i = 0; i < p->depth; i++) {
    const int32_t d = x[i] - max;
    e[i] = d < p->diff_min ? -1 : model_exp(model_high_mul((int32_t)(d * power2(p->shift)), p->mult), 5);
    if (e[i] >= 0) sum += model_rshift(e[i], 12);
  }
  while (sum * power2(zeros) < power2(31)) zeros++;
  const int32_t fraction = (int32_t)(sum * power2(zeros) - power2(31));
  const int32_t r = model_saturate(model_reciprocal(fraction) * power2(1), 32);
  const int32_t lowest = -(1 << (bits - 1));
  for (int i = 0; i < p->depth; i++)
    y[i] = e[i] < 0 ? lowest : model_saturate(model_rshift(model_high_mul(r, e[i]), 43 - bits - zeros) + lowest, bits);
}

static void softmax_case(kase *k, int bits) {
  thr_softmax_params *p = &k->step.p.softmax;
  const double scale = ldexp(1 + th_rng_uniform(&k->rng), between(k, -10, 1));
  int shift;
  p->mult = (int32_t)round(ldexp(frexp(fmin(scale * (1 << 26), INT32_MAX), &shift), 31));
  p->shift = (int8_t)shift;
  p->diff_min = -(int32_t)floor(31 * ldexp(1, 26 - shift));
  const bool cut = chance(k, 30);
  if (cut) p->diff_min = -between(k, 0, -p->diff_min < 60 ? -p->diff_min : 60);
  p->rows = between(k, 1, 4);
  p->depth = chance(k, 10) ? between(k, 300, 1500) : between(k, 1, 30);
  int8_t *x = (int8_t *)input(k, 0, (size_t)(p->rows * p->depth));
  if (chance(k, 10)) memset(x, between(k, -128, 127), (size_t)(p->rows * p->depth));
  int32_t *y = th_arena_array(k->arena, (size_t)(p->rows * p->depth), sizeof *y);
  for (int r = 0; r < p->rows; r++) softmax_row(p, x + r * p->depth, y + r * p->depth, bits);
  void *expected = expect_bytes(k, (size_t)(p->rows * p->depth) * (size_t)bits / 8);
  k->bytes = bits / 8;
  for (int i = 0; i < p->rows * p->depth; i++) put(k, expected, (size_t)i, y[i]);
  double total = 0; /* the model itself against libm */
  int32_t max = -128;
  for (int i = 0; i < p->depth; i++) max = x[i] > max ? x[i] : max;
  for (int i = 0; i < p->depth; i++) total += exp(scale * (x[i] - max));
  for (int i = 0; !cut && i < p->depth && p->depth < 200; i++) {
    const double one = ldexp(1, bits), real = fmin(one * exp(scale * (x[i] - max)) / total - one / 2, one / 2 - 1);
    if (fabs(y[i] - real) > one / 256) fail_msg("softmax: model gives %d, the function %g", y[i], real);
  }
}

static void case_softmax_s8(kase *k) {
  softmax_case(k, 8);
}

static void case_softmax_s8_s16(kase *k) {
  softmax_case(k, 16);
}

/* Entry i of a table of 512 intervals of f over [lo, hi], in float32 as its definition says. */
static int32_t table_entry(float (*f)(float), float lo, float hi, int i) {
  const float h = (hi - lo) / 512, a = f(lo + (float)i * h) * 32768.0f;
  if (i == 512) return model_saturate((wide)roundf(f(hi) * 32768.0f), 16);
  const float m = roundf(f(lo + (float)i * h + h / 2) * 32768.0f), b = f(lo + (float)(i + 1) * h) * 32768.0f;
  return model_saturate((wide)(roundf(a) - roundf((roundf((b + roundf(a)) / 2) - m) / 2)), 16);
}

static float one_over_one_plus(float v) {
  return 1.0f / (1.0f + v);
}

static int32_t between_entries(float (*f)(float), float lo, float hi, int32_t v) {
  const int32_t at = (v + 32768) / 128, rest = (v + 32768) % 128;
  const int32_t a = table_entry(f, lo, hi, at), b = table_entry(f, lo, hi, at + 1);
  return a + (int32_t)floor_div((b - a) * rest + 64, 128);
}

static void case_softmax_s16(kase *k) {
  thr_softmax_params *p = &k->step.p.softmax;
  const double scale = ldexp(1 + th_rng_uniform(&k->rng), between(k, -16, -8));
  int shift;
  k->bytes = 2;
  p->mult = (int32_t)round(ldexp(frexp(scale * 6553.5, &shift), 31));
  p->shift = (int8_t)shift;
  p->rows = between(k, 1, 3);
  p->depth = chance(k, 5) ? between(k, 100, 400) : between(k, 1, 20);
  int16_t *x = input(k, 0, (size_t)(p->rows * p->depth)), *y = expect(k, (size_t)(p->rows * p->depth));
  for (int row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
    int32_t max = INT16_MIN, sum = 0, zeros = 0, e[400];
    double total = 0;
    for (int i = 0; i < p->depth; i++) max = x[i] > max ? x[i] : max;
    for (int i = 0; i < p->depth; i++) {
      e[i] = between_entries(expf, -10, 0, model_saturate(model_scale(x[i] - max, p->mult, p->shift) + 32767, 16));
      sum += e[i];
      total += exp(scale * (x[i] - max));
    }
    while (sum * power2(zeros) < power2(31)) zeros++;
    const wide shifted = floor_div(sum * power2(zeros - 1) + power2(13), power2(14)) - 98304;
    const int32_t r = between_entries(one_over_one_plus, 0, 1, model_saturate(shifted, 16));
    for (int i = 0; i < p->depth; i++) {
      const wide v = floor_div((wide)e[i] * r + power2(30 - zeros), power2(31 - zeros));
      y[i] = (int16_t)(v < 0 ? 0 : v > 32767 ? 32767 : v);
      const double real = fmin(32768 * exp(scale * (x[i] - max)) / total, 32767);
      if (fabs(y[i] - real) > 64) fail_msg("softmax: model gives %d, the function %g", y[i], real);
    }
  }
}

/* --- moving bytes --- */

static void case_copy_s8(kase *k) {
  thr_copy_params *p = &k->step.p.copy;
  p->outer = between(k, 1, 6);
  p->block = between(k, 1, 20);
  p->out_step = p->block + between(k, 0, 9);
  p->out_offset = between(k, 0, p->out_step - p->block);
  const int8_t *x = input(k, 0, (size_t)(p->outer * p->block));
  int8_t *y = expect(k, (size_t)(p->outer * p->out_step));
  k->written = th_arena_alloc(k->arena, k->out_bytes);
  for (int32_t i = 0; i < p->outer * p->block; i++) {
    const int32_t to = i / p->block * p->out_step + p->out_offset + i % p->block;
    y[to] = x[i];
    k->written[to] = 1;
  }
}

static void case_pad_s8(kase *k) {
  thr_pad_params *p = &k->step.p.pad;
  int32_t out[4], in_size = 1, out_size = 1;
  for (int d = 0; d < 4; d++) {
    p->in[d] = between(k, 1, 5);
    p->before[d] = chance(k, 50) ? 0 : between(k, 0, 3);
    p->after[d] = chance(k, 50) ? 0 : between(k, 0, 3);
    out[d] = p->before[d] + p->in[d] + p->after[d];
    in_size *= p->in[d];
    out_size *= out[d];
  }
  p->value = between(k, least(k), most(k));
  const void *x = input(k, 0, (size_t)in_size);
  void *y = expect(k, (size_t)out_size);
  for (int32_t i = 0; i < out_size; i++) {
    int32_t rest = i, step = 1, from = 0;
    bool inside = true;
    for (int d = 3; d >= 0; d--) {
      const int32_t c = rest % out[d] - p->before[d];
      inside = inside && c >= 0 && c < p->in[d];
      from += c * step;
      step *= p->in[d];
      rest /= out[d];
    }
    put(k, y, (size_t)i, inside ? get(k, x, (size_t)from) : p->value);
  }
}

CASE_S16(pad)

/* Output steps leave gaps but never let two blocks meet. */
static void case_strided_copy_s8(kase *k) {
  thr_strided_copy_params *p = &k->step.p.strided_copy;
  int32_t low = 0, high = 0, span, count = 1;
  p->block = chance(k, 50) ? 1 : between(k, 1, 9);
  span = p->block;
  for (int d = 5; d >= 0; d--) {
    p->dim[d] = chance(k, d < 3 ? 60 : 20) ? 1 : between(k, 1, 5);
    p->in_step[d] = edgy(k, -30, 30);
    p->out_step[d] = span + between(k, 0, 3);
    span += (p->dim[d] - 1) * p->out_step[d];
    low += p->in_step[d] < 0 ? (p->dim[d] - 1) * p->in_step[d] : 0;
    high += p->in_step[d] > 0 ? (p->dim[d] - 1) * p->in_step[d] : 0;
    count *= p->dim[d];
  }
  p->in_at = -low + between(k, 0, 5);
  p->out_at = between(k, 0, 5);
  const int8_t *x = input(k, 0, (size_t)(p->in_at + high + p->block));
  int8_t *y = expect(k, (size_t)(p->out_at + span));
  k->written = th_arena_alloc(k->arena, k->out_bytes);
  for (int32_t i = 0; i < count * p->block; i++) {
    int32_t from = p->in_at + i % p->block, to = p->out_at + i % p->block, rest = i / p->block;
    for (int d = 0; d < 6; d++) { /* any order of the dimensions visits all places */
      from += rest % p->dim[d] * p->in_step[d];
      to += rest % p->dim[d] * p->out_step[d];
      rest /= p->dim[d];
    }
    y[to] = x[from];
    k->written[to] = 1;
  }
}

/* --- resizing --- */

static float resize_scale(bool corners, int32_t in, int32_t out) {
  return corners && out > 1 ? (float)(in - 1) / (float)(out - 1) : (float)in / (float)out;
}

/* The same number as mantissa and shift. */
static void split_float(float v, int32_t *mantissa, uint8_t *shift) {
  int e;
  const float part = frexpf(v, &e);
  *mantissa = (int32_t)ldexpf(part, 24);
  *shift = (uint8_t)(*mantissa ? 24 - e : 0);
}

static int32_t model_nearest(int32_t i, float scale, bool half, bool corners, int32_t size) {
  volatile float at = ((float)i + (half ? 0.5f : 0.0f)) * scale; /* rounded to float32 here */
  const double index = corners ? round((double)at) : floor((double)at);
  return (int32_t)fmin(index, size - 1);
}

static void case_resize_nearest_s8(kase *k) {
  thr_resize_nearest_params *p = &k->step.p.resize_nearest;
  const bool large = chance(k, 20), corners = chance(k, 40);
  p->in_y = between(k, 1, large ? 40 : 9);
  p->in_x = between(k, 1, large ? 300 : 9);
  p->out_y = between(k, 1, 9);
  p->out_x = between(k, 1, large ? 300 : 20);
  p->pixel = between(k, 1, 4);
  p->round = corners;
  p->half = !corners && chance(k, 50);
  const float sy = resize_scale(corners, p->in_y, p->out_y), sx = resize_scale(corners, p->in_x, p->out_x);
  split_float(sy, &p->scale_y, &p->shift_y);
  split_float(sx, &p->scale_x, &p->shift_x);
  const int8_t *x = input(k, 0, (size_t)(p->in_y * p->in_x * p->pixel));
  int8_t *y = expect(k, (size_t)(p->out_y * p->out_x * p->pixel));
  for (int32_t i = 0; i < p->out_y * p->out_x * p->pixel; i++) {
    const int32_t c = i % p->pixel, ox = i / p->pixel % p->out_x, oy = i / p->pixel / p->out_x;
    const int32_t iy = model_nearest(oy, sy, p->half, corners, p->in_y);
    y[i] = x[(iy * p->in_x + model_nearest(ox, sx, p->half, corners, p->in_x)) * p->pixel + c];
  }
}

/* Each pixel's share of an output: 1024 at its place, less next to it; counted pixel by pixel. */
static int32_t model_share(int32_t at, int32_t pixel, int32_t size) {
  const int32_t first = at < 0 ? 0 : at / 1024, second = (int32_t)fmin(ceil(fmax(at, 0) / 1024), size - 1);
  const int32_t weight = at - 1024 * first;
  return (pixel == first ? 1024 - weight : 0) + (pixel == second ? weight : 0);
}

static void case_resize_bilinear_s8(kase *k) {
  thr_resize_bilinear_params *p = &k->step.p.resize_bilinear;
  const bool corners = chance(k, 40);
  p->in_y = between(k, 1, 8);
  p->in_x = between(k, 1, 8);
  p->out_y = between(k, 1, 17);
  p->out_x = between(k, 1, 17);
  p->c = between(k, 1, 4);
  p->half = !corners && chance(k, 50);
  const int32_t minus_y = corners && p->out_y > 1, minus_x = corners && p->out_x > 1;
  p->scale_y = (int32_t)floor(1024.0 * (p->in_y - minus_y) / (p->out_y - minus_y) + 0.5);
  p->scale_x = (int32_t)floor(1024.0 * (p->in_x - minus_x) / (p->out_x - minus_x) + 0.5);
  const int8_t *x = input(k, 0, (size_t)(p->in_y * p->in_x * p->c));
  int8_t *y = expect(k, (size_t)(p->out_y * p->out_x * p->c));
  for (int32_t i = 0; i < p->out_y * p->out_x * p->c; i++) {
    const int32_t c = i % p->c, ox = i / p->c % p->out_x, oy = i / p->c / p->out_x;
    const int32_t at_y = oy * p->scale_y + (p->half ? p->scale_y / 2 - 512 : 0);
    const int32_t at_x = ox * p->scale_x + (p->half ? p->scale_x / 2 - 512 : 0);
    wide sum = 0;
    for (int32_t py = 0; py < p->in_y; py++)
      for (int32_t px = 0; px < p->in_x; px++)
        sum +=
            (wide)x[(py * p->in_x + px) * p->c + c] * model_share(at_y, py, p->in_y) * model_share(at_x, px, p->in_x);
    y[i] = (int8_t)model_saturate((wide)round(ldexp((double)sum, -20)), 8);
  }
}

/* --- products --- */

/* Every tap of every input pixel is added where it belongs. */
static void case_transpose_conv2d_s8(kase *k) {
  thr_conv2d_params *p = &k->step.p.conv2d;
  *p = (thr_conv2d_params){.dilation_y = 1, .dilation_x = 1, .groups = 1};
  p->in_y = between(k, 1, 6);
  p->in_x = between(k, 1, 6);
  p->in_c = between(k, 1, 9);
  p->out_c = between(k, 1, 6);
  p->kernel_y = (int16_t)between(k, 1, 5);
  p->kernel_x = (int16_t)between(k, 1, 5);
  p->stride_y = (int16_t)between(k, 1, 4);
  p->stride_x = (int16_t)between(k, 1, 4);
  p->pad_y = (int16_t)between(k, 0, 3);
  p->pad_x = (int16_t)between(k, 0, 3);
  p->out_y = between(k, 1, p->in_y * p->stride_y + p->kernel_y);
  p->out_x = between(k, 1, p->in_x * p->stride_x + p->kernel_x);
  p->acc64 = k->bytes == 2 && chance(k, 60);
  zero_points(k, &p->in_zero, &p->out_zero);
  clamp_range(k, &p->lo, &p->hi);
  const int32_t row = p->kernel_y * p->kernel_x * p->in_c, elems = p->out_y * p->out_x * p->out_c;
  const int8_t *w = bytes_of(k, (size_t)row * (size_t)p->out_c);
  const void *x = input(k, 0, (size_t)p->in_y * (size_t)p->in_x * (size_t)p->in_c);
  p->weights = (thr_weights){.data = (const uint8_t *)w, .bytes = (uint32_t)(row * p->out_c)};
  const double magnitude = -62.5 * least(k) * sqrt(row);
  random_bias(k, p->out_c, magnitude, &p->bias);
  random_requant(k, p->out_c, magnitude, &p->requant);
  void *y = expect(k, (size_t)elems);
  wide *sums = th_arena_array(k->arena, (size_t)elems, sizeof *sums);
  for (int32_t i = 0; i < elems; i++) sums[i] = model_bias(&p->bias, i % p->out_c);
  for (int32_t i = 0; i < p->in_y * p->in_x * p->in_c; i++)
    for (int32_t j = 0; j < p->kernel_y * p->kernel_x * p->out_c; j++) {
      const int32_t ic = i % p->in_c, ix = i / p->in_c % p->in_x, iy = i / p->in_c / p->in_x;
      const int32_t oc = j % p->out_c, kx = j / p->out_c % p->kernel_x, ky = j / p->out_c / p->kernel_x;
      const int32_t oy = iy * p->stride_y + ky - p->pad_y, ox = ix * p->stride_x + kx - p->pad_x;
      if (oy < 0 || ox < 0 || oy >= p->out_y || ox >= p->out_x) continue;
      sums[(oy * p->out_x + ox) * p->out_c + oc] +=
          (get(k, x, (size_t)i) - p->in_zero) * w[((oc * p->kernel_y + ky) * p->kernel_x + kx) * p->in_c + ic];
    }
  for (int32_t i = 0; i < elems; i++)
    put(k, y, (size_t)i,
        model_finish(model_requant(&p->requant, i % p->out_c, sums[i], p->acc64), p->out_zero, p->lo, p->hi));
}

CASE_S16(transpose_conv2d)

static void case_batch_matmul_s8(kase *k) {
  thr_batch_matmul_params *p = &k->step.p.batch_matmul;
  int32_t size_a, size_b, count = 1;
  p->m = between(k, 1, 6);
  p->n = between(k, 1, 6);
  p->k = between(k, 1, 20);
  p->adj_a = chance(k, 50);
  p->adj_b = chance(k, 50);
  size_a = p->m * p->k;
  size_b = p->k * p->n;
  for (int d = 2; d >= 0; d--) {
    const bool whole_a = chance(k, 70), whole_b = chance(k, 70);
    p->dim[d] = between(k, 1, 3);
    p->a_step[d] = whole_a ? size_a : 0;
    p->b_step[d] = whole_b ? size_b : 0;
    if (whole_a) size_a *= p->dim[d];
    if (whole_b) size_b *= p->dim[d];
    count *= p->dim[d];
  }
  p->a_zero = k->bytes == 2 ? 0 : edgy(k, -128, 127);
  zero_points(k, &p->b_zero, &p->out_zero);
  p->mult = any_mult(k);
  p->shift = fitting_shift(k, 0.49 * least(k) * least(k) * sqrt(p->k));
  if (k->bytes == 2 && p->shift > 7) p->shift = 7;
  const void *a = input(k, 0, (size_t)size_a), *b = input(k, 1, (size_t)size_b);
  void *y = expect(k, (size_t)(count * p->m * p->n));
  for (int32_t i = 0; i < count * p->m * p->n; i++) {
    const int32_t x = i % p->n, row = i / p->n % p->m;
    int32_t rest = i / p->n / p->m, at_a = 0, at_b = 0;
    for (int d = 2; d >= 0; d--) {
      at_a += rest % p->dim[d] * p->a_step[d];
      at_b += rest % p->dim[d] * p->b_step[d];
      rest /= p->dim[d];
    }
    wide products = 0, of_a = 0, of_b = 0; /* zero points taken out afterwards */
    for (int32_t j = 0; j < p->k; j++) {
      const int32_t va = get(k, a, (size_t)(at_a + (p->adj_a ? j * p->m + row : row * p->k + j)));
      const int32_t vb = get(k, b, (size_t)(at_b + (p->adj_b ? x * p->k + j : j * p->n + x)));
      products += (wide)va * vb;
      of_a += va;
      of_b += vb;
    }
    products += -of_a * p->b_zero - of_b * p->a_zero + (wide)p->k * p->a_zero * p->b_zero;
    const int32_t v = k->bytes == 2 ? model_scale64(products, p->mult, p->shift)
                                    : model_scale(model_wrap(products), p->mult, p->shift);
    put(k, y, (size_t)i, model_finish(v, p->out_zero, least(k), most(k)));
  }
}

CASE_S16(batch_matmul)

/* --- changing types --- */

static void case_quantize_f32_s8(kase *k) {
  thr_quantize_params *p = &k->step.p.quantize;
  p->n = between(k, 1, 60);
  p->zero = edgy(k, -128, 127);
  p->scale = ldexpf(1 + (chance(k, 50) ? 0 : th_rng_uniform(&k->rng)), between(k, -12, 4));
  float *x = th_arena_array(k->arena, (size_t)p->n, sizeof *x);
  int8_t *y = expect(k, (size_t)p->n);
  k->in[0] = x;
  k->in_bytes[0] = (size_t)p->n * sizeof *x;
  for (int i = 0; i < p->n; i++) {
    x[i] = p->scale * (float)between(k, -300, 300) * (chance(k, 50) ? 0.5f : th_rng_uniform(&k->rng));
    if (chance(k, 2)) x[i] = chance(k, 50) ? 3e38f : -3e38f;
    if (chance(k, 5)) x[i] = nextafterf(p->scale * 0.5f, 0);
    const double v = (double)roundf(x[i] / p->scale) + p->zero;
    y[i] = (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v);
  }
}

static void case_dequantize_s8_f32(kase *k) {
  thr_quantize_params *p = &k->step.p.quantize;
  p->n = between(k, 1, 60);
  p->zero = edgy(k, -128, 127);
  p->scale = ldexpf(1 + th_rng_uniform(&k->rng), between(k, -12, 4));
  const int8_t *x = input(k, 0, (size_t)p->n);
  float *y = expect_bytes(k, (size_t)p->n * sizeof *y);
  for (int i = 0; i < p->n; i++) y[i] = (float)((double)p->scale * (x[i] - p->zero));
}

/* --- types by parameter --- */

static const struct {
  uint8_t type, bytes;
  int64_t lo, hi;
} any_types[4] = {{THR_DTYPE_S8, 1, -128, 127},
                  {THR_DTYPE_U8, 1, 0, 255},
                  {THR_DTYPE_S16, 2, INT16_MIN, INT16_MAX},
                  {THR_DTYPE_S32, 4, INT32_MIN, INT32_MAX}};

/* Little-endian numbers of any width. */
static void put_any(void *p, int i, int bytes, int64_t v) {
  for (int b = 0; b < bytes; b++) ((uint8_t *)p)[i * bytes + b] = (uint8_t)((uint64_t)v >> 8 * b);
}

static void case_requantize_any(kase *k) {
  thr_requantize_params *p = &k->step.p.requantize;
  const int a = between(k, 0, 3), b = between(k, 0, 3);
  p->n = between(k, 1, 60);
  p->in_type = any_types[a].type;
  p->out_type = any_types[b].type;
  p->in_zero = edgy(k, a == 3 ? -9000 : (int32_t)any_types[a].lo, a == 3 ? 9000 : (int32_t)any_types[a].hi);
  p->out_zero = edgy(k, b == 3 ? -9000 : (int32_t)any_types[b].lo, b == 3 ? 9000 : (int32_t)any_types[b].hi);
  p->mult = any_mult(k);
  p->shift = (int8_t)(between(k, -4, 4) + 8 * (any_types[b].bytes - any_types[a].bytes));
  uint8_t *x = th_arena_array(k->arena, (size_t)p->n, any_types[a].bytes);
  uint8_t *y = expect_bytes(k, (size_t)p->n * any_types[b].bytes);
  k->in[0] = x;
  k->in_bytes[0] = (size_t)p->n * any_types[a].bytes;
  for (int i = 0; i < p->n; i++) {
    const int64_t span = any_types[a].hi - any_types[a].lo + 1;
    const int64_t v =
        chance(k, 20) ? any_types[a].hi : any_types[a].lo + (int64_t)(th_rng_u64(&k->rng) % (uint64_t)span);
    put_any(x, i, any_types[a].bytes, v);
    const int32_t scaled = model_scale(model_wrap((wide)v - p->in_zero), p->mult, p->shift);
    const int32_t out = model_wrap((wide)scaled + p->out_zero);
    put_any(y, i, any_types[b].bytes,
            out < any_types[b].lo   ? any_types[b].lo
            : out > any_types[b].hi ? any_types[b].hi
                                    : out);
  }
}

static void case_quantize_f32_any(kase *k) {
  thr_quantize_params *p = &k->step.p.quantize;
  const int b = between(k, 0, 2);
  p->n = between(k, 1, 60);
  p->type = any_types[b].type;
  p->zero = edgy(k, (int32_t)any_types[b].lo, (int32_t)any_types[b].hi);
  p->scale = ldexpf(1 + (chance(k, 50) ? 0 : th_rng_uniform(&k->rng)), between(k, -12, 4));
  float *x = th_arena_array(k->arena, (size_t)p->n, sizeof *x);
  uint8_t *y = expect_bytes(k, (size_t)p->n * any_types[b].bytes);
  k->in[0] = x;
  k->in_bytes[0] = (size_t)p->n * sizeof *x;
  for (int i = 0; i < p->n; i++) {
    x[i] = p->scale * (float)between(k, -70000, 70000) * (chance(k, 50) ? 0.5f : th_rng_uniform(&k->rng));
    if (any_types[b].bytes == 1) x[i] /= 256;
    if (chance(k, 2)) x[i] = chance(k, 50) ? 3e38f : -3e38f;
    const double v = (double)roundf(x[i] / p->scale) + p->zero, lo = (double)any_types[b].lo,
                 hi = (double)any_types[b].hi;
    put_any(y, i, any_types[b].bytes, (int64_t)(v < lo ? lo : v > hi ? hi : v));
  }
}

static void case_dequantize_any_f32(kase *k) {
  thr_quantize_params *p = &k->step.p.quantize;
  const int a = between(k, 0, 3);
  p->n = between(k, 1, 60);
  p->type = any_types[a].type;
  p->zero = edgy(k, a == 3 ? -9000 : (int32_t)any_types[a].lo, a == 3 ? 9000 : (int32_t)any_types[a].hi);
  p->scale = ldexpf(1 + th_rng_uniform(&k->rng), between(k, -12, 4));
  uint8_t *x = th_arena_array(k->arena, (size_t)p->n, any_types[a].bytes);
  float *y = expect_bytes(k, (size_t)p->n * sizeof *y);
  k->in[0] = x;
  k->in_bytes[0] = (size_t)p->n * any_types[a].bytes;
  for (int i = 0; i < p->n; i++) {
    const int64_t span = any_types[a].hi - any_types[a].lo + 1;
    const int64_t v = (any_types[a].lo + (int64_t)(th_rng_u64(&k->rng) % (uint64_t)span)) / (a == 3 ? 2 : 1);
    put_any(x, i, any_types[a].bytes, v);
    y[i] = (float)((double)p->scale * (double)(v - p->zero));
  }
}

/* --- kernels with state --- */

/* Pairs of multiplier and shift, each for sums of about `magnitude` and results of `bits` bits. */
static void state_pair(kase *k, int32_t *mult, int8_t *shift, double magnitude, int bits) {
  *mult = any_mult(k);
  *shift = (int8_t)(bits - 1 - (int)log2(magnitude + 1) + between(k, -1, 1));
}

static void svdf_case(kase *k, int bytes) {
  thr_svdf_params *p = &k->step.p.svdf;
  const int32_t lo = bytes == 2 ? INT16_MIN : INT8_MIN;
  p->rank = between(k, 1, 3);
  p->filters = p->rank * between(k, 1, 6);
  p->in_n = between(k, 1, 20);
  p->memory = between(k, 1, 6);
  p->in_zero = edgy(k, -128, 127);
  p->out_zero = edgy(k, -128, 127);
  p->state_zero = bytes == 2 ? 0 : edgy(k, -128, 127);
  const int32_t row = p->in_n + p->memory * bytes, cells = p->filters * p->memory;
  const int8_t *w = bytes_of(k, (size_t)row * (size_t)p->filters), *x = input(k, 0, (size_t)p->in_n);
  p->weights = (thr_weights){.data = (const uint8_t *)w, .bytes = (uint32_t)(row * p->filters)};
  int32_t *mult = th_arena_array(k->arena, 2, sizeof *mult);
  int8_t *shift = th_arena_array(k->arena, 2, 1);
  state_pair(k, &mult[0], &shift[0], 8000.0 * sqrt(p->in_n), 8 * bytes);
  state_pair(k, &mult[1], &shift[1], (bytes == 2 ? 3e8 : 8000.0) * sqrt(p->memory * p->rank), 8);
  p->requant = (thr_requant){.mult = mult, .shift = shift};
  random_bias(k, p->filters, 8000.0, &p->bias);
  k->bytes = bytes;
  const void *state = input(k, 1, (size_t)cells);
  k->states = 2;
  void *after = k->after[1] = th_arena_alloc(k->arena, k->in_bytes[1]);
  k->bytes = 1;
  int8_t *y = expect(k, (size_t)(p->filters / p->rank));
  for (int32_t u = 0; u < p->filters / p->rank; u++) {
    wide sum = model_bias(&p->bias, u * p->rank);
    for (int32_t f = u * p->rank; f < (u + 1) * p->rank; f++) {
      wide feature = 0;
      for (int32_t i = 0; i < p->in_n; i++) feature += (wide)w[f * row + i] * (x[i] - p->in_zero);
      const int32_t clamped = model_saturate(model_scale(model_wrap(feature), mult[0], shift[0]), 8 * bytes);
      wide newest = clamped + p->state_zero; /* of which the low bits stay */
      newest -= floor_div(newest - lo, power2(8 * bytes)) * power2(8 * bytes);
      for (int32_t m = 0; m < p->memory; m++) {
        k->bytes = bytes;
        const int32_t v = m + 1 < p->memory ? get(k, state, (size_t)(f * p->memory + m + 1)) : (int32_t)newest;
        put(k, after, (size_t)(f * p->memory + m), v);
        k->bytes = 1;
        const uint8_t *t = (const uint8_t *)w + f * row + p->in_n + m * bytes;
        const int32_t weight = bytes == 1 ? (int8_t)t[0] : (int16_t)(t[0] + 256 * t[1]);
        sum += (wide)(v - p->state_zero) * weight;
      }
    }
    y[u] = (int8_t)model_finish(model_scale(model_wrap(sum), mult[1], shift[1]), p->out_zero, -128, 127);
  }
}

static void case_svdf_s8(kase *k) {
  svdf_case(k, 1);
}

static void case_svdf_s16(kase *k) {
  svdf_case(k, 2);
}

/* Sigmoid and tangent of z / 4096 by the table's formula. */
static int32_t model_gate(int32_t z, bool tangent) {
  const wide v = 3 * (wide)z, distance = v < 0 ? -v : v;
  const int step = tangent ? 256 : 512, at = (int)(distance / step);
  wide r = tangent ? (wide)65535 * 256 : (wide)32767 * 1024;
  if (at < 255)
    r = (wide)(table_sigmoid(at) * step + (double)(distance % step) * (table_sigmoid(at + 1) - table_sigmoid(at)));
  if (tangent) return (int32_t)floor_div(v < 0 ? 127 - (r - power2(23)) : r - power2(23) + 128, 256);
  return (int32_t)floor_div(v < 0 ? power2(25) - r + 511 : r + 512, 1024);
}

static wide half_range(wide v) {
  return v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v;
}

static int32_t lstm_gate(const thr_lstm_params *p, int gate, int32_t unit, const int8_t *x, const int8_t *h) {
  const int32_t row = gate * p->n + unit, size = p->in_n + p->n;
  const int8_t *w = (const int8_t *)p->weights.data + row * size;
  wide of_x = model_bias(&p->bias, row), of_h = 0;
  for (int32_t i = 0; i < p->in_n; i++) of_x += (wide)w[i] * (x[i] - p->in_zero);
  for (int32_t i = 0; i < p->n; i++) of_h += (wide)w[p->in_n + i] * (h[i] - p->out_zero);
  const wide a = half_range(model_scale(model_wrap(of_x), p->requant.mult[gate], p->requant.shift[gate]));
  const wide b = half_range(model_scale(model_wrap(of_h), p->requant.mult[4 + gate], p->requant.shift[4 + gate]));
  return model_gate((int32_t)half_range(a + b), gate == 2);
}

static void case_lstm_s8(kase *k) {
  thr_lstm_params *p = &k->step.p.lstm;
  p->time = between(k, 1, 4);
  p->in_n = between(k, 1, 12);
  p->n = between(k, 1, 8);
  p->in_zero = edgy(k, -128, 127);
  p->out_zero = edgy(k, -128, 127);
  p->clip = chance(k, 50) ? 0 : between(k, 1, 32767);
  p->tanh_mult = 3; /* a cell of scale 2^-12 */
  p->restart = chance(k, 50);
  const int32_t size = p->in_n + p->n;
  const int8_t *w = bytes_of(k, (size_t)(4 * p->n * size)), *x = input(k, 0, (size_t)(p->time * p->in_n));
  p->weights = (thr_weights){.data = (const uint8_t *)w, .bytes = (uint32_t)(4 * p->n * size)};
  random_bias(k, 4 * p->n, 8000.0, &p->bias);
  int32_t *mult = th_arena_array(k->arena, 11, sizeof *mult);
  int8_t *shift = th_arena_array(k->arena, 11, 1);
  for (int i = 0; i < 8; i++) state_pair(k, &mult[i], &shift[i], 8000.0 * sqrt(i < 4 ? p->in_n : p->n), 14);
  for (int i = 8; i < 11; i++) state_pair(k, &mult[i], &shift[i], 1e9, i == 10 ? 8 : 15);
  p->requant = (thr_requant){.mult = mult, .shift = shift};
  const int8_t *h0 = input(k, 1, (size_t)p->n);
  k->bytes = 2;
  const int16_t *c0 = input(k, 2, (size_t)p->n);
  k->bytes = 1;
  k->states = 6;
  int8_t *h = k->after[1] = th_arena_copy(k->arena, h0, (size_t)p->n);
  int16_t *c = k->after[2] = th_arena_copy(k->arena, c0, 2 * (size_t)p->n);
  for (int32_t u = 0; u < p->n && p->restart; u++) {
    h[u] = (int8_t)p->out_zero;
    c[u] = 0;
  }
  int8_t *y = expect(k, (size_t)(p->time * p->n)), next[8];
  for (int32_t t = 0; t < p->time; t++) {
    for (int32_t u = 0; u < p->n; u++) {
      const int32_t i = lstm_gate(p, 0, u, x + t * p->in_n, h), f = lstm_gate(p, 1, u, x + t * p->in_n, h);
      const int32_t g = lstm_gate(p, 2, u, x + t * p->in_n, h), o = lstm_gate(p, 3, u, x + t * p->in_n, h);
      wide v = half_range(half_range(model_scale(f * c[u], mult[8], shift[8])) +
                          half_range(model_scale(i * g, mult[9], shift[9])));
      if (p->clip > 0) v = v > p->clip ? p->clip : v < -p->clip ? -p->clip : v;
      c[u] = (int16_t)v;
      next[u] =
          (int8_t)model_finish(model_scale(model_gate(c[u], true) * o, mult[10], shift[10]), p->out_zero, -128, 127);
    }
    memcpy(h, next, (size_t)p->n);
    memcpy(y + t * p->n, next, (size_t)p->n);
  }
}

#endif
