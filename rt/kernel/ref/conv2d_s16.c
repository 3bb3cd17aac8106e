/* Convolution of int16 with int8 weights (TFLite CONV_2D 16x8), with groups and dilation. Zero points are 0.
 *
 *   acc = bias[oc] + sum over taps inside the image of w[oc, ky, kx, ic] * x[y', x', ic]
 *   out = clamp(scale64(acc, mult[oc], shift[oc]), lo, hi)       with acc64: sums of 64 bits, one rounding
 *   out = clamp(scale(acc, mult[oc], shift[oc]), lo, hi)         else: sums of 32 bits, two roundings
 *
 * Weights are coded and used as in conv2d_s8.c. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static int32_t row_elems(const thr_conv2d_params *p) {
  return (int32_t)p->kernel_y * p->kernel_x * (p->in_c / p->groups);
}

uint32_t thr_conv2d_s16_scratch_bytes(const thr_conv2d_params *p) {
  return p->weights.decode ? (uint32_t)row_elems(p) + p->weights.memory : 0;
}

/* Sum of one window. `in` points at the first channel of the group. */
static int64_t convolve(const thr_conv2d_params *p, const int16_t *in, const int8_t *w, int32_t y, int32_t x,
                        int64_t acc) {
  const int32_t depth = p->in_c / p->groups;
  const int32_t y0 = y * p->stride_y - p->pad_y, x0 = x * p->stride_x - p->pad_x;
  int32_t ky, ky_end, kx_begin, kx_end;
  thr_window(y0, p->kernel_y, p->dilation_y, p->in_y, &ky, &ky_end);
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &kx_begin, &kx_end);
  for (; ky < ky_end; ky++) {
    const int16_t *line = in + (size_t)(y0 + ky * p->dilation_y) * (size_t)p->in_x * (size_t)p->in_c;
    for (int32_t kx = kx_begin; kx < kx_end; kx++) {
      acc = thr_dot16(acc, line + (size_t)(x0 + kx * p->dilation_x) * (size_t)p->in_c,
                      w + (size_t)(ky * p->kernel_x + kx) * (size_t)depth, depth);
    }
  }
  return acc;
}

void thr_conv2d_s16_ref(const thr_conv2d_params *p, const int16_t *in, int16_t *out, void *scratch) {
  const int32_t row = row_elems(p), depth = p->in_c / p->groups, group_out = p->out_c / p->groups;
  thr_stream stream;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const int16_t *group_in = in + (oc / group_out) * depth;
    const int64_t bias = thr_bias64_at(&p->bias, oc);
    int16_t *o = out + oc;
    for (int32_t y = 0; y < p->out_y; y++) {
      for (int32_t x = 0; x < p->out_x; x++, o += p->out_c) {
        const int64_t acc = convolve(p, group_in, w, y, x, bias);
        *o = thr_finish16(thr_requantize16(&p->requant, oc, acc, p->acc64), p->out_zero, p->lo, p->hi);
      }
    }
  }
}
