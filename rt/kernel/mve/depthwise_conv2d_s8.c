/* Depthwise convolution from weights in storage order, raw or coded, for Armv8.1-M MVE: a channel's row of weights
 * times the windows of four output pixels of a line. Their points are gathered: channels lie between them. Windows that
 * hang over the edge are the reference's. SPDX-License-Identifier: Apache-2.0 */
#include "../ref/depthwise_window.h"
#include "requantize.h"

typedef struct layer {
  const thr_conv2d_params *p;
  thr_mve_range range;
  int32_t inside, inside_end; /* output columns whose windows lie inside the image */
} layer;

static thr_q32 windows(const thr_conv2d_params *p, const int8_t *in, const int8_t *w, int32_t lines, int32_t begin) {
  const int32_t step = p->stride_x * p->in_c, hop = p->dilation_x * p->in_c, pitch = p->dilation_y * p->in_x * p->in_c;
  thr_q32 sum = thr_q32_all(begin);
  for (; lines > 0; lines--, in += pitch) {
    const int8_t *at = in;
    for (int32_t kx = p->kernel_x; kx > 0; kx--, at += hop)
      sum = thr_q32_add_mul(sum, thr_q32_load_apart(at, step), *w++);
  }
  return sum;
}

static int8_t alone(const layer *l, const int8_t *in, const int8_t *w, const thr_channel *channel, int32_t y,
                    int32_t x) {
  const int32_t acc = thr_depthwise_window(l->p, in, w, y, x, channel->bias);
  return thr_finish(thr_scale(acc, channel->mult, channel->shift), l->p->out_zero, l->p->lo, l->p->hi);
}

/* Line y of one output channel; `in` and `out` point at their channels of the first pixel. */
static void line_of_channel(const layer *l, const int8_t *in, const int8_t *w, const thr_channel *channel, int32_t y,
                            int8_t *out) {
  const thr_conv2d_params *p = l->p;
  const int32_t y0 = y * p->stride_y - p->pad_y;
  int32_t ky, ky_end, sum = 0, x = 0;
  thr_window(y0, p->kernel_y, p->dilation_y, p->in_y, &ky, &ky_end);
  for (int32_t i = ky * p->kernel_x; i < ky_end * p->kernel_x; i++) sum += w[i];
  const int32_t begin = thr_wrap_sub(channel->bias, thr_wrap_mul(p->in_zero, sum));
  for (; x < l->inside; x++) out[x * p->out_c] = alone(l, in, w, channel, y, x);
  for (; x + 4 <= l->inside_end; x += 4) {
    const int8_t *first = in + ((y0 + ky * p->dilation_y) * p->in_x + x * p->stride_x - p->pad_x) * p->in_c;
    const thr_q32 acc = windows(p, first, w + ky * p->kernel_x, ky_end - ky, begin);
    const thr_q32 scaled = thr_q32_scale_any(acc, channel->mult, channel->shift, l->range.relu);
    thr_q32_store_apart(out + x * p->out_c, thr_q32_finish(scaled, &l->range), p->out_c, 4);
  }
  for (; x < p->out_x; x++) out[x * p->out_c] = alone(l, in, w, channel, y, x);
}

static layer layer_of(const thr_conv2d_params *p) {
  layer l = {p, thr_mve_range_of(p->out_zero, p->lo, p->hi), (p->pad_x + p->stride_x - 1) / p->stride_x, 0};
  const int32_t room = p->in_x - 1 - (p->kernel_x - 1) * p->dilation_x + p->pad_x; /* for the last window inside */
  if (room >= 0) l.inside_end = room / p->stride_x + 1;
  if (l.inside > p->out_x) l.inside = p->out_x;
  if (l.inside_end > p->out_x) l.inside_end = p->out_x;
  return l;
}

void thr_depthwise_conv2d_s8_mve(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch) {
  const int32_t row = (int32_t)p->kernel_y * p->kernel_x, multiplier = p->out_c / p->in_c;
  const layer l = layer_of(p);
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    for (int32_t y = 0; y < p->out_y; y++)
      line_of_channel(&l, in + oc / multiplier, w, &channel, y, out + y * p->out_x * p->out_c + oc);
  }
}
