/* Canonical Huffman codes as the decoders read them, straight from the table in flash.
 *
 * A table holds the number of codes of each length and the symbols in the order of their codes; nothing is expanded
 * in RAM but 16 counters. Decoding walks the lengths: codes of one length are consecutive integers, so one subtraction
 * says whether the bits read so far are a code, and which (Huffman 1952; canonical order after Schwartz & Kallick
 * 1964). A code word is followed by `extra` plain bits; the number coded is base + step * (symbol << extra | plain
 * bits). Table layout: docs/format.md, "Code tables". SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DECODE_CODE_H
#define THR_DECODE_CODE_H

#include "thr_weights.h"

#define THR_CODE_MAX_BITS 15

typedef struct thr_code {
  const uint8_t *symbols; /* packed, `width` bits each, most significant bit first */
  uint8_t count[THR_CODE_MAX_BITS + 1];
  uint8_t longest, extra, width, base, step;
} thr_code;

/* Reads the table that starts at `table`. Returns the byte after it, or NULL if it does not end by `end`. */
const uint8_t *thr_code_parse(thr_code *code, const uint8_t *table, const uint8_t *end);

/* Symbol `i` of the table, in the order of the code words. */
uint32_t thr_code_symbol(const thr_code *code, uint32_t i);

/* The next number of the stream. Bits past the end of the data are zeros; a bit pattern that is no code gives 0. */
uint32_t thr_code_next(const thr_code *code, thr_stream *stream);

/* The next `n` <= 16 bits as a number, first bit highest; zeros past the end. Does not advance. */
uint32_t thr_bits_peek(const thr_stream *stream, uint32_t n);

static inline int thr_bits_ended(const thr_stream *stream) {
  return (stream->bit >> 3) >= stream->weights->bytes;
}

#endif
