/* One output line of a convolution on an 8-bit processor: indices of 16 bits, weights in program memory. Whole maps are
 * made of such lines, too. A window that lacks nothing takes the input's zero point out of the sum once per line and
 * channel, one on the border in each run of weights that it covers. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_AVR_LINE_H
#define THR_AVR_LINE_H

#include "../small/narrow.h"
#include "avr.h"
#include "thr_rows.h"

typedef struct thr_avr_row {
  const thr_conv2d_params *p;
  const int8_t *const *line; /* of the window; NULL: outside */
  const int8_t *w;           /* of the output channel */
  int16_t depth, first;      /* values of a point that it reads, and where they begin */
  uint8_t lines, dense;      /* all lines are there; taps of a line are neighbours in the image, too */
  int32_t bias, inside;      /* what a sum begins with: on the border, inside */
} thr_avr_row;

static inline int32_t thr_avr_window(const thr_avr_row *r, int16_t x0) {
  const thr_conv2d_params *p = r->p;
  const int8_t *w = r->w;
  int16_t kx = 0, kx_end = p->kernel_x, last = (int16_t)(x0 + (p->kernel_x - 1) * p->dilation_x);
  while (x0 < 0 && kx < kx_end) kx++, x0 = (int16_t)(x0 + p->dilation_x);
  while (last >= (int16_t)p->in_x && kx < kx_end) kx_end--, last = (int16_t)(last - p->dilation_x);
  if (kx >= kx_end) return r->bias;
  const int full = r->lines && kx == 0 && kx_end == p->kernel_x;
  const size_t depth = (size_t)r->depth, step = (size_t)p->dilation_x * (size_t)p->in_c;
  const size_t from = (size_t)x0 * (size_t)p->in_c + (size_t)r->first;
  size_t runs = (size_t)(kx_end - kx), run = depth;
  int32_t acc = full ? r->inside : r->bias;
  if (r->dense) run *= runs, runs = 1;
  w += (size_t)kx * depth;
  for (int16_t ky = 0; ky < p->kernel_y; ky++, w += (size_t)p->kernel_x * depth) {
    const int8_t *tap = w;
    if (!r->line[ky]) continue;
    for (size_t i = 0; i < runs; i++, tap += depth) {
      acc = thr_avr_dot(acc, r->line[ky] + from + i * step, tap, run);
      if (!full) acc = thr_avr_less_zero(acc, tap, run, p->in_zero);
    }
  }
  return acc;
}

/* `depth`: input channels that an output channel reads; `per_in`: output channels that read the same ones. */
static inline void thr_avr_line(const thr_conv2d_params *p, const int8_t *const *line, int8_t *out, int16_t depth,
                                int16_t per_in) {
  const size_t row = (size_t)p->kernel_y * (size_t)p->kernel_x * (size_t)depth, out_c = (size_t)p->out_c;
  thr_avr_row r = {.p = p, .line = line, .w = (const int8_t *)p->weights.data, .depth = depth, .lines = 1};
  thr_channel_state channels = {0, 0, 0, 0};
  r.dense = p->dilation_x == 1 && depth == p->in_c;
  for (int16_t ky = 0; ky < p->kernel_y; ky++) r.lines = r.lines && line[ky];
  for (int16_t oc = 0; oc < (int16_t)out_c; oc++, r.w += row, out++) {
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    thr_narrow scale;
    thr_narrow_begin(&scale, channel.mult, channel.shift, p->out_zero, p->lo, p->hi);
    r.first = (int16_t)(oc / per_in * depth);
    r.bias = channel.bias;
    r.inside = thr_avr_less_zero(channel.bias, r.w, row, p->in_zero);
    int8_t *to = out;
    int16_t x0 = (int16_t)-p->pad_x;
    for (int16_t x = (int16_t)p->out_x; x > 0; x--, to += out_c, x0 = (int16_t)(x0 + p->stride_x))
      *to = thr_narrow_finish(&scale, thr_avr_window(&r, x0));
  }
}

/* A line from parameters in program memory. */
static inline void thr_avr_row_of(const void *params, const int8_t *const *line, int8_t *out, int depthwise) {
  thr_conv2d_params p;
  thr_flash_copy(&p, params, sizeof p);
  if (depthwise)
    thr_avr_line(&p, line, out, 1, (int16_t)(p.out_c / p.in_c));
  else
    thr_avr_line(&p, line, out, (int16_t)(p.in_c / p.groups), (int16_t)(p.out_c / p.groups));
}

/* The whole map, line by line; at most THR_STAGE_LINES lines in a window. */
static inline void thr_avr_map(const thr_conv2d_params *p, const int8_t *in, int8_t *out, int16_t depth,
                               int16_t per_in) {
  const int8_t *line[THR_STAGE_LINES];
  const size_t in_line = (size_t)p->in_x * (size_t)p->in_c, out_line = (size_t)p->out_x * (size_t)p->out_c;
  for (int16_t y = 0; y < (int16_t)p->out_y; y++, out += out_line) {
    int16_t from = (int16_t)(y * p->stride_y - p->pad_y);
    for (int16_t ky = 0; ky < p->kernel_y; ky++, from = (int16_t)(from + p->dilation_y))
      line[ky] = from >= 0 && from < p->in_y ? in + (size_t)from * in_line : NULL;
    thr_avr_line(p, line, out, depth, per_in);
  }
}

#endif
