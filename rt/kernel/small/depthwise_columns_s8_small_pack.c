/* Which depthwise convolutions run by columns, and their table. SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_columns_s8_small.h"
#include "thr_form.h"

static int put_channel(const thr_conv2d_params *p, int32_t c, thr_columns_channel *channel) {
  const int8_t *w = (const int8_t *)p->weights.data + (size_t)c * THR_COLUMNS_TAPS;
  const thr_fields_layer l = {&p->weights, &p->bias, &p->requant, THR_COLUMNS_TAPS, p->out_c, p->in_zero,
                              p->out_zero, p->lo,    p->hi};
  int32_t sum = 0;
  memset(channel, 0, sizeof *channel);
  for (int i = 0; i < THR_COLUMNS_TAPS; i++) {
    sum += w[i];
    channel->w[i % 3 * 3 + i / 3] = w[i];
  }
  return thr_fields_scale_of(&l, c, sum, &channel->scale);
}

int thr_depthwise_columns_s8_small_need(const thr_conv2d_params *p, thr_need *need) {
  thr_columns_channel channel;
  if (p->kernel_y != 3 || p->kernel_x != 3 || p->dilation_y != 1 || p->dilation_x != 1 || p->in_c != p->out_c) return 0;
  if (p->weights.decode || p->requant.decode || p->w_zero != 0 || p->pad_x > thr_columns_of(p)) return 0;
  for (int32_t c = 0; c < p->out_c; c++)
    if (!put_channel(p, c, &channel)) return 0;
  need->packed_bytes = (size_t)p->out_c * sizeof channel;
  need->scratch_bytes = 4 * (THR_COLUMNS_TAPS + 3 * (size_t)thr_columns_of(p));
  return 1;
}

void thr_depthwise_columns_s8_small_pack(const thr_conv2d_params *p, void *packed) {
  thr_columns_channel *channel = (thr_columns_channel *)packed;
  for (int32_t c = 0; c < p->out_c; c++) (void)put_channel(p, c, &channel[c]);
}
