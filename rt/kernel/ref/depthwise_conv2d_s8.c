/* Depthwise convolution, int8 (TFLite DEPTHWISE_CONV_2D).
 *
 *   acc = bias[oc] + sum over taps inside the image of w[oc, ky, kx] * (x[y', x', oc / multiplier] - in_zero)
 *   out = clamp(out_zero + scale(acc, mult[oc], shift[oc]), lo, hi)         multiplier = out_c / in_c
 *
 * Weights are in (oc, ky, kx) order, unlike TFLite's (ky, kx, oc), so that a channel's few weights are one row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

uint32_t thr_depthwise_conv2d_s8_scratch_bytes(const thr_conv2d_params *p) {
  return p->weights.decode ? (uint32_t)((int32_t)p->kernel_y * p->kernel_x) + p->weights.memory : 0;
}

/* Sum of one window of one channel; `in` points at that channel of the first pixel. */
static int32_t convolve(const thr_conv2d_params *p, const int8_t *in, const int8_t *w, int32_t y, int32_t x,
                        int32_t bias) {
  const int32_t y0 = y * p->stride_y - p->pad_y, x0 = x * p->stride_x - p->pad_x;
  uint32_t acc = (uint32_t)bias;
  int32_t ky, ky_end, kx_begin, kx_end;
  thr_window(y0, p->kernel_y, p->dilation_y, p->in_y, &ky, &ky_end);
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &kx_begin, &kx_end);
  for (; ky < ky_end; ky++) {
    const int8_t *line = in + (size_t)(y0 + ky * p->dilation_y) * (size_t)p->in_x * (size_t)p->in_c;
    const int8_t *w_line = w + ky * p->kernel_x;
    for (int32_t kx = kx_begin; kx < kx_end; kx++) {
      const int32_t v = line[(size_t)(x0 + kx * p->dilation_x) * (size_t)p->in_c];
      acc += (uint32_t)((v - p->in_zero) * w_line[kx]);
    }
  }
  return (int32_t)acc;
}

void thr_depthwise_conv2d_s8_ref(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch) {
  const int32_t row = (int32_t)p->kernel_y * p->kernel_x, multiplier = p->out_c / p->in_c;
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    int8_t *o = out + oc;
    for (int32_t y = 0; y < p->out_y; y++) {
      for (int32_t x = 0; x < p->out_x; x++, o += p->out_c) {
        const int32_t acc = convolve(p, in + oc / multiplier, w, y, x, channel.bias);
        *o = thr_finish(thr_scale(acc, channel.mult, channel.shift), p->out_zero, p->lo, p->hi);
      }
    }
  }
}
