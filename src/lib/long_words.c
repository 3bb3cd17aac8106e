/* Reads a stream as the runtime's decoders do where they have no table (rt/decode/huffman.c, gap_huffman.c), and looks
 * at the lengths of words. See long_words.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/long_words.h"

#include <stdbool.h>

#include "../../rt/decode/lookup.h"

/* The length of the next word, whose number goes to *number; plain bits not counted. */
static uint32_t next_length(const thr_code *code, thr_stream *stream, uint32_t *number) {
  const uint32_t before = stream->bit;
  *number = thr_code_next(code, stream);
  return stream->bit - before - code->extra;
}

/* A table does not know words of no bits either, those of a code with one word. */
static bool is_known(uint32_t length, uint32_t bits) {
  return length > 0 && length <= bits;
}

static uint32_t long_values(const thr_weights *w, uint32_t count) {
  thr_stream stream = {.weights = w};
  thr_code code;
  uint32_t n = 0, number;
  if (!thr_code_parse(&code, w->table, w->table + w->table_bytes)) return 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t bits = next_length(&code, &stream, &number);
    n += w->memory == 0 || !is_known(bits, THR_LOOKUP_BITS);
  }
  return n;
}

static uint32_t long_pairs(const thr_weights *w, uint32_t count) {
  const uint8_t *const end = w->table + w->table_bytes;
  const uint32_t known = THR_LOOKUP_BITS - 1; /* two tables share the memory */
  thr_stream stream = {.weights = w};
  thr_code gap, value;
  const uint8_t *next = w->table_bytes ? thr_code_parse(&gap, w->table + 1, end) : NULL;
  if (!next || !thr_code_parse(&value, next, end)) return 0;
  const uint32_t escape = w->table[0], extra = gap.extra;
  uint32_t n = 0, symbol, number;
  gap.extra = 0; /* an escape has no plain bits */
  for (uint64_t at = 0; at < count && !thr_bits_ended(&stream);) {
    const uint32_t first = next_length(&gap, &stream, &symbol);
    uint32_t second = first;
    if (symbol == escape) {
      at += escape ? escape << extra : 1;
    } else {
      at += (symbol << extra | thr_bits_peek(&stream, extra)) + 1;
      stream.bit += extra;
      second = next_length(&value, &stream, &number);
    }
    n += w->memory == 0 || !is_known(first, known) || !is_known(second, known);
  }
  return n;
}

uint32_t th_long_words(const thr_weights *w, uint32_t count) {
  if (w->decode == thr_decode_huffman) return long_values(w, count);
  return w->decode == thr_decode_gap_huffman ? long_pairs(w, count) : 0;
}
