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

void TH_KERNEL(depthwise)(const th_depthwise *d, const float *x, const float *w, const float *bias, float *out) {
  if (d->kernel_y == 3 && d->kernel_x == 3)
    forward(d, x, w, bias, out, 3, 3);
  else
    forward(d, x, w, bias, out, d->kernel_y, d->kernel_x);
}

/* Output ox of a row whose window sticks out: rows NULL or columns outside count as zero. */
TH_INLINE vec edge_3x3(const float *const rows[3], int in_x, ptrdiff_t c, int ix, const vec taps[9], vec acc) {
#pragma GCC unroll 9
  for (int t = 0; t < 9; t++) {
    int x = ix + t % 3;
    if (rows[t / 3] && x >= 0 && x < in_x) acc += vec_load(rows[t / 3] + x * c) * taps[t];
  }
  return acc;
}

/* PIXELS outputs whose windows lie inside: weights stay in registers, and each input is loaded once. */
TH_INLINE void inner_3x3(const float *const rows[3], ptrdiff_t c, int ix, const vec taps[9], vec start, float *out) {
  vec acc[PIXELS];
#pragma GCC unroll 4
  for (int i = 0; i < PIXELS; i++) acc[i] = start;
#pragma GCC unroll 3
  for (int ky = 0; ky < 3; ky++) {
    vec x[PIXELS + 2];
    if (!rows[ky]) continue;
#pragma GCC unroll 6
    for (int i = 0; i < PIXELS + 2; i++) x[i] = vec_load(rows[ky] + (ix + i) * c);
#pragma GCC unroll 3
    for (int kx = 0; kx < 3; kx++)
#pragma GCC unroll 4
      for (int i = 0; i < PIXELS; i++) acc[i] += x[i + kx] * taps[ky * 3 + kx];
  }
#pragma GCC unroll 4
  for (int i = 0; i < PIXELS; i++) vec_store(out + i * c, acc[i]);
}

void TH_KERNEL(depthwise_3x3)(const th_depthwise *d, int in_y, int top, int left, const float *x, const float *w,
                              const float *bias, float *out) {
  const ptrdiff_t c = d->channels;
  for (ptrdiff_t ch = 0; ch < c; ch += TH_LANES) {
    vec taps[9], start = bias ? vec_load(bias + ch) : (vec){0};
#pragma GCC unroll 9
    for (int t = 0; t < 9; t++) taps[t] = vec_load(w + t * c + ch);
    for (int oy = 0; oy < d->out_y; oy++) {
      const float *rows[3];
      float *to = out + (ptrdiff_t)oy * d->out_x * c + ch;
      for (int ky = 0; ky < 3; ky++) {
        int y = oy - top + ky;
        rows[ky] = y >= 0 && y < in_y ? x + (ptrdiff_t)y * d->in_x * c + ch : NULL;
      }
      for (int ox = 0; ox < d->out_x;) {
        int ix = ox - left;
        if (ix >= 0 && ix + PIXELS + 2 <= d->in_x && ox + PIXELS <= d->out_x) {
          inner_3x3(rows, c, ix, taps, start, to + ox * c);
          ox += PIXELS;
        } else {
          vec_store(to + ox * c, edge_3x3(rows, d->in_x, c, ix, taps, start));
          ox++;
        }
      }
    }
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
