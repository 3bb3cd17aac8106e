/* Fully connected layer of int16 with int8 weights (TFLite FULLY_CONNECTED 16x8). Zero points are 0.
 *
 *   acc = bias[o] + sum over i of w[o, i] * x[i]
 *
 * and the scaling of conv2d_s16.c; coded weights as in fully_connected_s8.c. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static uint32_t chunk(const thr_fully_connected_params *p) {
  return p->in_n < THR_DECODE_CHUNK ? (uint32_t)p->in_n : THR_DECODE_CHUNK;
}

uint32_t thr_fully_connected_s16_scratch_bytes(const thr_fully_connected_params *p) {
  return p->weights.decode ? chunk(p) + p->weights.memory : 0;
}

static int64_t dot_coded(const thr_fully_connected_params *p, thr_stream *stream, const int16_t *in, int64_t acc,
                         void *scratch) {
  for (int32_t i = 0; i < p->in_n; i += THR_DECODE_CHUNK) {
    const int32_t n = p->in_n - i < THR_DECODE_CHUNK ? p->in_n - i : THR_DECODE_CHUNK;
    p->weights.decode(stream, (int8_t *)scratch, (uint32_t)n);
    acc = thr_dot16(acc, in + i, (const int8_t *)scratch, n);
  }
  return acc;
}

void thr_fully_connected_s16_ref(const thr_fully_connected_params *p, const int16_t *in, int16_t *out, void *scratch) {
  thr_stream stream;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + chunk(p));
  for (int32_t o = 0; o < p->out_n; o++) {
    int64_t acc = thr_bias64_at(&p->bias, o);
    if (p->weights.decode) {
      acc = dot_coded(p, &stream, in, acc, scratch);
    } else {
      acc = thr_dot16(acc, in, (const int8_t *)p->weights.data + (size_t)o * (size_t)p->in_n, p->in_n);
    }
    out[o] = thr_finish16(thr_requantize16(&p->requant, o, acc, p->acc64), p->out_zero, p->lo, p->hi);
  }
}
