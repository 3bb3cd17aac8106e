/* One output line of depthwise_conv2d_s8 (see ref/depthwise_conv2d_s8_row.c). Where the window hangs over no side, the
 * input's zero point is taken out of the sum beforehand, and the taps of a line are three loads with their products, or
 * a short loop. Which lines are outside is the same for the whole row. No SIMD: neighbours in memory are of different
 * channels, whose weights are apart.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../ref/arith.h"
#include "requantize.h"
#include "thr_rows.h"

typedef struct row { /* of one channel: lines and weights of the window's part inside the image */
  const thr_conv2d_params *p;
  const int8_t *const *line;
  const int8_t *w;
  int32_t lines, c;
} row;

/* Any window; points outside are skipped. */
static int32_t sum_at_side(const row *r, int32_t x, int32_t acc) {
  const thr_conv2d_params *p = r->p;
  const int32_t x0 = x * p->stride_x - p->pad_x;
  const int8_t *w = r->w;
  int32_t begin, end;
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &begin, &end);
  for (int32_t y = 0; y < r->lines; y++, w += p->kernel_x)
    for (int32_t kx = begin; kx < end; kx++)
      acc = thr_wrap_add(acc, (r->line[y][(x0 + kx * p->dilation_x) * p->in_c + r->c] - p->in_zero) * w[kx]);
  return acc;
}

/* Sum of w * x, the window's first column being at `at`. */
static inline int32_t sum_inside(const row *r, int32_t at, int32_t step, int32_t acc) {
  const int32_t taps = r->p->kernel_x;
  const int8_t *w = r->w;
  uint32_t sum = (uint32_t)acc;
  for (int32_t y = 0; y < r->lines; y++, w += taps) {
    const int8_t *v = r->line[y] + at;
    if (taps == 3) {
      sum += (uint32_t)(v[0] * w[0] + v[step] * w[1] + v[2 * step] * w[2]);
      continue;
    }
    for (int32_t kx = 0; kx < taps; kx++, v += step) sum += (uint32_t)(*v * w[kx]);
  }
  return (int32_t)sum;
}

static int32_t sum_of_weights(const row *r) {
  int32_t sum = 0;
  for (int32_t i = 0; i < r->lines * r->p->kernel_x; i++) sum = thr_wrap_add(sum, r->w[i]);
  return sum;
}

static void make_channel(const row *r, const thr_channel *channel, int8_t *out) {
  const thr_conv2d_params *p = r->p;
  const int32_t step = p->dilation_x * p->in_c, span = (p->kernel_x - 1) * p->dilation_x;
  const int32_t inside = thr_wrap_sub(channel->bias, thr_wrap_mul(p->in_zero, sum_of_weights(r)));
  for (int32_t x = 0, x0 = -p->pad_x; x < p->out_x; x++, x0 += p->stride_x, out += p->out_c) {
    const int32_t acc = x0 >= 0 && x0 + span < p->in_x ? sum_inside(r, x0 * p->in_c + r->c, step, inside)
                                                       : sum_at_side(r, x, channel->bias);
    *out = thr_finish(thr_scale_dsp(acc, channel->mult, channel->shift), p->out_zero, p->lo, p->hi);
  }
}

void thr_depthwise_conv2d_s8_row_dsp(const void *params, const int8_t *weights, const int8_t *const *line,
                                     int8_t *out) {
  const thr_conv2d_params *p = (const thr_conv2d_params *)params;
  const int32_t multiplier = p->out_c / p->in_c;
  int32_t first = 0, lines = 0;
  thr_channel_state channels = {0, 0, 0, 0};
  while (first < p->kernel_y && !line[first]) first++;
  while (first + lines < p->kernel_y && line[first + lines]) lines++;
  const int8_t *w = thr_row_weights(p, weights) + first * p->kernel_x;
  for (int32_t oc = 0; oc < p->out_c; oc++, w += (int32_t)p->kernel_y * p->kernel_x) {
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    const row r = {p, line + first, w, lines, oc / multiplier};
    make_channel(&r, &channel, out + oc);
  }
}
