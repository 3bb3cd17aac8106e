/* huffman: one canonical code word per weight. Table: one code table (code.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "thr_fast.h"

#include "lookup.h"

enum { MOST = 16 }; /* bits of a word that the table knows and its plain bits are fewer */

/* Weights as long as the look-up table knows them, at most `count`. Returns how many. `extra` is a constant where this
 * is called, because most codes have no plain bits. */
THR_ALWAYS_INLINE uint32_t look_up(thr_stream *stream, int8_t *out, uint32_t count, uint32_t extra, uint32_t step) {
  const uint8_t *lookup = (const uint8_t *)stream->memory, *data = stream->weights->data;
  const uint32_t end = thr_bits_window_end(stream->weights);
  uint32_t bit = stream->bit;
  int8_t *const begin = out, *const last = out + count;
  while (out != last && bit < end) {
    const uint32_t sure = (end - bit + MOST - 1) / MOST, left = (uint32_t)(last - out);
    int8_t *const stop = out + (left < sure ? left : sure); /* so many fit, whatever their length */
    do {
      const uint32_t window = thr_bits_window(data, bit);
      const uint8_t *entry = lookup + (window >> (32 - THR_LOOKUP_BITS));
      const uint32_t length = entry[1 << THR_LOOKUP_BITS];
      uint32_t v = entry[0];
      if (length == 0) {
        stream->bit = bit;
        return (uint32_t)(out - begin);
      }
      if (extra) v += step * ((window << length) >> (32 - extra));
      bit += length + extra;
      *out++ = (int8_t)(uint8_t)v;
    } while (out != stop);
  }
  stream->bit = bit;
  return (uint32_t)(out - begin);
}

/* 0 when the table has no sense. */
static int parse(thr_code *code, const thr_weights *w) {
  return w->table_bytes && thr_code_parse(code, w->table, w->table + w->table_bytes) != NULL;
}

static void begin(thr_stream *stream) {
  thr_code code;
  if (!parse(&code, stream->weights)) code.longest = 0; /* a look-up table that knows nothing */
  thr_lookup_build(&code, code.extra, THR_LOOKUP_BITS, (uint8_t *)stream->memory);
  stream->range = 1;
}

void thr_decode_huffman(thr_stream *stream, int8_t *out, uint32_t count) {
  const uint8_t *table = stream->weights->table;
  thr_code code;
  int parsed = 0, good = 0;
  if (stream->memory && stream->range == 0) begin(stream);
  while (count > 0) {
    if (stream->memory && stream->weights->table_bytes >= 4) {
      const uint32_t extra = table[0] >> 4 & 7u, step = table[1] & 8u ? table[3] : 1u;
      const uint32_t n = extra ? look_up(stream, out, count, extra, step) : look_up(stream, out, count, 0, 1);
      out += n, count -= n;
      if (count == 0) return;
    }
    if (!parsed) good = parse(&code, stream->weights), parsed = 1;
    *out++ = good && !thr_bits_ended(stream) ? (int8_t)(uint8_t)thr_code_next(&code, stream) : 0;
    count--;
  }
}
