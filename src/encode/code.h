/* Building canonical, length-limited Huffman codes and their tables (docs/format.md, "Code tables").
 *
 * A code is made for numbers 0..255 with known frequencies. The number is split into a symbol, which gets a Huffman
 * code word, and `extra` low bits that follow as they are; how many is found by trying, because the best split depends
 * on what the table costs. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_ENCODE_CODE_H
#define TH_ENCODE_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "encode/bits.h"

#define TH_CODE_SYMBOLS 256

typedef struct th_code {
  uint8_t length[TH_CODE_SYMBOLS]; /* 0: unused, or the only symbol */
  uint16_t word[TH_CODE_SYMBOLS];
  uint8_t symbol[TH_CODE_SYMBOLS]; /* used symbols in canonical order */
  int symbols, longest, extra;
  int width;           /* bits per symbol in the table */
  bool even;           /* table names base and step */
  uint8_t base, step;  /* value = base + step * number, modulo 256 */
  uint64_t table_bits; /* whole table, a multiple of 8 */
  uint64_t data_bits;  /* sum over frequencies of word length + extra */
} th_code;

/* Lengths of an optimal prefix code with no word longer than `limit`: package-merge (Larmore & Hirschberg 1990).
 * freq 0 gives length 0; one used symbol gives length 0. At most 2^limit symbols may be used. */
void th_huffman_lengths(const uint32_t freq[TH_CODE_SYMBOLS], int limit, uint8_t length[TH_CODE_SYMBOLS]);

/* Bits of table and data, and a surcharge of 1.6 % when words are longer than `quick`: those that a decoder finds in
 * its look-up table (rt/decode/lookup.h) take a third of the instructions of longer ones. */
uint64_t th_code_cost(const th_code *code, int quick);

/* The code of symbols with these frequencies that costs least; `extra` plain bits follow each word and are counted. At
 * least one frequency must be non-zero. False when no table can express the code (256 words of the same length; coding
 * gains nothing then). */
bool th_code_build(const uint32_t freq[TH_CODE_SYMBOLS], int extra, bool even, uint8_t base, uint8_t step, int quick,
                   th_code *code);

/* The cheapest code, over all splits and table forms, of int8 values with frequencies freq[(uint8_t)value]. */
bool th_code_build_values(const uint32_t freq[TH_CODE_SYMBOLS], int quick, th_code *code);

/* The evenly spaced scale that holds all values in use: base = the smallest, step = the common divisor of the
 * distances. */
void th_even_scale(const uint32_t freq[TH_CODE_SYMBOLS], uint8_t *base, uint8_t *step);
unsigned th_even_number(uint8_t base, uint8_t step, int value); /* value = base + step * number, modulo 256 */

void th_code_write_table(const th_code *code, th_buf *table);
void th_code_put_symbol(const th_code *code, th_bits *bits, unsigned symbol);
void th_code_put_value(const th_code *code, th_bits *bits, int value); /* symbol and plain bits */

#endif
