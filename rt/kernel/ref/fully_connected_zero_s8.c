/* Fully connected layer as fully_connected_s8, of weights with a zero point (conv2d_zero_s8.c).
 * SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static uint32_t chunk(const thr_fully_connected_params *p) {
  return p->in_n < THR_DECODE_CHUNK ? (uint32_t)p->in_n : THR_DECODE_CHUNK;
}

uint32_t thr_fully_connected_zero_s8_scratch_bytes(const thr_fully_connected_params *p) {
  return p->weights.decode ? chunk(p) + p->weights.memory : 0;
}

static int32_t dot_coded(const thr_fully_connected_params *p, thr_stream *stream, const int8_t *in, int32_t acc,
                         void *scratch) {
  for (int32_t i = 0; i < p->in_n; i += THR_DECODE_CHUNK) {
    const int32_t n = p->in_n - i < THR_DECODE_CHUNK ? p->in_n - i : THR_DECODE_CHUNK;
    p->weights.decode(stream, (int8_t *)scratch, (uint32_t)n);
    acc = thr_dot_zero(acc, in + i, (const int8_t *)scratch, n, p->in_zero, p->w_zero);
  }
  return acc;
}

void thr_fully_connected_zero_s8_ref(const thr_fully_connected_params *p, const int8_t *in, int8_t *out,
                                     void *scratch) {
  thr_stream stream;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + chunk(p));
  for (int32_t o = 0; o < p->out_n; o++) {
    int32_t acc = thr_bias_at(&p->bias, o);
    if (p->weights.decode) {
      acc = dot_coded(p, &stream, in, acc, scratch);
    } else {
      const int8_t *w = (const int8_t *)p->weights.data + (size_t)o * (size_t)p->in_n;
      acc = thr_dot_zero(acc, in, w, p->in_n, p->in_zero, p->w_zero);
    }
    out[o] = thr_finish(thr_requantize(&p->requant, o, acc), p->out_zero, p->lo, p->hi);
  }
}
