/* Fully connected layer, int8 (TFLite FULLY_CONNECTED with a weight zero point of 0).
 *
 *   acc = bias[o] + sum over i of w[o, i] * (x[i] - in_zero)
 *   out = clamp(out_zero + scale(acc, mult[o], shift[o]), lo, hi)
 *
 * A weight is used once, so a coded row is decoded in chunks and needs no more room than one chunk, however long the
 * row; where the coder can multiply as it decodes, not even that. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static uint32_t chunk(const thr_fully_connected_params *p) {
  return p->in_n < THR_DECODE_CHUNK ? (uint32_t)p->in_n : THR_DECODE_CHUNK;
}

uint32_t thr_fully_connected_s8_scratch_bytes(const thr_fully_connected_params *p) {
  return p->weights.decode ? chunk(p) + p->weights.memory : 0;
}

static int32_t dot_coded(const thr_fully_connected_params *p, thr_stream *stream, const int8_t *in, int32_t acc,
                         void *scratch) {
  if (p->weights.dot) return p->weights.dot(stream, in, (uint32_t)p->in_n, p->in_zero, acc);
  for (int32_t i = 0; i < p->in_n; i += THR_DECODE_CHUNK) {
    const int32_t n = p->in_n - i < THR_DECODE_CHUNK ? p->in_n - i : THR_DECODE_CHUNK;
    p->weights.decode(stream, (int8_t *)scratch, (uint32_t)n);
    acc = thr_dot(acc, in + i, (const int8_t *)scratch, n, p->in_zero);
  }
  return acc;
}

void thr_fully_connected_s8_ref(const thr_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch) {
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + chunk(p));
  for (int32_t o = 0; o < p->out_n; o++) {
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, o);
    int32_t acc = channel.bias;
    if (p->weights.decode) {
      acc = dot_coded(p, &stream, in, acc, scratch);
    } else {
      const int8_t *w = (const int8_t *)p->weights.data + (size_t)o * (size_t)p->in_n;
      acc = thr_dot(acc, in, w, p->in_n, p->in_zero);
    }
    out[o] = thr_finish(thr_scale(acc, channel.mult, channel.shift), p->out_zero, p->lo, p->hi);
  }
}
