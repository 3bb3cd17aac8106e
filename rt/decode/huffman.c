/* huffman: one canonical code word per weight. Table: one code table (code.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "code.h"

void thr_decode_huffman(thr_stream *stream, int8_t *out, uint32_t count) {
  const thr_weights *weights = stream->weights;
  thr_code code;
  const uint32_t table_bytes = weights->table_bytes;
  const int good = table_bytes && thr_code_parse(&code, weights->table, weights->table + table_bytes) != NULL;
  for (uint32_t i = 0; i < count; i++)
    out[i] = good && !thr_bits_ended(stream) ? (int8_t)(uint8_t)thr_code_next(&code, stream) : 0;
}
