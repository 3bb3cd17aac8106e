/* The walk over one output channel of a convolution without SIMD: windows that lie inside the image go in pairs to
 * `inside`, the others one by one to `border`.
 *
 * Inside, the input's zero point is taken out of the sum once per channel,
 *
 *   sum of w * (x - in_zero) = sum of w * x - in_zero * sum of w
 *
 * and a pair shares each load of a weight. All sums wrap, so their order does not matter. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef THR_SMALL_WINDOWS_H
#define THR_SMALL_WINDOWS_H

#include "dot.h"
#include "narrow.h"

typedef struct thr_windows {
  const thr_conv2d_params *p;
  const int8_t *in, *w;   /* what the output channel reads: first value, weights */
  int32_t depth;          /* values of a point that it reads */
  size_t line, point;     /* values from one tap to the one below, to the one beside */
  int32_t x_begin, x_end; /* output columns whose windows reach over no side */
  thr_narrow scale;
  int32_t border_bias, inside_bias; /* what a sum begins with */
} thr_windows;

/* Sums of the windows at `a` and `b`, without a bias. */
typedef thr_two thr_inside_fn(const thr_windows *l, const int8_t *a, const int8_t *b);

static inline void thr_windows_begin(thr_windows *l, const thr_conv2d_params *p) {
  l->p = p;
  l->line = (size_t)p->dilation_y * (size_t)p->in_x * (size_t)p->in_c;
  l->point = (size_t)p->dilation_x * (size_t)p->in_c;
  thr_places_inside(p->out_x, p->stride_x, p->pad_x, (p->kernel_x - 1) * p->dilation_x, p->in_x, &l->x_begin,
                    &l->x_end);
}

static inline void thr_windows_channel(thr_windows *l, const int8_t *in, const int8_t *w, int32_t elems,
                                       const thr_channel *channel) {
  const thr_conv2d_params *p = l->p;
  int32_t sum = 0;
  for (int32_t i = 0; i < elems; i++) sum = thr_wrap_add(sum, w[i]);
  l->in = in;
  l->w = w;
  l->border_bias = channel->bias;
  l->inside_bias = thr_wrap_sub(channel->bias, thr_wrap_mul(sum, p->in_zero));
  thr_narrow_begin(&l->scale, channel->mult, channel->shift, p->out_zero, p->lo, p->hi);
}

static inline int32_t thr_border_sum(const thr_windows *l, int32_t y0, int32_t x0) {
  const thr_conv2d_params *p = l->p;
  int32_t acc = l->border_bias, ky, ky_end, kx_begin, kx_end;
  thr_window(y0, p->kernel_y, p->dilation_y, p->in_y, &ky, &ky_end);
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &kx_begin, &kx_end);
  for (; ky < ky_end; ky++) {
    const int8_t *line = l->in + (size_t)(y0 + ky * p->dilation_y) * (size_t)p->in_x * (size_t)p->in_c;
    for (int32_t kx = kx_begin; kx < kx_end; kx++) {
      acc = thr_dot(acc, line + (size_t)(x0 + kx * p->dilation_x) * (size_t)p->in_c,
                    l->w + (size_t)(ky * p->kernel_x + kx) * (size_t)l->depth, l->depth, p->in_zero);
    }
  }
  return acc;
}

static inline void thr_border_columns(const thr_windows *l, int32_t y0, int32_t x, int32_t x_end, int8_t *out) {
  const thr_conv2d_params *p = l->p;
  for (; x < x_end; x++)
    out[(size_t)x * (size_t)p->out_c] = thr_narrow_finish(&l->scale, thr_border_sum(l, y0, x * p->stride_x - p->pad_x));
}

static inline void thr_inside_columns(const thr_windows *l, int32_t y0, int8_t *out, thr_inside_fn *inside) {
  const thr_conv2d_params *p = l->p;
  const size_t step = (size_t)p->stride_x * (size_t)p->in_c, out_step = (size_t)p->out_c;
  const int32_t x0 = l->x_begin * p->stride_x - p->pad_x;
  int32_t left = l->x_end - l->x_begin;
  if (left == 0) return;
  const int8_t *window = l->in + ((size_t)y0 * (size_t)p->in_x + (size_t)x0) * (size_t)p->in_c;
  out += (size_t)l->x_begin * out_step;
  for (; left > 0; left -= 2) {
    const thr_two sum = inside(l, window, left > 1 ? window + step : window); /* a last one alone: twice the same */
    *out = thr_narrow_finish(&l->scale, thr_wrap_add(l->inside_bias, sum.first));
    out += out_step;
    if (left == 1) return;
    *out = thr_narrow_finish(&l->scale, thr_wrap_add(l->inside_bias, sum.second));
    out += out_step;
    window += 2 * step;
  }
}

/* The whole output channel; `out` points at its first value. Inlined, so that `inside` is a direct call. */
static inline void thr_windows_run(const thr_windows *l, int8_t *out, thr_inside_fn *inside) {
  const thr_conv2d_params *p = l->p;
  for (int32_t y = 0; y < p->out_y; y++, out += (size_t)p->out_x * (size_t)p->out_c) {
    const int32_t y0 = y * p->stride_y - p->pad_y;
    if (y0 < 0 || y0 + (p->kernel_y - 1) * p->dilation_y >= p->in_y) {
      thr_border_columns(l, y0, 0, p->out_x, out);
      continue;
    }
    thr_border_columns(l, y0, 0, l->x_begin, out);
    thr_inside_columns(l, y0, out, inside);
    thr_border_columns(l, y0, l->x_end, p->out_x, out);
  }
}

#endif
