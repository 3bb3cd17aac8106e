/* gap_huffman: sparse weights as pairs (zeros before, value), the way Deep Compression stores them (Han et al. 2016).
 *
 * Table: a byte `escape`, the code table of the gaps, the code table of the values. A gap code with symbol `escape`
 * means escape << extra zeros, at least one, and neither plain bits nor a value; any other means as many zeros as its
 * number says and then the value whose code follows. Zeros at the end of the tensor are covered by a last gap or escape
 * whose value is never asked for.
 *
 * Between calls a stream keeps what the last pair still has to deliver: `run` zeros, then a value.
 * SPDX-License-Identifier: Apache-2.0 */
#include "thr_fast.h"

#include <string.h>

#include "lookup.h"

#define PENDING 256u /* set in stream->value while a value waits for its zeros to pass */

enum { BITS = THR_LOOKUP_BITS - 1, SIZE = 1 << BITS, VALUES = 2 * SIZE }; /* two look-up tables in one memory */

typedef struct pair_codes {
  thr_code gap, value; /* gap.extra is 0: the plain bits of a gap are read here, not after an escape */
  uint32_t escape, extra;
  int parsed, good;
} pair_codes;

static void parse(pair_codes *codes, const thr_weights *weights) {
  const uint8_t *end = weights->table + weights->table_bytes;
  codes->parsed = 1;
  codes->good = 0;
  if (weights->table_bytes == 0) return;
  const uint8_t *next = thr_code_parse(&codes->gap, weights->table + 1, end);
  if (!next) return;
  codes->escape = weights->table[0];
  codes->extra = codes->gap.extra;
  codes->gap.extra = 0;
  codes->good = thr_code_parse(&codes->value, next, end) != NULL;
}

/* --- the sure way: one pair --- */

static void next_pair(const pair_codes *codes, thr_stream *stream) {
  const uint32_t symbol = thr_code_next(&codes->gap, stream) & 255u;
  if (symbol == codes->escape) {
    stream->run = symbol << codes->extra;
    if (stream->run == 0) stream->run = 1;
    return;
  }
  stream->run = symbol << codes->extra | thr_bits_peek(stream, codes->extra);
  stream->bit += codes->extra;
  stream->value = PENDING | (thr_code_next(&codes->value, stream) & 255u);
}

/* --- what becomes of a value: written to out[at], or multiplied by x[at] and added up --- */

typedef struct consumer {
  int8_t *out;
  const int8_t *x;
  uint32_t products, weights; /* sums of w x and of w */
} consumer;

THR_ALWAYS_INLINE void deliver(consumer *to, uint32_t at, uint32_t value) {
  const int32_t w = (int8_t)(uint8_t)value;
  if (to->out) {
    to->out[at] = (int8_t)w;
  } else {
    to->products += (uint32_t)(to->x[at] * w);
    to->weights += (uint32_t)w;
  }
}

/* --- the fast way: pairs that the look-up tables know --- */

static void begin(thr_stream *stream, pair_codes *codes) {
  uint8_t *memory = (uint8_t *)stream->memory;
  parse(codes, stream->weights);
  if (!codes->good) codes->gap.longest = codes->value.longest = 0; /* tables that know nothing */
  thr_lookup_build(&codes->gap, 0, BITS, memory);
  thr_lookup_build(&codes->value, codes->value.extra, BITS, memory + VALUES);
  stream->mean = codes->good ? codes->value.extra | (uint32_t)codes->value.step << 8 : 0;
  stream->range = 1;
}

/* From `at` on, until a pair reaches `n` or is not known. Returns where the next pair begins, `n` or more when the row
 * is done. A window holds a whole pair: two words of the tables and at most 13 plain bits. */
THR_ALWAYS_INLINE uint32_t look_up(thr_stream *stream, uint32_t at, uint32_t n, consumer *to, uint32_t extra) {
  const uint8_t *lookup = (const uint8_t *)stream->memory, *data = stream->weights->data;
  const uint32_t escape = stream->weights->table[0];
  const uint32_t plain = stream->mean & 7u, step = stream->mean >> 8, end = thr_bits_window_end(stream->weights);
  uint32_t bit = stream->bit;
  if (extra + plain > 13) return at;
  while (bit < end) { /* no need to look at `at`: a pair that begins at n waits */
    uint32_t window = thr_bits_window(data, bit);
    const uint8_t *entry = lookup + (window >> (32 - BITS));
    const uint32_t gap_length = entry[SIZE], gap = entry[0];
    if (gap_length == 0) break;
    if (gap == escape) {
      at += escape ? escape << extra : 1;
      bit += gap_length;
      continue;
    }
    window <<= gap_length;
    const uint32_t next = at + (gap << extra) + thr_bits_window_top(window, extra);
    window <<= extra;
    entry = lookup + VALUES + (window >> (32 - BITS));
    const uint32_t length = entry[SIZE];
    if (length == 0) break;
    const uint32_t w = entry[0] + step * thr_bits_window_top(window << length, plain);
    bit += gap_length + length + extra + plain;
    at = next;
    if (next >= n) {
      stream->value = PENDING | (w & 255u);
      break;
    }
    deliver(to, at++, w);
  }
  stream->bit = bit;
  return at;
}

/* --- both --- */

/* The next `n` weights of the stream. */
THR_ALWAYS_INLINE void run(thr_stream *stream, uint32_t n, consumer *to) {
  pair_codes codes;
  uint32_t at = stream->run;
  codes.parsed = 0;
  if (stream->memory && stream->range == 0) begin(stream, &codes);
  for (;;) {
    if (at >= n) break;
    if (stream->value) deliver(to, at++, stream->value);
    stream->value = 0;
    if (stream->memory && stream->weights->table_bytes >= 2) {
      const uint32_t extra = stream->weights->table[1] >> 4 & 7u; /* often 0, and then a constant */
      at = extra ? look_up(stream, at, n, to, extra) : look_up(stream, at, n, to, 0);
    }
    if (at >= n) break;
    if (!codes.parsed) parse(&codes, stream->weights);
    if (!codes.good || thr_bits_ended(stream)) {
      at = n;
      break;
    }
    next_pair(&codes, stream);
    at += stream->run;
  }
  stream->run = at - n;
}

void thr_decode_gap_huffman(thr_stream *stream, int8_t *out, uint32_t count) {
  consumer to = {out, NULL, 0, 0};
  memset(out, 0, count);
  run(stream, count, &to);
}

int32_t thr_dot_gap_huffman(thr_stream *stream, const int8_t *x, uint32_t n, int32_t zero, int32_t acc) {
  consumer to = {NULL, x, (uint32_t)acc, 0};
  run(stream, n, &to);
  return (int32_t)(to.products - to.weights * (uint32_t)zero);
}
