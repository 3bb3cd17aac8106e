/* Reads a stream as the runtime's decoders do where they have no table (rt/decode/huffman.c, gap_huffman.c), and notes
 * which way each word goes there. See decoding.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/decoding.h"

#include <stdbool.h>

#include "../../rt/decode/context.h"
#include "../../rt/decode/lookup.h"

typedef struct reader {
  thr_stream stream;
  uint32_t row, part;
  bool plain;      /* plain bits follow its words */
  uint32_t tables; /* what is read of the code tables in a call with a slow word: heads and lengths */
  uint64_t call;   /* the last one that had one, from 1 on; 0: none */
  th_decoding *d;
} reader;

/* --- calls --- */

static uint32_t parts_of_row(uint32_t row, uint32_t part) {
  return row && part ? (row + part - 1) / part : 1;
}

/* The call that delivers weight `at`, from 1 on. */
static uint64_t call_of(const reader *r, uint64_t at) {
  if (!r->row || !r->part) return 1;
  return at / r->row * parts_of_row(r->row, r->part) + at % r->row / r->part + 1;
}

/* --- words --- */

/* The length of the next word, whose number goes to *number; plain bits not counted. */
static uint32_t next_length(const thr_code *code, thr_stream *stream, uint32_t *number) {
  const uint32_t before = stream->bit;
  *number = thr_code_next(code, stream);
  return stream->bit - before - code->extra;
}

/* A table does not know words of no bits either, those of a code with one word. */
static bool is_known(const reader *r, uint32_t length, uint32_t bits) {
  return r->stream.weights->memory > 0 && length > 0 && length <= bits;
}

/* A word, or a pair of them, of `bits` that began at bit `begin` for weight `at`. */
static void note(reader *r, bool known, uint32_t begin, uint64_t at, uint32_t words, uint32_t bits) {
  if (known && begin < thr_bits_window_end(r->stream.weights)) {
    r->d->words++;
    r->d->plain_words += r->plain;
    return;
  }
  r->d->slow_words += words;
  r->d->slow_bits += bits;
  if (call_of(r, at) != r->call) r->d->read_counts += r->tables;
  r->call = call_of(r, at);
}

enum { HEAD = 2 }; /* takes as long as so many lengths */

static uint32_t known_words(const thr_code *code, uint32_t bits) {
  uint32_t n = 0;
  for (uint32_t i = 1; i <= code->longest && i <= bits; i++) n += code->count[i];
  return n;
}

static void read_values(reader *r, uint32_t count) {
  const thr_weights *w = r->stream.weights;
  thr_code code;
  uint32_t number;
  if (!thr_code_parse(&code, w->table, w->table + w->table_bytes)) return;
  r->plain = code.extra > 0;
  r->tables = HEAD + code.longest;
  r->d->known_words = w->memory ? known_words(&code, THR_LOOKUP_BITS) : 0;
  for (uint32_t at = 0; at < count; at++) {
    const uint32_t begin = r->stream.bit, bits = next_length(&code, &r->stream, &number);
    note(r, is_known(r, bits, THR_LOOKUP_BITS), begin, at, 1, bits);
  }
}

static void read_pairs(reader *r, uint32_t count) {
  const thr_weights *w = r->stream.weights;
  const uint8_t *const end = w->table + w->table_bytes;
  const uint32_t known = THR_LOOKUP_BITS - 1; /* two tables share the memory */
  thr_code gap, value;
  const uint8_t *next = w->table_bytes ? thr_code_parse(&gap, w->table + 1, end) : NULL;
  if (!next || !thr_code_parse(&value, next, end)) return;
  const uint32_t escape = w->table[0], extra = gap.extra;
  uint32_t symbol, number;
  gap.extra = 0; /* an escape has no plain bits */
  r->plain = extra > 0;
  r->tables = 2 * HEAD + gap.longest + (uint32_t)value.longest;
  r->d->known_words = w->memory ? known_words(&gap, known) + known_words(&value, known) : 0;
  for (uint64_t at = 0; at < count && !thr_bits_ended(&r->stream);) {
    const uint32_t begin = r->stream.bit, first = next_length(&gap, &r->stream, &symbol);
    const uint64_t before = at;
    const bool escapes = symbol == escape;
    uint32_t second = 0;
    if (escapes) {
      at += escape ? escape << extra : 1;
    } else {
      at += (symbol << extra | thr_bits_peek(&r->stream, extra)) + 1;
      r->stream.bit += extra;
      second = next_length(&value, &r->stream, &number);
    }
    note(r, is_known(r, first, known) && (escapes || is_known(r, second, known)), begin, before, escapes ? 1 : 2,
         first + second);
  }
}

/* Indices of four bits go two at a time in calls that begin with a whole byte. */
static void read_nibbles(reader *r, uint32_t count) {
  const uint32_t row = r->row ? r->row : count, part = r->part ? r->part : row;
  for (uint32_t at = 0, n; at < count; at += n) {
    const uint32_t left = row - at % row;
    n = left < part ? left : part;
    const uint32_t paired = at % 2 ? 0 : n / 2 * 2;
    r->d->words += paired;
    r->d->slow_words += n - paired;
  }
}

/* --- questions --- */

/* Those at `distance` before, in a row that has so many. */
static double looks_at(uint32_t distance, uint32_t row) {
  return distance > 0 && distance < THR_CONTEXT_PLACES && distance < row ? row - distance : 0;
}

static void count_questions(reader *r, const int8_t *value, uint32_t count) {
  const thr_weights *w = r->stream.weights;
  thr_context_model m;
  if (!thr_context_parse(&m, w->table, w->table_bytes)) return;
  r->d->questions = count;
  for (uint32_t i = 0; i < count; i++) r->d->questions += value[i] ? 1 + m.bits : 0;
  if (!m.near) return;
  const uint32_t row = m.row ? m.row : count;
  const uint32_t distance[] = {
      m.near, m.line, m.line > m.near ? m.line - m.near : 0, m.line ? m.line + m.near : 0, 2 * m.near, 2 * m.line};
  r->d->neighboured = count;
  for (int i = 0; i < 6; i++) r->d->looks += (double)count / row * looks_at(distance[i], row);
}

th_decoding th_decoding_of(const thr_weights *w, const int8_t *value, uint32_t count, uint32_t row, uint32_t part) {
  th_decoding d = {.calls = row ? (double)count / row * parts_of_row(row, part) : 1};
  reader r = {.stream = {.weights = w}, .row = row, .part = part, .d = &d};
  if (w->decode == thr_decode_huffman) read_values(&r, count);
  if (w->decode == thr_decode_gap_huffman) read_pairs(&r, count);
  if (w->decode == thr_decode_bitpack && w->table_bytes && (w->table[0] & 15) == 4) read_nibbles(&r, count);
  if (w->decode == thr_decode_context) count_questions(&r, value, count);
  return d;
}
