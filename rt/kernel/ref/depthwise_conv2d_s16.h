/* The loops of the 16x8 depthwise convolution; `taps` is the sum over the taps of one line.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DEPTHWISE_CONV2D_S16_H
#define THR_DEPTHWISE_CONV2D_S16_H

#include "arith.h"

/* acc + sum of x[i * step] * w[i] */
typedef int64_t thr_taps16_fn(int64_t acc, const int16_t *x, size_t step, const int8_t *w, int32_t n);

typedef struct thr_lines16 { /* of a window's lines, those inside the image: kernel lines [ky, ky_end) */
  int32_t ky, ky_end, y0;
} thr_lines16;

/* Sum of one window of one channel; `in` points at that channel of the first pixel. */
static inline int64_t thr_depthwise_s16_window(const thr_conv2d_params *p, const int16_t *in, const int8_t *w,
                                               const thr_lines16 *l, int32_t x, int64_t acc, thr_taps16_fn *taps) {
  const int32_t x0 = x * p->stride_x - p->pad_x;
  const size_t step = (size_t)p->dilation_x * (size_t)p->in_c, line = (size_t)p->in_x * (size_t)p->in_c;
  int32_t kx = 0, kx_end = p->kernel_x;
  if (x0 < 0 || x0 + (kx_end - 1) * p->dilation_x >= p->in_x) {
    thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &kx, &kx_end);
    if (kx >= kx_end) return acc;
  }
  if (l->ky >= l->ky_end) return acc;
  in += (size_t)(l->y0 + l->ky * p->dilation_y) * line + (size_t)(x0 + kx * p->dilation_x) * (size_t)p->in_c;
  w += l->ky * p->kernel_x + kx;
  for (int32_t n = l->ky_end - l->ky; n > 0; n--, in += (size_t)p->dilation_y * line, w += p->kernel_x) {
    acc = taps(acc, in, step, w, kx_end - kx);
  }
  return acc;
}

static inline void thr_depthwise_conv2d_s16_by(const thr_conv2d_params *p, const int16_t *in, int16_t *out,
                                               void *scratch, thr_taps16_fn *taps) {
  const int32_t row = (int32_t)p->kernel_y * p->kernel_x, multiplier = p->out_c / p->in_c;
  thr_stream stream;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const int64_t bias = thr_bias64_at(&p->bias, oc);
    const int32_t e = thr_requant_entry(&p->requant, oc), mult = p->requant.mult[e];
    const int shift = p->requant.shift[e];
    int16_t *o = out + oc;
    for (int32_t y = 0; y < p->out_y; y++) {
      thr_lines16 l = {0, 0, y * p->stride_y - p->pad_y};
      thr_window(l.y0, p->kernel_y, p->dilation_y, p->in_y, &l.ky, &l.ky_end);
      for (int32_t x = 0; x < p->out_x; x++, o += p->out_c) {
        const int64_t acc = thr_depthwise_s16_window(p, in + oc / multiplier, w, &l, x, bias, taps);
        *o = thr_finish16(thr_scale16(acc, mult, shift, p->acc64), p->out_zero, p->lo, p->hi);
      }
    }
  }
}

#endif
