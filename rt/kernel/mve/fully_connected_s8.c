/* Fully connected layer from weights in storage order, for Armv8.1-M MVE: four raw rows at once. Coded rows are decoded
 * by chunks, or multiplied by the coder itself, as in the reference. The zero point goes into what the sums begin with.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dot.h"

static int8_t finish(const thr_fully_connected_params *p, int32_t acc, const thr_channel *channel) {
  return thr_finish(thr_scale(acc, channel->mult, channel->shift), p->out_zero, p->lo, p->hi);
}

static int32_t coded_row(const thr_fully_connected_params *p, thr_stream *stream, const int8_t *in, int32_t acc,
                         int8_t *scratch) {
  if (p->weights.dot) return p->weights.dot(stream, in, (uint32_t)p->in_n, p->in_zero, acc);
  for (int32_t i = 0; i < p->in_n; i += THR_DECODE_CHUNK, in += THR_DECODE_CHUNK) {
    const int32_t n = p->in_n - i < THR_DECODE_CHUNK ? p->in_n - i : THR_DECODE_CHUNK;
    const thr_mve_runs r = {1, n, 0, 0};
    const int8_t *const same[4] = {in, in, in, in};
    p->weights.decode(stream, scratch, (uint32_t)n);
    acc = thr_wrap_sub(acc, thr_wrap_mul(p->in_zero, thr_mve_sum(scratch, n)));
    acc = thr_q32_first(thr_mve_dot_runs(scratch, same, &r, acc));
  }
  return acc;
}

static void coded(const thr_fully_connected_params *p, const int8_t *in, int8_t *out, int8_t *scratch) {
  const int32_t chunk = p->in_n < THR_DECODE_CHUNK ? p->in_n : THR_DECODE_CHUNK;
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  thr_stream_begin(&stream, &p->weights, scratch + chunk);
  for (int32_t o = 0; o < p->out_n; o++) {
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, o);
    out[o] = finish(p, coded_row(p, &stream, in, channel.bias, scratch), &channel);
  }
}

void thr_fully_connected_s8_mve(const thr_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch) {
  const thr_mve_runs r = {1, p->in_n, 0, 0};
  thr_channel_state channels = {0, 0, 0, 0};
  if (p->weights.decode) {
    coded(p, in, out, scratch);
    return;
  }
  for (int32_t o = 0; o < p->out_n; o += 4) {
    const int32_t rows = p->out_n - o < 4 ? p->out_n - o : 4;
    const int8_t *row[4];
    int32_t sum[4];
    for (int32_t i = 0; i < 4; i++)
      row[i] = (const int8_t *)p->weights.data + (size_t)(i < rows ? o + i : o) * (size_t)p->in_n;
    thr_q32_store(sum, thr_mve_dot_runs(in, row, &r, 0));
    for (int32_t i = 0; i < rows; i++) {
      const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, o + i);
      const int32_t begin = thr_wrap_sub(channel.bias, thr_wrap_mul(p->in_zero, thr_mve_sum(row[i], p->in_n)));
      out[o + i] = finish(p, thr_wrap_add(begin, sum[i]), &channel);
    }
  }
}
