/* The loops of the 16x8 convolution. `dot` is the sum over neighbouring values and weights: that of arith.h in the
 * reference, another one in a variant. Inlined, so that it is no call. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_CONV2D_S16_H
#define THR_CONV2D_S16_H

#include "arith.h"

/* acc + sum of x[i] * w[i] */
typedef int64_t thr_dot16_fn(int64_t acc, const int16_t *x, const int8_t *w, int32_t n);

static inline int32_t thr_conv2d_row_elems(const thr_conv2d_params *p) {
  return (int32_t)p->kernel_y * p->kernel_x * (p->in_c / p->groups);
}

/* Sum of one window. `in` points at the first channel of the group. */
static inline int64_t thr_conv2d_s16_window(const thr_conv2d_params *p, const int16_t *in, const int8_t *w, int32_t y,
                                            int32_t x, int64_t acc, thr_dot16_fn *dot) {
  const int32_t depth = p->in_c / p->groups;
  const int32_t y0 = y * p->stride_y - p->pad_y, x0 = x * p->stride_x - p->pad_x;
  int32_t ky, ky_end, kx_begin, kx_end;
  thr_window(y0, p->kernel_y, p->dilation_y, p->in_y, &ky, &ky_end);
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &kx_begin, &kx_end);
  /* the taps of a line are neighbours, and one run of products, when they follow each other in memory */
  const int32_t run = p->dilation_x == 1 && depth == p->in_c && kx_begin < kx_end ? kx_end - kx_begin : 1;
  for (; ky < ky_end; ky++) {
    const int16_t *line = in + (size_t)(y0 + ky * p->dilation_y) * (size_t)p->in_x * (size_t)p->in_c;
    for (int32_t kx = kx_begin; kx < kx_end; kx += run) {
      acc = dot(acc, line + (size_t)(x0 + kx * p->dilation_x) * (size_t)p->in_c,
                w + (size_t)(ky * p->kernel_x + kx) * (size_t)depth, run * depth);
    }
  }
  return acc;
}

static inline void thr_conv2d_s16_by(const thr_conv2d_params *p, const int16_t *in, int16_t *out, void *scratch,
                                     thr_dot16_fn *dot) {
  const int32_t row = thr_conv2d_row_elems(p), depth = p->in_c / p->groups, group_out = p->out_c / p->groups;
  thr_stream stream;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const int16_t *group_in = in + (oc / group_out) * depth;
    const int64_t bias = thr_bias64_at(&p->bias, oc);
    const int32_t e = thr_requant_entry(&p->requant, oc), mult = p->requant.mult[e];
    const int shift = p->requant.shift[e];
    int16_t *o = out + oc;
    for (int32_t y = 0; y < p->out_y; y++) {
      for (int32_t x = 0; x < p->out_x; x++, o += p->out_c) {
        const int64_t acc = thr_conv2d_s16_window(p, group_in, w, y, x, bias, dot);
        *o = thr_finish16(thr_scale16(acc, mult, shift, p->acc64), p->out_zero, p->lo, p->hi);
      }
    }
  }
}

#endif
