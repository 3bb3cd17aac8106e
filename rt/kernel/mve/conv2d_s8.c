/* Convolution from weights in storage order, raw or coded, for Armv8.1-M MVE: one row of weights times the windows of
 * four output pixels of a line at once, so a coded row is decoded once, as in the reference.
 *
 * The zero point goes into what the sums begin with, for the taps inside the image: bias - in_zero * their sum. Four
 * windows go together when they have the same taps inside: all between the edges. SPDX-License-Identifier: Apache-2.0
 */
#include "dot.h"
#include "requantize.h"

typedef struct layer {
  const thr_conv2d_params *p;
  int32_t depth, line; /* bytes of a pixel of the group, and of a line of weights */
  thr_mve_range range;
} layer;

typedef struct taps { /* those inside the image */
  int32_t ky, ky_end, kx, kx_end;
} taps;

/* Whether the taps of a line are neighbours in the input. */
static int in_one_run(const layer *l) {
  return l->p->dilation_x == 1 && l->depth == l->p->in_c;
}

static int32_t sum_of_weights(const layer *l, const int8_t *w, const taps *t) {
  const int32_t n = (t->kx_end - t->kx) * l->depth;
  int32_t sum = 0;
  if (n <= 0 || t->ky_end <= t->ky) return 0;
  if (n == l->line) return thr_mve_sum(w + t->ky * l->line, (t->ky_end - t->ky) * l->line);
  for (int32_t ky = t->ky; ky < t->ky_end; ky++) sum += thr_mve_sum(w + ky * l->line + t->kx * l->depth, n);
  return sum;
}

/* Sums of four windows, of which x[i] is the first tap inside. */
static thr_q32 windows(const layer *l, const int8_t *w, const taps *t, const int8_t *const *x, int32_t begin) {
  const thr_conv2d_params *p = l->p;
  const int32_t lines = t->ky_end - t->ky, columns = t->kx_end - t->kx, pitch = p->dilation_y * p->in_x * p->in_c;
  thr_q32 sum = thr_q32_all(begin);
  if (lines <= 0 || columns <= 0) return sum;
  w += t->ky * l->line + t->kx * l->depth;
  if (in_one_run(l)) {
    const thr_mve_runs r = {lines, columns * l->depth, l->line, pitch};
    return thr_mve_dot_runs(w, x, &r, begin);
  }
  const thr_mve_runs r = {columns, l->depth, l->depth, p->dilation_x * p->in_c};
  for (int32_t i = 0; i < lines; i++) {
    const int8_t *const at[4] = {x[0] + i * pitch, x[1] + i * pitch, x[2] + i * pitch, x[3] + i * pitch};
    sum = thr_q32_add(sum, thr_mve_dot_runs(w + i * l->line, at, &r, 0));
  }
  return sum;
}

/* Output pixels [x, end) of a line, which have the same taps inside. `in`: the input line of the first one. */
static void stretch(const layer *l, const int8_t *w, const taps *t, const thr_channel *channel, const int8_t *in,
                    int32_t x, int32_t end, int8_t *out) {
  const thr_conv2d_params *p = l->p;
  const int32_t begin = thr_wrap_sub(channel->bias, thr_wrap_mul(p->in_zero, sum_of_weights(l, w, t)));
  const int32_t step = p->stride_x * p->in_c;
  in += (x * p->stride_x - p->pad_x + t->kx * p->dilation_x) * p->in_c;
  for (; x < end; x += 4, in += 4 * step) {
    const int32_t n = end - x;
    const int8_t *const at[4] = {in, n > 1 ? in + step : in, n > 2 ? in + 2 * step : in, n > 3 ? in + 3 * step : in};
    const thr_q32 sum = windows(l, w, t, at, begin);
    const thr_q32 scaled = thr_q32_scale_any(sum, channel->mult, channel->shift, l->range.relu);
    thr_q32_store_apart(out + x * p->out_c, thr_q32_finish(scaled, &l->range), p->out_c, n);
  }
}

/* One output channel of line y; `in` is that channel's group of the image. */
static void line_of_channel(const layer *l, const int8_t *w, const thr_channel *channel, const int8_t *in, int32_t y,
                            int8_t *out) {
  const thr_conv2d_params *p = l->p;
  const int32_t y0 = y * p->stride_y - p->pad_y;
  taps t;
  thr_window(y0, p->kernel_y, p->dilation_y, p->in_y, &t.ky, &t.ky_end);
  in += (y0 + t.ky * p->dilation_y) * p->in_x * p->in_c;
  for (int32_t x = 0, end; x < p->out_x; x = end) {
    const int32_t x0 = x * p->stride_x - p->pad_x, room = p->in_x - 1 - (p->kernel_x - 1) * p->dilation_x - x0;
    thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &t.kx, &t.kx_end);
    end = x0 >= 0 && room >= 0 ? x + 1 + room / p->stride_x : x + 1;
    if (end > p->out_x) end = p->out_x;
    stretch(l, w, &t, channel, in, x, end, out);
  }
}

/* A 1x1 kernel sees the image as one line. */
static thr_conv2d_params in_one_line(const thr_conv2d_params *p) {
  thr_conv2d_params q = *p;
  if (p->kernel_y != 1 || p->kernel_x != 1 || p->stride_y != 1 || p->stride_x != 1 || p->pad_y != 0 || p->pad_x != 0 ||
      p->in_y != p->out_y || p->in_x != p->out_x)
    return q;
  q.in_x = q.out_x = p->in_y * p->in_x;
  q.in_y = q.out_y = 1;
  return q;
}

void thr_conv2d_s8_mve(const thr_conv2d_params *params, const int8_t *in, int8_t *out, void *scratch) {
  const thr_conv2d_params q = in_one_line(params), *p = &q;
  const int32_t depth = p->in_c / p->groups, line = p->kernel_x * depth, group_out = p->out_c / p->groups;
  const layer l = {p, depth, line, thr_mve_range_of(p->out_zero, p->lo, p->hi)};
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + p->kernel_y * line);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, p->kernel_y * line, scratch);
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    const int8_t *group_in = in + oc / group_out * depth;
    for (int32_t y = 0; y < p->out_y; y++)
      line_of_channel(&l, w, &channel, group_in, y, out + y * p->out_x * p->out_c + oc);
  }
}
