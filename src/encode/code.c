/* Canonical codes: assigning words, measuring and writing tables, choosing the split into symbol and plain bits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode/code.h"

#include <string.h>

enum { LONGEST = 15, SLOWNESS = 64 }; /* a code that is not quick must save that part of its bits */

static int bits_for(unsigned max) { /* to write the numbers 0..max; at least 1 */
  int bits = 1;
  while (max >> bits) bits++;
  return bits;
}

/* Puts symbols in canonical order (by length, then number) and numbers the words. */
static void assign_words(const uint32_t freq[TH_CODE_SYMBOLS], th_code *code) {
  unsigned count[LONGEST + 1] = {0}, place[LONGEST + 1], word[LONGEST + 1], placed = 0, next = 0;
  for (int s = 0; s < TH_CODE_SYMBOLS; s++) count[code->length[s]] += freq[s] != 0;
  code->longest = 0;
  for (int length = 0; length <= LONGEST; length++) {
    place[length] = placed;
    word[length] = next;
    placed += count[length];
    next = (next + count[length]) << 1;
    if (count[length]) code->longest = length;
  }
  code->symbols = (int)placed;
  for (int s = 0; s < TH_CODE_SYMBOLS; s++) {
    const int length = code->length[s];
    if (freq[s] == 0) continue;
    code->symbol[place[length]++] = (uint8_t)s;
    code->word[s] = (uint16_t)word[length]++;
  }
}

static void count_lengths(const th_code *code, int count[LONGEST + 1]) {
  memset(count, 0, (LONGEST + 1) * sizeof count[0]);
  for (int i = 0; i < code->symbols; i++) count[code->length[code->symbol[i]]]++;
}

/* Bits per entry of the table's length counts: 4, 8, or 0 when a count does not fit. */
static int count_bits(const th_code *code) {
  int count[LONGEST + 1], bits = 4;
  count_lengths(code, count);
  for (int i = 1; i <= LONGEST; i++) {
    if (count[i] > 255) return 0;
    if (count[i] > 15) bits = 8;
  }
  return bits;
}

static bool measure(const uint32_t freq[TH_CODE_SYMBOLS], th_code *code) {
  const int per_count = count_bits(code);
  unsigned highest = 0;
  code->data_bits = 0;
  for (int i = 0; i < code->symbols; i++) {
    const int s = code->symbol[i];
    if ((unsigned)s > highest) highest = (unsigned)s;
    code->data_bits += (uint64_t)freq[s] * (unsigned)(code->length[s] + code->extra);
  }
  code->width = bits_for(highest);
  const int bytes =
      2 + (code->even ? 2 : 0) + (code->longest * per_count + 7) / 8 + (code->symbols * code->width + 7) / 8;
  code->table_bits = (uint64_t)bytes * 8;
  return per_count != 0;
}

uint64_t th_code_cost(const th_code *code, int quick) {
  const uint64_t bits = code->table_bits + (code->data_bits + 7) / 8 * 8;
  return code->longest > quick ? bits + bits / SLOWNESS : bits;
}

bool th_code_build(const uint32_t freq[TH_CODE_SYMBOLS], int extra, bool even, uint8_t base, uint8_t step, int quick,
                   th_code *code) {
  bool found = false;
  int used = 0;
  for (int s = 0; s < TH_CODE_SYMBOLS; s++) used += freq[s] != 0;
  for (int limit = bits_for((unsigned)used - 1); limit <= LONGEST; limit++) {
    th_code trial = {.extra = extra, .even = even, .base = base, .step = step};
    th_huffman_lengths(freq, limit, trial.length);
    assign_words(freq, &trial);
    if (measure(freq, &trial) && (!found || th_code_cost(&trial, quick) < th_code_cost(code, quick))) {
      *code = trial;
      found = true;
    }
    if (trial.longest < limit) break; /* the limit no longer binds */
  }
  return found;
}

static unsigned gcd(unsigned a, unsigned b) {
  while (b) {
    const unsigned r = a % b;
    a = b;
    b = r;
  }
  return a;
}

void th_even_scale(const uint32_t freq[TH_CODE_SYMBOLS], uint8_t *base, uint8_t *step) {
  int lo = 128;
  unsigned divisor = 0;
  for (int v = -128; v < 128; v++) {
    if (freq[(uint8_t)v] == 0) continue;
    if (lo == 128) lo = v;
    divisor = gcd((unsigned)(v - lo), divisor);
  }
  *base = (uint8_t)lo;
  *step = (uint8_t)(divisor ? divisor : 1);
}

unsigned th_even_number(uint8_t base, uint8_t step, int value) {
  return (unsigned)(uint8_t)(value - base) / step;
}

bool th_code_build_values(const uint32_t freq[TH_CODE_SYMBOLS], int quick, th_code *code) {
  bool found = false;
  uint8_t base, step;
  th_even_scale(freq, &base, &step);
  for (int even = 0; even <= 1; even++) {
    for (int extra = 0; extra <= 7; extra++) {
      uint32_t symbol_freq[TH_CODE_SYMBOLS] = {0};
      th_code trial;
      const uint8_t b = even ? base : 0, s = even ? step : 1;
      for (int v = -128; v < 128; v++)
        if (freq[(uint8_t)v]) symbol_freq[th_even_number(b, s, v) >> extra] += freq[(uint8_t)v];
      if (!th_code_build(symbol_freq, extra, even, b, s, quick, &trial)) continue;
      if (!found || th_code_cost(&trial, quick) < th_code_cost(code, quick)) *code = trial;
      found = true;
    }
  }
  return found;
}

void th_code_write_table(const th_code *code, th_buf *table) {
  int count[LONGEST + 1];
  const int per_count = count_bits(code);
  count_lengths(code, count);
  th_buf_u8(table, (uint8_t)(code->longest | code->extra << 4 | (per_count == 4 ? 128 : 0)));
  th_buf_u8(table, (uint8_t)((code->width - 1) | (code->even ? 8 : 0)));
  if (code->even) {
    th_buf_u8(table, code->base);
    th_buf_u8(table, code->step);
  }
  th_bits bits = th_bits_begin(table);
  for (int i = 1; i <= code->longest; i++) th_bits_put(&bits, (uint32_t)count[i], per_count);
  th_bits_end(&bits);
  bits = th_bits_begin(table);
  for (int i = 0; i < code->symbols; i++) th_bits_put(&bits, code->symbol[i], code->width);
  th_bits_end(&bits);
}

void th_code_put_symbol(const th_code *code, th_bits *bits, unsigned symbol) {
  th_bits_put(bits, code->word[symbol], code->length[symbol]);
}

void th_code_put_value(const th_code *code, th_bits *bits, int value) {
  const unsigned number = th_even_number(code->base, code->step, value);
  th_code_put_symbol(code, bits, number >> code->extra);
  th_bits_put(bits, number, code->extra);
}
