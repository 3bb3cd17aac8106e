/* Depthwise convolution of int16 with int8 weights (TFLite DEPTHWISE_CONV_2D 16x8). Zero points are 0.
 *
 *   acc = bias[oc] + sum over taps inside the image of w[oc, ky, kx] * x[y', x', oc / multiplier]
 *
 * and the scaling of conv2d_s16.c; weights in the order of depthwise_conv2d_s8.c. SPDX-License-Identifier: Apache-2.0
 */
#include "arith.h"

uint32_t thr_depthwise_conv2d_s16_scratch_bytes(const thr_conv2d_params *p) {
  return p->weights.decode ? (uint32_t)((int32_t)p->kernel_y * p->kernel_x) + p->weights.memory : 0;
}

/* Sum of one window of one channel; `in` points at that channel of the first pixel. */
static int64_t convolve(const thr_conv2d_params *p, const int16_t *in, const int8_t *w, int32_t y, int32_t x,
                        int64_t bias) {
  const int32_t y0 = y * p->stride_y - p->pad_y, x0 = x * p->stride_x - p->pad_x;
  uint64_t acc = (uint64_t)bias;
  int32_t ky, ky_end, kx_begin, kx_end;
  thr_window(y0, p->kernel_y, p->dilation_y, p->in_y, &ky, &ky_end);
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &kx_begin, &kx_end);
  for (; ky < ky_end; ky++) {
    const int16_t *line = in + (size_t)(y0 + ky * p->dilation_y) * (size_t)p->in_x * (size_t)p->in_c;
    for (int32_t kx = kx_begin; kx < kx_end; kx++) {
      const int32_t v = line[(size_t)(x0 + kx * p->dilation_x) * (size_t)p->in_c];
      acc += (uint64_t)(int64_t)(v * w[ky * p->kernel_x + kx]);
    }
  }
  return (int64_t)acc;
}

void thr_depthwise_conv2d_s16_ref(const thr_conv2d_params *p, const int16_t *in, int16_t *out, void *scratch) {
  const int32_t row = (int32_t)p->kernel_y * p->kernel_x, multiplier = p->out_c / p->in_c;
  thr_stream stream;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const int64_t bias = thr_bias64_at(&p->bias, oc);
    int16_t *o = out + oc;
    for (int32_t y = 0; y < p->out_y; y++) {
      for (int32_t x = 0; x < p->out_x; x++, o += p->out_c) {
        const int64_t acc = convolve(p, in + oc / multiplier, w, y, x, bias);
        *o = thr_finish16(thr_requantize16(&p->requant, oc, acc, p->acc64), p->out_zero, p->lo, p->hi);
      }
    }
  }
}
