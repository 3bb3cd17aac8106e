/* Depthwise convolution, int8 (TFLite DEPTHWISE_CONV_2D).
 *
 *   acc = bias[oc] + sum over taps inside the image of w[oc, ky, kx] * (x[y', x', oc / multiplier] - in_zero)
 *   out = clamp(out_zero + scale(acc, mult[oc], shift[oc]), lo, hi)         multiplier = out_c / in_c
 *
 * Weights are in (oc, ky, kx) order, unlike TFLite's (ky, kx, oc), so that a channel's few weights are one row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_window.h"

uint32_t thr_depthwise_conv2d_s8_scratch_bytes(const thr_conv2d_params *p) {
  return p->weights.decode ? (uint32_t)((int32_t)p->kernel_y * p->kernel_x) + p->weights.memory : 0;
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
        const int32_t acc = thr_depthwise_window(p, in + oc / multiplier, w, y, x, channel.bias);
        *o = thr_finish(thr_scale(acc, channel.mult, channel.shift), p->out_zero, p->lo, p->hi);
      }
    }
  }
}
