/* Decoding code words by looking them up: the fast way through a stream, beside the sure one of code.h.
 *
 * A stream whose weights have `memory` keeps there a table of what the next few bits mean, built once, when its first
 * weight is asked for. Words longer than that, and the last bytes of the data, are left to thr_code_next(): the table
 * decides nothing but how fast a stream is read. An entry is two bytes in two halves of the table, so that it needs no
 * alignment: the number that the word stands for, its plain bits taken as zeros, and the length of the word; length 0
 * means that the word is longer than the table knows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DECODE_LOOKUP_H
#define THR_DECODE_LOOKUP_H

#include "code.h"

#define THR_LOOKUP_BITS 7 /* of the table of one code; two codes share the memory with 6 bits each */
#define THR_LOOKUP_BYTES(bits) (2u << (bits))

/* Fills lookup[0..THR_LOOKUP_BYTES(bits)). With `extra` plain bits, numbers are base + step * (symbol << extra); with
 * 0 the symbols themselves, whatever plain bits the code has. */
void thr_lookup_build(const thr_code *code, uint32_t extra, uint32_t bits, uint8_t *lookup);

/* The next bits of a stream. */
typedef struct thr_reader {
  uint32_t bits; /* from the most significant on; zeros behind those that it has */
  int32_t have;
  const uint8_t *next, *end;
} thr_reader;

/* Whether there are 16 bits to read, so that a word of the table and its plain bits can be taken. */
static inline int thr_reader_fill(thr_reader *r) {
  if (r->have >= 16) return 1;
  if (r->end - r->next < 2) return 0;
  r->bits |= ((uint32_t)r->next[0] << 8 | r->next[1]) << (16 - r->have);
  r->next += 2;
  r->have += 16;
  return 1;
}

static inline thr_reader thr_reader_open(const thr_stream *stream) {
  const thr_weights *w = stream->weights;
  const uint32_t at = stream->bit >> 3, skip = stream->bit & 7u;
  thr_reader r = {0, 0, w->data + (at < w->bytes ? at : w->bytes), w->data + w->bytes};
  if (skip && r.next < r.end) {
    r.bits = (uint32_t)*r.next++ << (24u + skip);
    r.have = 8 - (int32_t)skip;
  }
  return r;
}

/* Where the reader is, in bits from thr_reader_origin(). Both wrap; their difference does not. */
static inline uint32_t thr_reader_at(const thr_reader *r) {
  return (uint32_t)(uintptr_t)r->next * 8u - (uint32_t)r->have;
}

static inline uint32_t thr_reader_origin(const thr_stream *stream) {
  return (uint32_t)(uintptr_t)stream->weights->data * 8u;
}

static inline void thr_reader_skip(thr_reader *r, uint32_t n) {
  r->bits <<= n;
  r->have -= (int32_t)n;
}

/* `n` < 32 bits as a number. */
static inline uint32_t thr_reader_take(thr_reader *r, uint32_t n) {
  const uint32_t v = r->bits >> 1 >> (31u - n); /* also right for n = 0 */
  thr_reader_skip(r, n);
  return v;
}

#endif
