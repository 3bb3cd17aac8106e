/* The sum of one window of one channel of a depthwise convolution. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DEPTHWISE_WINDOW_H
#define THR_DEPTHWISE_WINDOW_H

#include "arith.h"

/* `in` points at that channel of the first pixel. */
static inline int32_t thr_depthwise_window(const thr_conv2d_params *p, const int8_t *in, const int8_t *w, int32_t y,
                                           int32_t x, int32_t bias) {
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

#endif
