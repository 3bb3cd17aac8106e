/* Fully connected layer, int8, without SIMD: two rows of raw weights share each load of an input. Coded rows come one
 * after the other, in chunks, as in ref. SPDX-License-Identifier: Apache-2.0 */
#include "dot.h"
#include "narrow.h"

static int32_t chunk(const thr_fully_connected_params *p) {
  return p->in_n < THR_DECODE_CHUNK ? p->in_n : THR_DECODE_CHUNK;
}

static int8_t finish(const thr_fully_connected_params *p, const thr_channel *c, int32_t sum) {
  const int32_t acc = thr_wrap_add(c->bias, sum);
  return thr_finish(thr_scale(acc, c->mult, c->shift), p->out_zero, p->lo, p->hi);
}

static int32_t dot_coded(const thr_fully_connected_params *p, thr_stream *stream, const int8_t *in, int8_t *scratch) {
  int32_t sum = 0;
  for (int32_t i = 0; i < p->in_n; i += THR_DECODE_CHUNK) {
    const int32_t n = p->in_n - i < THR_DECODE_CHUNK ? p->in_n - i : THR_DECODE_CHUNK;
    p->weights.decode(stream, scratch, (uint32_t)n);
    sum = thr_dot(sum, in + i, scratch, n, p->in_zero);
  }
  return sum;
}

void thr_fully_connected_s8_small(const thr_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch) {
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  const int8_t *w = (const int8_t *)p->weights.data;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + chunk(p));
  for (int32_t o = 0; o < p->out_n; o++) {
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, o);
    if (p->weights.decode) {
      out[o] = finish(p, &channel, dot_coded(p, &stream, in, (int8_t *)scratch));
      continue;
    }
    const int pair = o + 1 < p->out_n;
    const thr_two sum = thr_dot2_zero(w, w + (pair ? p->in_n : 0), in, p->in_n, p->in_zero);
    out[o] = finish(p, &channel, sum.first);
    w += (size_t)p->in_n;
    if (!pair) continue;
    o++;
    const thr_channel next = thr_channel_next(&p->bias, &p->requant, &channels, o);
    out[o] = finish(p, &next, sum.second);
    w += (size_t)p->in_n;
  }
}
