/* Depthwise convolution, int8, for cores with DSP instructions: kernel/ref/depthwise_conv2d_s8.c, bit for bit.
 *
 * Channels are the outermost loop, as there, so that the few weights of one are decoded once and arranged in registers
 * for the whole image. Three taps along one direction and at most three along the other, with stride 1 or 2 along the
 * first, run in depthwise3.c, whichever direction is longer; other windows, images too small for that, and channels
 * with numbers that the short requantization does not hold, point by point. SPDX-License-Identifier: Apache-2.0 */
#include "../ref/depthwise_window.h"
#include "clamp.h"
#include "depthwise3.h"

typedef struct axis { /* one direction of the image */
  int32_t in, out, step, out_step, kernel, w_step, stride, dilation, pad;
} axis;

typedef struct plan {
  axis along, across;
  int lines; /* whether lines can run along `along` */
} plan;

static axis axis_y(const thr_conv2d_params *p) {
  const axis a = {p->in_y,     p->out_y,      p->in_x * p->in_c, p->out_x * p->out_c, p->kernel_y, p->kernel_x,
                  p->stride_y, p->dilation_y, p->pad_y};
  return a;
}

static axis axis_x(const thr_conv2d_params *p) {
  const axis a = {p->in_x, p->out_x, p->in_c, p->out_c, p->kernel_x, 1, p->stride_x, p->dilation_x, p->pad_x};
  return a;
}

/* Lines come in threes: of the image's last lines too, with taps of 0 for those that a window does not cover. */
static int can_run(const axis *along, const axis *across) {
  return along->kernel == 3 && along->dilation == 1 &&
         thr_line3_fits(along->in, along->out, along->stride, along->pad) && across->kernel <= 3 &&
         (across->kernel == 1 || across->in >= 3 * across->dilation);
}

static plan plan_of(const thr_conv2d_params *p) {
  plan s = {axis_x(p), axis_y(p), 0};
  const plan turned = {s.across, s.along, 0};
  const int can_x = can_run(&s.along, &s.across), can_y = can_run(&s.across, &s.along);
  if (can_y && (!can_x || p->out_y > p->out_x)) s = turned;
  s.lines = can_x || can_y;
  return s;
}

/* Three lines of the image: which is the first, and which line of the kernel belongs to it. */
typedef struct trio {
  int32_t first, kernel_first;
} trio;

static trio trio_at(const axis *a, int32_t o) {
  const int32_t begin = o * a->stride - a->pad, reach = a->kernel == 1 ? 0 : 2 * a->dilation;
  trio t = {begin, 0};
  int32_t ky, ky_end;
  if (begin >= 0 && begin + reach < a->in) return t;
  thr_window(begin, a->kernel, a->dilation, a->in, &ky, &ky_end);
  t.kernel_first = ky < ky_end ? ky : 3; /* 3: the window covers no line */
  t.first = ky < ky_end ? begin + ky * a->dilation : 0;
  for (; t.first + reach >= a->in; t.first -= a->dilation) t.kernel_first--;
  return t;
}

/* A channel's taps as int16 times 2^left, line after line, between lines of 0. */
enum { FIRST_ROW = 3, ROWS = 3 + 3 + 3 };
typedef struct rows {
  int16_t tap[ROWS][3];
} rows;

static void fill_rows(rows *r, const plan *s, const int8_t *w, int left) {
  for (int32_t ky = 0; ky < s->across.kernel; ky++, w += s->across.w_step) {
    for (int32_t k = 0; k < 3; k++) r->tap[FIRST_ROW + ky][k] = (int16_t)(w[k * s->along.w_step] * (1 << left));
  }
}

static void fill_taps(thr_taps3 *taps, const rows *r, int32_t kernel_first, int32_t in_zero, int32_t bias,
                      uint32_t right) {
  const int16_t(*v)[3] = &r->tap[FIRST_ROW + kernel_first];
  int32_t drop[3]; /* what the input's zero makes of column k */
  for (int32_t k = 0; k < 3; k++) {
    taps->pair[k] = thr_pkhbt((uint32_t)v[0][k], (uint32_t)v[1][k]);
    drop[k] = in_zero * (v[0][k] + v[1][k] + v[2][k]);
  }
  taps->third = thr_pkhbt((uint32_t)v[2][0], (uint32_t)v[2][1]);
  taps->third_right = thr_pkhbt(right, (uint32_t)v[2][2]);
  taps->bias = bias - drop[0] - drop[1] - drop[2];
  taps->begin[1] = taps->bias + drop[0];
  taps->begin[0] = taps->begin[1] + drop[1];
  taps->missing[0] = drop[2];
  taps->missing[1] = drop[1] + drop[2];
}

