/* gap_huffman: pairs (zeros before, value) for sparse weights. Decoder and layout: rt/decode/gap_huffman.c.
 *
 * Two numbers shape the gap alphabet: `extra`, how many low bits of a gap follow its code word as they are, and
 * `escape`, the symbol that stands for escape << extra zeros and no value. Dense tensors want few symbols and no plain
 * bits, very sparse ones a handful of symbols over many plain bits; all combinations are measured. A histogram of the
 * gaps makes a trial cost as much as there are distinct gaps, not survivors. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "../../rt/decode/lookup.h"
#include "base/arena.h"
#include "encode/bits.h"
#include "encode/code.h"
#include "encode/encode.h"

enum { QUICK = THR_LOOKUP_BITS - 1 }; /* two codes share the memory of the look-up tables */

static const uint8_t escapes[] = {1,  2,  3,  4,  5,  6,  7,  8,  10,  12,  14,  16,  20, 24,
                                  28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 255};

typedef struct gap_count {
  uint32_t gap, count;
} gap_count;

typedef struct gap_alphabet {
  unsigned escape;
  th_code code;
  uint64_t bits; /* table, words, plain bits; as th_code_cost() */
} gap_alphabet;

typedef struct sparse {
  gap_count *gaps; /* distinct gaps before survivors */
  uint32_t distinct, survivors;
  uint32_t tail; /* zeros after the last survivor */
  uint32_t freq[TH_CODE_SYMBOLS];
} sparse;

static int by_value(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

/* Fills `s`; s->gaps is a th_alloc block. False when out of memory or when there are no survivors. */
static bool collect(const int8_t *w, uint32_t n, sparse *s) {
  *s = (sparse){0};
  uint32_t *gaps = th_alloc(((size_t)n + 1) * sizeof *gaps);
  if (!gaps) return false;
  for (uint32_t i = 0; i < n; i++) {
    if (w[i] == 0) {
      s->tail++;
    } else {
      gaps[s->survivors++] = s->tail;
      s->freq[(uint8_t)w[i]]++;
      s->tail = 0;
    }
  }
  qsort(gaps, s->survivors, sizeof *gaps, by_value);
  s->gaps = th_alloc(((size_t)s->survivors + 1) * sizeof *s->gaps);
  for (uint32_t i = 0; s->gaps && i < s->survivors; i++) {
    if (i == 0 || gaps[i] != gaps[i - 1]) s->gaps[s->distinct++].gap = gaps[i];
    s->gaps[s->distinct - 1].count++;
  }
  th_free(gaps);
  return s->gaps && s->survivors > 0;
}

/* Escapes that cover the zeros at the end. A last one may reach beyond it. */
static uint32_t tail_escapes(uint32_t tail, uint32_t reach) {
  return tail / reach + (tail % reach != 0);
}

static void try_alphabet(const sparse *s, unsigned escape, int extra, gap_alphabet *best) {
  uint32_t freq[TH_CODE_SYMBOLS] = {0};
  const uint32_t reach = escape << extra;
  for (uint32_t i = 0; i < s->distinct; i++) {
    freq[escape] += s->gaps[i].gap / reach * s->gaps[i].count;
    freq[s->gaps[i].gap % reach >> extra] += s->gaps[i].count;
  }
  freq[escape] += tail_escapes(s->tail, reach);
  th_code code;
  if (!th_code_build(freq, extra, false, 0, 1, QUICK, &code)) return;
  /* An escape has no plain bits; that it takes as long as a pair counts as a bit. */
  const uint64_t bits = th_code_cost(&code, QUICK) - (uint64_t)freq[escape] * (unsigned)extra + freq[escape];
  if (best->escape == 0 || bits < best->bits) *best = (gap_alphabet){escape, code, bits};
}

static void put_zeros(const gap_alphabet *gaps, th_bits *bits, uint32_t escapes_needed) {
  for (uint32_t i = 0; i < escapes_needed; i++) th_code_put_symbol(&gaps->code, bits, gaps->escape);
}

static void write_pairs(const int8_t *w, uint32_t n, uint32_t tail, const gap_alphabet *gaps, const th_code *values,
                        th_bits *bits) {
  const uint32_t reach = gaps->escape << gaps->code.extra;
  uint32_t gap = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (w[i] == 0) {
      gap++;
      continue;
    }
    put_zeros(gaps, bits, gap / reach);
    th_code_put_symbol(&gaps->code, bits, gap % reach >> gaps->code.extra);
    th_bits_put(bits, gap, gaps->code.extra); /* reach is a multiple of 2^extra: the low bits are those of gap */
    th_code_put_value(values, bits, w[i]);
    gap = 0;
  }
  put_zeros(gaps, bits, tail_escapes(tail, reach));
}

static void write_all(const int8_t *w, uint32_t n, const sparse *s, const gap_alphabet *gaps, const th_code *values,
                      th_buf *data, th_buf *table) {
  th_buf_u8(table, (uint8_t)gaps->escape);
  th_code_write_table(&gaps->code, table);
  th_code_write_table(values, table);
  th_bits bits = th_bits_begin(data);
  write_pairs(w, n, s->tail, gaps, values, &bits);
  th_bits_end(&bits);
}

bool th_encode_gap_huffman(const int8_t *w, uint32_t n, const th_weight_form *form, th_buf *data, th_buf *table) {
  sparse s;
  th_code values;
  gap_alphabet gaps = {0};
  bool possible = collect(w, n, &s) && th_code_build_values(s.freq, QUICK, &values);
  for (int extra = 0; possible && extra <= 7; extra++)
    for (size_t i = 0; i < sizeof escapes; i++) try_alphabet(&s, escapes[i], extra, &gaps);
  /* Without a single bit per pair the stream would end before it begins. */
  possible = possible && gaps.escape > 0 && gaps.code.data_bits + values.data_bits > 0;
  if (possible) write_all(w, n, &s, &gaps, &values, data, table);
  th_free(s.gaps);
  return possible;
}
