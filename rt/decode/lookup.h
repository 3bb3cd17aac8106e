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

/* The next bits of a stream, 25 of them or more, from the most significant on. Reads 4 bytes: `bit` is less than
 * thr_bits_window_end(). */
static inline uint32_t thr_bits_window(const uint8_t *data, uint32_t bit) {
  data += bit >> 3;
  return ((uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3]) << (bit & 7u);
}

static inline uint32_t thr_bits_window_end(const thr_weights *w) {
  return w->bytes < 4 ? 0 : (w->bytes - 3u) * 8u;
}

/* The first `n` < 32 bits of a window; also right for n = 0. */
static inline uint32_t thr_bits_window_top(uint32_t window, uint32_t n) {
  return window >> 1 >> (31u - n);
}

#endif
