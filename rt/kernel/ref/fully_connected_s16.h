/* The loops of the 16x8 fully connected layer; `dot` as in conv2d_s16.h. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_FULLY_CONNECTED_S16_H
#define THR_FULLY_CONNECTED_S16_H

#include "conv2d_s16.h"

static inline uint32_t thr_fully_connected_chunk(const thr_fully_connected_params *p) {
  return p->in_n < THR_DECODE_CHUNK ? (uint32_t)p->in_n : THR_DECODE_CHUNK;
}

/* Sum of an output whose weights are the next ones of the stream. */
static inline int64_t thr_fully_connected_s16_coded(const thr_fully_connected_params *p, thr_stream *stream,
                                                    const int16_t *in, int64_t acc, void *scratch, thr_dot16_fn *dot) {
  for (int32_t i = 0; i < p->in_n; i += THR_DECODE_CHUNK) {
    const int32_t n = p->in_n - i < THR_DECODE_CHUNK ? p->in_n - i : THR_DECODE_CHUNK;
    p->weights.decode(stream, (int8_t *)scratch, (uint32_t)n);
    acc = dot(acc, in + i, (const int8_t *)scratch, n);
  }
  return acc;
}

static inline void thr_fully_connected_s16_by(const thr_fully_connected_params *p, const int16_t *in, int16_t *out,
                                              void *scratch, thr_dot16_fn *dot) {
  thr_stream stream;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + thr_fully_connected_chunk(p));
  for (int32_t o = 0; o < p->out_n; o++) {
    int64_t acc = thr_bias64_at(&p->bias, o);
    if (p->weights.decode) {
      acc = thr_fully_connected_s16_coded(p, &stream, in, acc, scratch, dot);
    } else {
      acc = dot(acc, in, (const int8_t *)p->weights.data + (size_t)o * (size_t)p->in_n, p->in_n);
    }
    out[o] = thr_finish16(thr_requantize16(&p->requant, o, acc, p->acc64), p->out_zero, p->lo, p->hi);
  }
}

#endif
