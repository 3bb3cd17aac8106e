/* One output line of depthwise_conv2d_s8, from the lines of its window (NULL: outside the image).
 * SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"
#include "thr_rows.h"

/* The sum of output column x of a channel: `w` are its weights, `c` is its input channel. */
static int32_t convolve(const thr_conv2d_params *p, const int8_t *const *line, const int8_t *w, int32_t c, int32_t x,
                        int32_t bias) {
  const int32_t x0 = x * p->stride_x - p->pad_x;
  uint32_t acc = (uint32_t)bias;
  int32_t begin, end;
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &begin, &end);
  for (int32_t ky = 0; ky < p->kernel_y; ky++, w += p->kernel_x) {
    if (!line[ky]) continue;
    for (int32_t kx = begin; kx < end; kx++)
      acc += (uint32_t)((line[ky][(x0 + kx * p->dilation_x) * p->in_c + c] - p->in_zero) * w[kx]);
  }
  return (int32_t)acc;
}

void thr_depthwise_conv2d_s8_row_ref(const void *params, const int8_t *weights, const int8_t *const *line,
                                     int8_t *out) {
  const thr_conv2d_params *p = (const thr_conv2d_params *)params;
  const int32_t multiplier = p->out_c / p->in_c;
  const int8_t *w = thr_row_weights(p, weights);
  thr_channel_state channels = {0, 0, 0, 0};
  for (int32_t oc = 0; oc < p->out_c; oc++, w += (int32_t)p->kernel_y * p->kernel_x) {
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    for (int32_t x = 0; x < p->out_x; x++) {
      const int32_t acc = convolve(p, line, w, oc / multiplier, x, channel.bias);
      out[x * p->out_c + oc] = thr_finish(thr_scale(acc, channel.mult, channel.shift), p->out_zero, p->lo, p->hi);
    }
  }
}
