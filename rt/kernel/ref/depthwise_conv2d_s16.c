/* Depthwise convolution of int16 with int8 weights (TFLite DEPTHWISE_CONV_2D 16x8). Zero points are 0.
 *
 *   acc = bias[oc] + sum over taps inside the image of w[oc, ky, kx] * x[y', x', oc / multiplier]
 *
 * and the scaling of conv2d_s16.c; weights in the order of depthwise_conv2d_s8.c. SPDX-License-Identifier: Apache-2.0
 */
#include "depthwise_conv2d_s16.h"

uint32_t thr_depthwise_conv2d_s16_scratch_bytes(const thr_conv2d_params *p) {
  return p->weights.decode ? (uint32_t)((int32_t)p->kernel_y * p->kernel_x) + p->weights.memory : 0;
}

static int64_t taps(int64_t acc, const int16_t *x, size_t step, const int8_t *w, int32_t n) {
  uint64_t sum = (uint64_t)acc;
  for (int32_t i = 0; i < n; i++) sum += (uint64_t)(int64_t)(x[(size_t)i * step] * w[i]);
  return (int64_t)sum;
}

void thr_depthwise_conv2d_s16_ref(const thr_conv2d_params *p, const int16_t *in, int16_t *out, void *scratch) {
  thr_depthwise_conv2d_s16_by(p, in, out, scratch, taps);
}
