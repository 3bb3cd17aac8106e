/* Streams of coded weights: the start position, all at once, and the decoder of each coder number. See thr_weights.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "thr_weights.h"

void thr_stream_begin(thr_stream *stream, const thr_weights *weights, void *memory) {
  stream->weights = weights;
  stream->bit = 0;
  stream->run = 0;
  stream->value = 0;
  stream->range = 0;
  stream->mean = 0;
  stream->memory = weights->memory ? memory : NULL;
}

void thr_unpack(const thr_weights *weights, uint32_t count, int8_t *to) {
  thr_stream stream;
  thr_stream_begin(&stream, weights, to + count);
  weights->decode(&stream, to, count);
}
