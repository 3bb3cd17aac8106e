/* The arithmetic of range coders: a number `value` within a range of width `range`; each symbol narrows the range to
 * the part that its probability has (Martin 1979). Probabilities are parts of THR_RANGE_TOTAL. Exact formulas:
 * docs/format.md, "range". SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DECODE_ARITHMETIC_H
#define THR_DECODE_ARITHMETIC_H

#include "thr_weights.h"

#define THR_RANGE_TOTAL 65536u     /* of all probabilities */
#define THR_RANGE_LEAST 0x1000000u /* the range is kept at or above this */

THR_ALWAYS_INLINE uint32_t thr_range_next_byte(thr_stream *stream) {
  const uint32_t at = stream->bit >> 3;
  if (at >= stream->weights->bytes) return 0;
  stream->bit += 8;
  return stream->weights->data[at];
}

THR_ALWAYS_INLINE void thr_range_start(thr_stream *stream) {
  stream->range = 0xffffffffu;
  for (int i = 0; i < 4; i++) stream->value = stream->value << 8 | thr_range_next_byte(stream);
}

/* The symbol with the probabilities from `low` to `high` has been found. */
THR_ALWAYS_INLINE void thr_range_narrow(thr_stream *stream, uint32_t low, uint32_t high) {
  const uint32_t unit = stream->range >> 16;
  stream->value -= low * unit;
  stream->range = high == THR_RANGE_TOTAL ? stream->range - low * unit : (high - low) * unit;
  while (stream->range < THR_RANGE_LEAST) {
    stream->range <<= 8;
    stream->value = stream->value << 8 | thr_range_next_byte(stream);
  }
}

#endif
