/* Convolution, int8 (TFLite CONV_2D), with groups and dilation.
 *
 *   acc = bias[oc] + sum over taps inside the image of w[oc, ky, kx, ic] * (x[y', x', ic] - in_zero)
 *   out = clamp(out_zero + scale(acc, mult[oc], shift[oc]), lo, hi)
 *
 * Output channels are the outermost loop: a coded weight row is then decoded once, used for the whole image, and
 * forgotten. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static int32_t row_elems(const thr_conv2d_params *p) {
  return (int32_t)p->kernel_y * p->kernel_x * (p->in_c / p->groups);
}

uint32_t thr_conv2d_s8_scratch_bytes(const thr_conv2d_params *p) {
  return p->weights.room + (p->weights.decode ? (uint32_t)row_elems(p) + p->weights.memory : 0);
}

/* Sum of one window. `in` points at the first channel of the group. */
static int32_t convolve(const thr_conv2d_params *p, const int8_t *in, const int8_t *w, int32_t y, int32_t x,
                        int32_t acc) {
  const int32_t depth = p->in_c / p->groups;
  const int32_t y0 = y * p->stride_y - p->pad_y, x0 = x * p->stride_x - p->pad_x;
  int32_t ky, ky_end, kx_begin, kx_end;
  thr_window(y0, p->kernel_y, p->dilation_y, p->in_y, &ky, &ky_end);
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &kx_begin, &kx_end);
  for (; ky < ky_end; ky++) {
    const int8_t *line = in + (size_t)(y0 + ky * p->dilation_y) * (size_t)p->in_x * (size_t)p->in_c;
    const int8_t *w_line = w + (size_t)ky * (size_t)p->kernel_x * (size_t)depth;
    if (p->dilation_x == 1 && depth == p->in_c && kx_begin < kx_end) { /* the taps of a line are neighbours */
      acc = thr_dot(acc, line + (size_t)(x0 + kx_begin) * (size_t)depth, w_line + (size_t)kx_begin * (size_t)depth,
                    (kx_end - kx_begin) * depth, p->in_zero);
      continue;
    }
    for (int32_t kx = kx_begin; kx < kx_end; kx++) {
      acc = thr_dot(acc, line + (size_t)(x0 + kx * p->dilation_x) * (size_t)p->in_c,
                    w_line + (size_t)kx * (size_t)depth, depth, p->in_zero);
    }
  }
  return acc;
}

void thr_conv2d_s8_ref(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch) {
  const int32_t row = row_elems(p), depth = p->in_c / p->groups, group_out = p->out_c / p->groups;
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const int8_t *group_in = in + (oc / group_out) * depth;
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    int8_t *o = out + oc;
    for (int32_t y = 0; y < p->out_y; y++) {
      for (int32_t x = 0; x < p->out_x; x++, o += p->out_c) {
        const int32_t acc = convolve(p, group_in, w, y, x, channel.bias);
        *o = thr_finish(thr_scale(acc, channel.mult, channel.shift), p->out_zero, p->lo, p->hi);
      }
    }
  }
}
