/* One output line of conv2d_s8, from the lines of its window. Lines outside the image are NULL and, as in the kernel,
 * add nothing. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"
#include "thr_rows.h"

/* The sum of output column x; `w` is the channel's row of weights, `c` its first input channel. */
static int32_t convolve(const thr_conv2d_params *p, const int8_t *const *line, const int8_t *w, int32_t c, int32_t x,
                        int32_t acc) {
  const int32_t depth = p->in_c / p->groups, x0 = x * p->stride_x - p->pad_x;
  const int neighbours = p->dilation_x == 1 && depth == p->in_c; /* the taps of a line */
  int32_t begin, end;
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &begin, &end);
  for (int32_t ky = 0; ky < p->kernel_y; ky++, w += p->kernel_x * depth) {
    if (!line[ky]) continue;
    for (int32_t kx = begin; kx < end; kx += neighbours ? end - begin : 1) {
      const int32_t n = neighbours ? (end - begin) * depth : depth;
      acc = thr_dot(acc, line[ky] + (x0 + kx * p->dilation_x) * p->in_c + c, w + kx * depth, n, p->in_zero);
    }
  }
  return acc;
}

void thr_conv2d_s8_row_ref(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out) {
  const thr_conv2d_params *p = (const thr_conv2d_params *)params;
  const int32_t depth = p->in_c / p->groups, group_out = p->out_c / p->groups;
  const int8_t *w = thr_row_weights(p, weights);
  thr_channel_state channels = {0, 0, 0, 0};
  for (int32_t oc = 0; oc < p->out_c; oc++, w += (int32_t)p->kernel_y * p->kernel_x * depth) {
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    for (int32_t x = 0; x < p->out_x; x++) {
      const int32_t acc = convolve(p, line, w, oc / group_out * depth, x, channel.bias);
      out[x * p->out_c + oc] = thr_finish(thr_scale(acc, channel.mult, channel.shift), p->out_zero, p->lo, p->hi);
    }
  }
}
