/* Fully connected layer, int8, for Armv7E-M: the sums of ref/fully_connected_s8.c, four products in eight instructions.
 * Coded rows are decoded in chunks, or multiplied inside the decoder where the coder can.
 * SPDX-License-Identifier: Apache-2.0 */
#include "thr_fast.h"

#include "../select.h"
#include "dot.h"

static int32_t chunk(const thr_fully_connected_params *p) {
  return p->in_n < THR_DECODE_CHUNK ? p->in_n : THR_DECODE_CHUNK;
}

static int32_t dot_coded(const thr_fully_connected_params *p, thr_stream *stream, const int8_t *in, int32_t acc,
                         int8_t *scratch) {
  if (p->weights.dot) return p->weights.dot(stream, in, (uint32_t)p->in_n, p->in_zero, acc);
  for (int32_t i = 0; i < p->in_n; i += THR_DECODE_CHUNK) {
    const int32_t n = p->in_n - i < THR_DECODE_CHUNK ? p->in_n - i : THR_DECODE_CHUNK;
    p->weights.decode(stream, scratch, (uint32_t)n);
    acc = thr_dot_dsp(acc, in + i, scratch, n, p->in_zero);
  }
  return acc;
}

void thr_fully_connected_s8_dsp(const thr_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch) {
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  const int8_t *w = (const int8_t *)p->weights.data;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + chunk(p));
  for (int32_t o = 0; o < p->out_n; o++) {
    const thr_channel c = thr_channel_next(&p->bias, &p->requant, &channels, o);
    const int32_t acc = p->weights.decode
                            ? dot_coded(p, &stream, in, c.bias, (int8_t *)scratch)
                            : thr_dot_dsp(c.bias, in, w + (size_t)o * (size_t)p->in_n, p->in_n, p->in_zero);
    out[o] = thr_finish(thr_scale(acc, c.mult, c.shift), p->out_zero, p->lo, p->hi);
  }
}
