/* From coder numbers, as a .thim file has them, to decoders. Apart from stream.c so that a firmware of generated C,
 * which names its decoders itself, does not link them all. SPDX-License-Identifier: Apache-2.0 */
#include "context.h"
#include "lookup.h"
#include "range.h"

thr_decode_fn *thr_coder_decode(thr_coder coder) {
  switch (coder) {
#define THR_CODER(id, name, decode) \
  case THR_CODER_##id:              \
    return decode;
#include "coders.def"
#undef THR_CODER
    default:
      return 0;
  }
}

thr_dot_fn *thr_coder_dot(thr_coder coder) {
  return coder == THR_CODER_GAP_HUFFMAN ? thr_dot_gap_huffman : 0;
}

uint16_t thr_coder_memory(thr_coder coder, const uint8_t *table, uint32_t table_bytes) {
  if (coder == THR_CODER_RANGE) return (uint16_t)(table ? thr_range_memory(table, table_bytes) : 0);
  if (coder == THR_CODER_CONTEXT) return (uint16_t)(table ? thr_context_memory(table, table_bytes) : 0);
  return coder == THR_CODER_HUFFMAN || coder == THR_CODER_GAP_HUFFMAN ? THR_LOOKUP_BYTES(THR_LOOKUP_BITS) : 0;
}
