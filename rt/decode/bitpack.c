/* bitpack: every weight is an index of fixed width into a codebook, or a step on an evenly spaced scale.
 *
 * Table: byte 0 has the width w (0..8) in bits 0-3 and, in bit 7, which of two forms follows. Set: base, step; the
 * weight is base + step * index. Clear: the codebook, one int8 per byte. Width 0 needs no data: all weights are entry
 * 0. SPDX-License-Identifier: Apache-2.0 */
#include "code.h"

static uint8_t lookup(const thr_weights *weights, uint32_t index) {
  const uint8_t *table = weights->table;
  if (table[0] & 128u) return weights->table_bytes < 3 ? 0 : (uint8_t)(table[1] + table[2] * index);
  return index + 1u < weights->table_bytes ? table[index + 1u] : 0;
}

void thr_decode_bitpack(thr_stream *stream, int8_t *out, uint32_t count) {
  const thr_weights *weights = stream->weights;
  const uint32_t width = weights->table_bytes ? weights->table[0] & 15u : 0;
  const int empty = weights->table_bytes == 0 || width > 8;
  for (uint32_t i = 0; i < count; i++) {
    if (empty || (width && thr_bits_ended(stream))) {
      out[i] = 0;
      continue;
    }
    out[i] = (int8_t)lookup(weights, thr_bits_peek(stream, width));
    stream->bit += width;
  }
}