/* One channel, by lines. */
static void run_lines(const plan *s, thr_line3 *line, rows *r, const int8_t *w, int32_t in_zero, int32_t bias,
                      const thr_short *scale, const int8_t *in, int8_t *out) {
  int32_t filled = ROWS;
  fill_rows(r, s, w, scale->left);
  line->taps.scale[0] = scale->mult;
  line->taps.scale[1] = scale->round;
  for (int32_t o = 0; o < s->across.out; o++, out += s->across.out_step) {
    const trio t = trio_at(&s->across, o);
    const int8_t *first = in + t.first * s->across.step;
    if (t.kernel_first != filled) {
      fill_taps(&line->taps, r, t.kernel_first, in_zero, thr_wrap_shl(bias, scale->left), scale->right);
      filled = t.kernel_first;
    }
    if (s->along.stride == 1) {
      thr_line3_stride1(line, first, out);
    } else {
      thr_line3_stride2(line, first, out);
    }
  }
}

/* The sum of a window inside the image, whose first value is *in; the bias has the input's zero in it. */
static int32_t sum_inside(const thr_conv2d_params *p, const int8_t *in, const int8_t *w, int32_t acc) {
  const int32_t step = p->dilation_x * p->in_c, next = p->dilation_y * p->in_x * p->in_c - p->kernel_x * step;
  for (int32_t ky = p->kernel_y; ky > 0; ky--, in += next) {
    for (int32_t kx = p->kernel_x; kx > 0; kx--, in += step) acc = thr_smlabb((uint32_t)*in, (uint32_t)*w++, acc);
  }
  return acc;
}

static int32_t inner_bias(const thr_conv2d_params *p, const int8_t *w, int32_t bias) {
  for (int32_t i = p->kernel_y * p->kernel_x; i > 0; i--) bias = thr_wrap_sub(bias, p->in_zero * *w++);
  return bias;
}

static int is_inside(int32_t first, int32_t kernel, int32_t dilation, int32_t limit) {
  return first >= 0 && first + (kernel - 1) * dilation < limit;
}

/* One channel, point by point. */
static void run_points(const thr_conv2d_params *p, const int8_t *w, const thr_channel *channel, const int8_t *in,
                       int8_t *out) {
  const int32_t bias = inner_bias(p, w, channel->bias);
  for (int32_t y = 0; y < p->out_y; y++) {
    const int32_t y0 = y * p->stride_y - p->pad_y;
    const int y_inside = is_inside(y0, p->kernel_y, p->dilation_y, p->in_y);
    for (int32_t x = 0; x < p->out_x; x++, out += p->out_c) {
      const int32_t x0 = x * p->stride_x - p->pad_x;
      const int32_t acc = y_inside && is_inside(x0, p->kernel_x, p->dilation_x, p->in_x)
                              ? sum_inside(p, in + (y0 * p->in_x + x0) * p->in_c, w, bias)
                              : thr_depthwise_window(p, in, w, y, x, channel->bias);
      *out = (int8_t)thr_ssat8(thr_wrap_add(thr_scale_dsp(acc, channel->mult, channel->shift), p->out_zero));
    }
  }
}

enum { MOST_LEFT = 8, MOST_SUM = 9 * 128 * 255 }; /* taps times 2^left are int16 */

void thr_depthwise_conv2d_s8_dsp(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch) {
  const int32_t row = (int32_t)p->kernel_y * p->kernel_x, multiplier = p->out_c / p->in_c;
  const plan s = plan_of(p);
  rows r = {{{0}}};
  thr_line3 line;
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  line.steps[0] = s.along.step;
  line.steps[1] = s.along.out_step;
  line.apart = s.across.kernel == 1 ? 0 : s.across.dilation * s.across.step;
  thr_line3_of(&line, s.along.in, s.along.out, s.along.stride, s.along.pad);
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const thr_channel c = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    const thr_short scale = thr_short_of(c.mult, c.shift, p->out_zero);
    const uint32_t most = (c.bias < 0 ? 0u - (uint32_t)c.bias : (uint32_t)c.bias) + MOST_SUM;
    if (s.lines && scale.left <= MOST_LEFT && thr_short_fits(most, c.mult, c.shift, 0, 0)) {
      run_lines(&s, &line, &r, w, p->in_zero, c.bias, &scale, in + oc / multiplier, out + oc);
    } else {
      run_points(p, w, &c, in + oc / multiplier, out + oc);
    }
  }
  thr_clamp_map(out, (uint32_t)(p->out_y * p->out_x * p->out_c), p->lo, p->hi);
}
