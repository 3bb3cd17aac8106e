/* Depthwise convolution: vectors over channels, a few output pixels or kernel taps in registers at a time.
 *
 * Images come padded and with channels a multiple of 16, so there are no borders and no tails here.
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

/* The usual case, 3 x 3 and stride 1: weights stay in registers, and each input is loaded once for the PIXELS outputs.
 */
TH_INLINE void forward_row_3x3(const th_depthwise *d, const float *row, const vec taps[9], vec start, float *out) {
  const ptrdiff_t c = d->channels;
  int ox = 0;
  for (; ox + PIXELS <= d->out_x; ox += PIXELS, row += PIXELS * c, out += PIXELS * c) {
    vec acc[PIXELS];
#pragma GCC unroll 4
    for (int i = 0; i < PIXELS; i++) acc[i] = start;
#pragma GCC unroll 3
    for (int ky = 0; ky < 3; ky++) {
      vec x[PIXELS + 2];
#pragma GCC unroll 6
      for (int i = 0; i < PIXELS + 2; i++) x[i] = vec_load(row + ((ptrdiff_t)ky * d->in_x + i) * c);
#pragma GCC unroll 3
      for (int kx = 0; kx < 3; kx++)
#pragma GCC unroll 4
        for (int i = 0; i < PIXELS; i++) acc[i] += x[i + kx] * taps[ky * 3 + kx];
    }
#pragma GCC unroll 4
    for (int i = 0; i < PIXELS; i++) vec_store(out + i * c, acc[i]);
  }
  for (; ox < d->out_x; ox++, row += c, out += c) {
    vec acc = start;
#pragma GCC unroll 9
    for (int t = 0; t < 9; t++) acc += vec_load(row + ((ptrdiff_t)(t / 3) * d->in_x + t % 3) * c) * taps[t];
    vec_store(out, acc);
  }
}

static void forward_3x3(const th_depthwise *d, const float *x, const float *w, const float *bias, float *out) {
  const ptrdiff_t c = d->channels;
  for (ptrdiff_t ch = 0; ch < c; ch += TH_LANES) {
    vec taps[9], start = bias ? vec_load(bias + ch) : (vec){0};
#pragma GCC unroll 9
    for (int t = 0; t < 9; t++) taps[t] = vec_load(w + t * c + ch);
    for (int oy = 0; oy < d->out_y; oy++)
      forward_row_3x3(d, x + (ptrdiff_t)oy * d->in_x * c + ch, taps, start, out + (ptrdiff_t)oy * d->out_x * c + ch);
  }
}

void TH_KERNEL(depthwise)(const th_depthwise *d, const float *x, const float *w, const float *bias, float *out) {
  bool small = d->kernel_y == 3 && d->kernel_x == 3;
  if (small && d->stride_y == 1 && d->stride_x == 1 && d->dilation_y == 1 && d->dilation_x == 1)
    forward_3x3(d, x, w, bias, out);
  else if (small)
    forward(d, x, w, bias, out, 3, 3);
  else
    forward(d, x, w, bias, out, d->kernel_y, d->kernel_x);
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
