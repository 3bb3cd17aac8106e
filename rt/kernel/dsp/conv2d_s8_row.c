/* One output line of conv2d_s8 (see ref/conv2d_s8_row.c), by SMLAD: four inputs, widened and centered by one addition
 * for each two, serve two output channels at a time. Weights are read as they are stored.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../ref/arith.h"
#include "dsp.h"
#include "requantize.h"
#include "thr_rows.h"

typedef struct pair { /* sums of two channels */
  int32_t first, second;
} pair;

/* Adds the sums of w[i] * (x[i] - zero); `offset` holds -zero twice, and `next` is from one channel's weights to the
 * other's. */
static inline pair add_products(pair sum, const int8_t *x, const int8_t *w, int32_t next, int32_t n, uint32_t offset) {
  const int8_t *const end = x + (n & ~3);
  while (x < end) {
    const uint32_t four = thr_load4(x), a = thr_load4(w), b = thr_load4(w + next);
    const uint32_t even = thr_sxtab16(offset, four), odd = thr_sxtab16_ror8(offset, four);
    sum.first = thr_smlad(odd, thr_sxtb16_ror8(a), thr_smlad(even, thr_sxtb16(a), sum.first));
    sum.second = thr_smlad(odd, thr_sxtb16_ror8(b), thr_smlad(even, thr_sxtb16(b), sum.second));
    x += 4;
    w += 4;
  }
  for (const int8_t *const last = end + (n & 3); x < last; x++, w++) {
    const uint32_t v = (uint32_t)(*x + thr_low16(offset));
    sum.first = thr_smlabb(v, (uint32_t)*w, sum.first);
    sum.second = thr_smlabb(v, (uint32_t)w[next], sum.second);
  }
  return sum;
}

/* The sums of output column x. `c`: the first input channel. */
static pair convolve(const thr_conv2d_params *p, const int8_t *const *line, const int8_t *w, int32_t next, int32_t c,
                     int32_t x, pair sum) {
  const int32_t depth = p->in_c / p->groups, x0 = x * p->stride_x - p->pad_x;
  const uint32_t offset = thr_pkhbt((uint32_t)-p->in_zero, (uint32_t)-p->in_zero);
  const int neighbours = p->dilation_x == 1 && depth == p->in_c; /* the taps of a line */
  int32_t begin, end;
  thr_window(x0, p->kernel_x, p->dilation_x, p->in_x, &begin, &end);
  const int32_t step = neighbours ? end - begin : 1;
  for (int32_t ky = 0; ky < p->kernel_y; ky++, w += p->kernel_x * depth) {
    if (!line[ky]) continue;
    for (int32_t kx = begin; kx < end; kx += step)
      sum = add_products(sum, line[ky] + (x0 + kx * p->dilation_x) * p->in_c + c, w + kx * depth, next, step * depth,
                         offset);
  }
  return sum;
}

static int8_t finish(const thr_conv2d_params *p, const thr_channel *channel, int32_t acc) {
  return thr_finish(thr_scale_dsp(acc, channel->mult, channel->shift), p->out_zero, p->lo, p->hi);
}

/* Two channels of one group; an odd one left over at its end is computed as both. */
void thr_conv2d_s8_row_dsp(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out) {
  const thr_conv2d_params *p = (const thr_conv2d_params *)params;
  const int32_t depth = p->in_c / p->groups, group_out = p->out_c / p->groups;
  const int32_t row = (int32_t)p->kernel_y * p->kernel_x * depth;
  const int8_t *w = thr_row_weights(p, weights);
  thr_channel_state channels = {0, 0, 0, 0};
  thr_channel channel[2];
  for (int32_t oc = 0, both; oc < p->out_c; oc += both, w += both * row) {
    both = oc % group_out + 1 < group_out ? 2 : 1;
    for (int32_t i = 0; i < both; i++) channel[i] = thr_channel_next(&p->bias, &p->requant, &channels, oc + i);
    const pair bias = {channel[0].bias, channel[both - 1].bias};
    for (int32_t x = 0; x < p->out_x; x++) {
      const pair sum = convolve(p, line, w, (both - 1) * row, oc / group_out * depth, x, bias);
      out[x * p->out_c + oc] = finish(p, &channel[0], sum.first);
      if (both > 1) out[x * p->out_c + oc + 1] = finish(p, &channel[1], sum.second);
    }
  }
}
