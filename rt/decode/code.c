/* Canonical Huffman codes: reading a table and decoding one number. See code.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "code.h"

/* `n` <= 16 bits from bit `bit` of data[0..bytes), zeros past the end. */
static uint32_t peek(const uint8_t *data, uint32_t bytes, uint32_t bit, uint32_t n) {
  const uint32_t at = bit >> 3;
  uint32_t window = 0;
  if (at < bytes) {
    data += at;
    const uint32_t left = bytes - at;
    window = (uint32_t)data[0] << 16;
    if (left > 1) window |= (uint32_t)data[1] << 8;
    if (left > 2) window |= data[2];
  }
  return (window >> (24u - (bit & 7u) - n)) & ((1u << n) - 1u);
}

uint32_t thr_bits_peek(const thr_stream *stream, uint32_t n) {
  return peek(stream->weights->data, stream->weights->bytes, stream->bit, n);
}

const uint8_t *thr_code_parse(thr_code *code, const uint8_t *table, const uint8_t *end) {
  uint32_t symbols = 0, left = (uint32_t)(end - table);
  if (left < 2) return NULL;
  const uint8_t head = table[0], form = table[1];
  code->longest = head & 15u;
  code->extra = (head >> 4) & 7u;
  code->width = (uint8_t)((form & 7u) + 1u);
  code->base = 0;
  code->step = 1;
  table += 2, left -= 2;
  if (form & 8u) {
    if (left < 2) return NULL;
    code->base = table[0];
    code->step = table[1];
    table += 2, left -= 2;
  }
  const uint32_t count_bits = head & 128u ? 4 : 8;
  const uint32_t count_bytes = (code->longest * count_bits + 7u) / 8u;
  if (left < count_bytes) return NULL;
  code->count[0] = code->longest == 0;
  symbols = code->count[0];
  for (uint32_t i = 1; i <= code->longest; i++) {
    code->count[i] = (uint8_t)peek(table, count_bytes, (i - 1u) * count_bits, count_bits);
    symbols += code->count[i];
  }
  table += count_bytes, left -= count_bytes;
  const uint32_t symbol_bytes = (symbols * code->width + 7u) / 8u;
  if (left < symbol_bytes) return NULL;
  code->symbols = table;
  return table + symbol_bytes;
}

uint32_t thr_code_symbol(const thr_code *code, uint32_t i) {
  if (code->width == 8) return code->symbols[i];
  const uint32_t bit = i * code->width, shift = bit & 7u, last = (bit + code->width - 1u) >> 3;
  uint32_t window = (uint32_t)code->symbols[bit >> 3] << 8;
  window |= code->symbols[last]; /* the same byte when the symbol does not cross into the next */
  const uint32_t from_low = 16u - shift - code->width;
  return (window >> from_low) & ((1u << code->width) - 1u);
}

uint32_t thr_code_next(const thr_code *code, thr_stream *stream) {
  const uint32_t window = thr_bits_peek(stream, THR_CODE_MAX_BITS);
  uint32_t length = 0, first = 0, index = 0;
  for (;;) {
    const uint32_t word = window >> (THR_CODE_MAX_BITS - length);
    const uint32_t count = code->count[length];
    if (word - first < count) { /* also false when word < first: the difference wraps */
      index += word - first;
      break;
    }
    if (length == code->longest) { /* no code: only in a damaged table or stream */
      stream->bit += length;
      return 0;
    }
    index += count;
    first = (first + count) << 1;
    length++;
  }
  stream->bit += length;
  uint32_t number = thr_code_symbol(code, index);
  if (code->extra) {
    number = number << code->extra | thr_bits_peek(stream, code->extra);
    stream->bit += code->extra;
  }
  return code->base + code->step * number;
}
