/* Depthwise convolution: vectors over channels, a few output pixels or kernel taps in registers at a time.
 *
 * Channels are a multiple of 16, so there are no tails here; except for the 3 x 3 kernels, images come padded.
 * SPDX-License-Identifier: Apache-2.0 */
#include "math/kernel/kernel.h"

#define PIXELS 4 /* outputs of a row computed together */

/* `count` neighbouring outputs of one row, one vector of channels. */
TH_INLINE void forward_tile(const th_depthwise *d, const float *x, const float *w, vec start, float *out, int count,
                            int kernel_y, int kernel_x) {
  const ptrdiff_t c = d->channels, step = d->stride_x * c;
  vec acc[PIXELS];
#pragma GCC unroll 4
  for (int i = 0; i < count; i++) acc[i] = start;
  for (int ky = 0; ky < kernel_y; ky++) {
    const float *row = x + (ptrdiff_t)ky * d->dilation_y * d->in_x * c;
    for (int kx = 0; kx < kernel_x; kx++) {
      vec tap = vec_load(w + ((ptrdiff_t)ky * kernel_x + kx) * c);
      const float *p = row + (ptrdiff_t)kx * d->dilation_x * c;
#pragma GCC unroll 4
      for (int i = 0; i < count; i++) acc[i] += vec_load(p + i * step) * tap;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < count; i++) vec_store(out + i * c, acc[i]);
}

TH_INLINE void forward(const th_depthwise *d, const float *x, const float *w, const float *bias, float *out,
                       int kernel_y, int kernel_x) {
  const ptrdiff_t c = d->channels, step = d->stride_x * c;
  for (int oy = 0; oy < d->out_y; oy++) {
    const float *row = x + (ptrdiff_t)oy * d->stride_y * d->in_x * c;
    for (ptrdiff_t ch = 0; ch < c; ch += TH_LANES) {
      vec start = bias ? vec_load(bias + ch) : (vec){0};
      float *to = out + (ptrdiff_t)oy * d->out_x * c + ch;
      int ox = 0;
      for (; ox + PIXELS <= d->out_x; ox += PIXELS)
        forward_tile(d, row + ox * step + ch, w + ch, start, to + ox * c, PIXELS, kernel_y, kernel_x);
      for (; ox < d->out_x; ox++)
        forward_tile(d, row + ox * step + ch, w + ch, start, to + ox * c, 1, kernel_y, kernel_x);
    }
  }
}

void TH_KERNEL(depthwise)(const th_depthwise *d, const float *x, const float *w, const float *bias, float *out) {
  if (d->kernel_y == 3 && d->kernel_x == 3)
    forward(d, x, w, bias, out, 3, 3);
  else
    forward(d, x, w, bias, out, d->kernel_y, d->kernel_x);
}

/* The rows of a 3 x 3 window at output row oy; NULL: in the border, counts as zero. */
typedef struct window {
  const float *row[3];
  ptrdiff_t c;
  int in_x;
} window;

TH_INLINE window window_at(const th_depthwise *d, int in_y, int top, const float *x, int oy) {
  window w = {.c = d->channels, .in_x = d->in_x};
#pragma GCC unroll 3
  for (int ky = 0; ky < 3; ky++) {
    int y = oy * d->stride_y - top + ky;
    w.row[ky] = y >= 0 && y < in_y ? x + (ptrdiff_t)y * d->in_x * d->channels : NULL;
  }
  return w;
}

/* One output, whose window may stick out. */
TH_INLINE vec edge_3x3(const window *in, int ix, const vec taps[9], vec acc) {
#pragma GCC unroll 9
  for (int t = 0; t < 9; t++) {
    int x = ix + t % 3;
    if (in->row[t / 3] && x >= 0 && x < in->in_x) acc += vec_load(in->row[t / 3] + x * in->c) * taps[t];
  }
  return acc;
}

/* PIXELS outputs whose windows lie inside: weights stay in registers, and each input is loaded once. */
TH_INLINE void inner_3x3(const window *in, int ix, const vec taps[9], vec start, int stride, float *out) {
  vec acc[PIXELS];
#pragma GCC unroll 4
  for (int i = 0; i < PIXELS; i++) acc[i] = start;
#pragma GCC unroll 3
  for (int ky = 0; ky < 3; ky++) {
    vec x[2 * PIXELS + 1];
    if (!in->row[ky]) continue;
#pragma GCC unroll 9
    for (int i = 0; i < (PIXELS - 1) * stride + 3; i++) x[i] = vec_load(in->row[ky] + (ix + i) * in->c);
#pragma GCC unroll 3
    for (int kx = 0; kx < 3; kx++)
#pragma GCC unroll 4
      for (int i = 0; i < PIXELS; i++) acc[i] += x[i * stride + kx] * taps[ky * 3 + kx];
  }
#pragma GCC unroll 4
  for (int i = 0; i < PIXELS; i++) vec_store(out + i * in->c, acc[i]);
}

/* One row of outputs, one vector of channels. */
TH_INLINE void row_3x3(const th_depthwise *d, const window *in, int left, const float *w, vec start, int stride,
                       float *out) {
  const ptrdiff_t c = d->channels;
  vec taps[9];
#pragma GCC unroll 9
  for (int t = 0; t < 9; t++) taps[t] = vec_load(w + t * c);
  for (int ox = 0; ox < d->out_x;) {
    int ix = ox * stride - left;
    if (ix >= 0 && ix + (PIXELS - 1) * stride + 3 <= d->in_x && ox + PIXELS <= d->out_x) {
      inner_3x3(in, ix, taps, start, stride, out + ox * c);
      ox += PIXELS;
    } else {
      vec_store(out + ox * c, edge_3x3(in, ix, taps, start));
      ox++;
    }
  }
}

/* Row by row, so that memory passes in order. */
TH_INLINE void image_3x3(const th_depthwise *d, int in_y, int top, int left, const float *x, const float *w,
                         const float *bias, int stride, float *out) {
  const ptrdiff_t c = d->channels;
  for (int oy = 0; oy < d->out_y; oy++, out += d->out_x * c)
    for (ptrdiff_t ch = 0; ch < c; ch += TH_LANES) {
      window in = window_at(d, in_y, top, x + ch, oy);
      row_3x3(d, &in, left, w + ch, bias ? vec_load(bias + ch) : (vec){0}, stride, out + ch);
    }
}

void TH_KERNEL(depthwise_3x3)(const th_depthwise *d, int in_y, int top, int left, const float *x, const float *w,
                              const float *bias, float *out) {
  if (d->stride_x == 1)
    image_3x3(d, in_y, top, left, x, w, bias, 1, out);
  else
    image_3x3(d, in_y, top, left, x, w, bias, 2, out);
}

TH_INLINE void edge_weights_3x3(const window *in, int ix, vec grad, vec acc[9]) {
#pragma GCC unroll 9
  for (int t = 0; t < 9; t++) {
    int x = ix + t % 3;
    if (in->row[t / 3] && x >= 0 && x < in->in_x) acc[t] += vec_load(in->row[t / 3] + x * in->c) * grad;
  }
}

/* `count` outputs of a row, of whose windows rows [ky, ky_end) and columns [kx, kx_end) lie in the image. */
TH_INLINE void inner_weights_3x3(const window *in, const float *dy, int count, int step, int ix, int ky, int ky_end,
                                 int kx, int kx_end, vec acc[9]) {
  for (; count > 0; count--, ix += step, dy += in->c) {
    vec grad = vec_load(dy);
#pragma GCC unroll 9
    for (int t = 3 * ky; t < 3 * ky_end; t++)
      if (t % 3 >= kx && t % 3 < kx_end) acc[t] += vec_load(in->row[t / 3] + (ix + t % 3) * in->c) * grad;
  }
}

/* The common borders are compiled each on its own, without branches. */
TH_INLINE void span_weights_3x3(const window *in, const float *dy, int count, int step, int ix, int kx, int kx_end,
                                vec acc[9]) {
  if (!in->row[1] || (!in->row[0] && !in->row[2]))
    for (; count > 0; count--, ix += step, dy += in->c) edge_weights_3x3(in, ix, vec_load(dy), acc);
  else if (!in->row[0])
    inner_weights_3x3(in, dy, count, step, ix, 1, 3, kx, kx_end, acc);
  else if (!in->row[2])
    inner_weights_3x3(in, dy, count, step, ix, 0, 2, kx, kx_end, acc);
  else
    inner_weights_3x3(in, dy, count, step, ix, 0, 3, kx, kx_end, acc);
}

TH_INLINE void row_weights_3x3(const th_depthwise *d, const window *in, int left, const float *dy, float *dw) {
  const ptrdiff_t c = d->channels;
  const int step = d->stride_x;
  vec acc[9];
#pragma GCC unroll 9
  for (int t = 0; t < 9; t++) acc[t] = vec_load(dw + t * c);
  for (int ox = 0, ix = -left; ox < d->out_x;) {
    int count = 1, inside = ix < 0 || ix + 3 > d->in_x ? 0 : (d->in_x - 3 - ix) / step + 1;
    if (inside) {
      count = inside < d->out_x - ox ? inside : d->out_x - ox;
      span_weights_3x3(in, dy, count, step, ix, 0, 3, acc);
    } else if (ix == -1 && d->in_x > 1) {
      span_weights_3x3(in, dy, 1, step, ix, 1, 3, acc);
    } else if (ix >= 0 && ix == d->in_x - 2) {
      span_weights_3x3(in, dy, 1, step, ix, 0, 2, acc);
    } else {
      edge_weights_3x3(in, ix, vec_load(dy), acc);
    }
    ox += count, ix += count * step, dy += count * c;
  }
#pragma GCC unroll 9
  for (int t = 0; t < 9; t++) vec_store(dw + t * c, acc[t]);
}

void TH_KERNEL(depthwise_weights_3x3)(const th_depthwise *d, int in_y, int top, int left, const float *x,
                                      const float *dy, float *dw) {
  const ptrdiff_t c = d->channels;
  for (int oy = 0; oy < d->out_y; oy++, dy += d->out_x * c)
    for (ptrdiff_t ch = 0; ch < c; ch += TH_LANES) {
      window in = window_at(d, in_y, top, x + ch, oy);
      row_weights_3x3(d, &in, left, dy + ch, dw + ch);
    }
}

/* Sums of a block of `ky_count` x `kx_count` taps over the whole image, one vector of channels. */
TH_INLINE void weights_block(const th_depthwise *d, const float *x, const float *dy, float *dw, int ky_count,
                             int kx_count) {
  const ptrdiff_t c = d->channels, step = d->stride_x * c;
  const ptrdiff_t tap_x = d->dilation_x * c, tap_y = (ptrdiff_t)d->dilation_y * d->in_x * c;
  vec acc[3][3];
#pragma GCC unroll 3
  for (int ky = 0; ky < ky_count; ky++)
#pragma GCC unroll 3
    for (int kx = 0; kx < kx_count; kx++) acc[ky][kx] = vec_load(dw + ((ptrdiff_t)ky * d->kernel_x + kx) * c);
  for (int oy = 0; oy < d->out_y; oy++) {
    const float *p = x + (ptrdiff_t)oy * d->stride_y * d->in_x * c;
    const float *g = dy + (ptrdiff_t)oy * d->out_x * c;
    for (int ox = 0; ox < d->out_x; ox++, p += step, g += c) {
      vec grad = vec_load(g);
#pragma GCC unroll 3
      for (int ky = 0; ky < ky_count; ky++)
#pragma GCC unroll 3
        for (int kx = 0; kx < kx_count; kx++) acc[ky][kx] += vec_load(p + ky * tap_y + kx * tap_x) * grad;
    }
  }
#pragma GCC unroll 3
  for (int ky = 0; ky < ky_count; ky++)
#pragma GCC unroll 3
    for (int kx = 0; kx < kx_count; kx++) vec_store(dw + ((ptrdiff_t)ky * d->kernel_x + kx) * c, acc[ky][kx]);
}

void TH_KERNEL(depthwise_weights)(const th_depthwise *d, const float *x, const float *dy, float *dw) {
  const ptrdiff_t c = d->channels;
  for (ptrdiff_t ch = 0; ch < c; ch += TH_LANES) {
    if (d->kernel_y == 3 && d->kernel_x == 3) {
      weights_block(d, x + ch, dy + ch, dw + ch, 3, 3);
      continue;
    }
    for (int ky = 0; ky < d->kernel_y; ky++) {
      const float *row = x + (ptrdiff_t)ky * d->dilation_y * d->in_x * c + ch;
      float *to = dw + (ptrdiff_t)ky * d->kernel_x * c + ch;
      int kx = 0;
      for (; kx + 3 <= d->kernel_x; kx += 3)
        weights_block(d, row + (ptrdiff_t)kx * d->dilation_x * c, dy + ch, to + kx * c, 1, 3);
      for (; kx < d->kernel_x; kx++)
        weights_block(d, row + (ptrdiff_t)kx * d->dilation_x * c, dy + ch, to + kx * c, 1, 1);
    }
  }
}

void TH_KERNEL(depthwise_input)(const th_depthwise *d, const float *dy, const float *w, float *dx) {
  const ptrdiff_t c = d->channels;
  for (int oy = 0; oy < d->out_y; oy++)
    for (int ox = 0; ox < d->out_x; ox++, dy += c)
      for (int ky = 0; ky < d->kernel_y; ky++)
        for (int kx = 0; kx < d->kernel_x; kx++) {
          ptrdiff_t y = (ptrdiff_t)oy * d->stride_y + (ptrdiff_t)ky * d->dilation_y;
          ptrdiff_t x = (ptrdiff_t)ox * d->stride_x + (ptrdiff_t)kx * d->dilation_x;
          float *to = dx + (y * d->in_x + x) * c;
          const float *tap = w + ((ptrdiff_t)ky * d->kernel_x + kx) * c;
          for (ptrdiff_t ch = 0; ch < c; ch += TH_LANES)
            vec_store(to + ch, vec_load(to + ch) + vec_load(dy + ch) * vec_load(tap + ch));
        }
}
