/* gap_huffman: sparse weights as pairs (zeros before, value), the way Deep Compression stores them (Han et al. 2016).
 *
 * Table: a byte `escape`, the code table of the gaps, the code table of the values. A gap code with symbol `escape`
 * means escape << extra zeros, at least one, and neither plain bits nor a value; any other means as many zeros as its
 * number says and then the value whose code follows. Zeros at the end of the tensor are covered by a last gap or escape
 * whose value is never asked for. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "code.h"

#define PENDING 256u /* set in stream->value while a value waits for its zeros to pass */

typedef struct pair_codes {
  thr_code gap, value; /* gap.extra is 0: the plain bits of a gap are read here, not after an escape */
  uint32_t escape, extra;
} pair_codes;

static int parse(pair_codes *codes, const thr_weights *weights) {
  const uint8_t *end = weights->table + weights->table_bytes;
  if (weights->table_bytes == 0) return 0;
  const uint8_t *next = thr_code_parse(&codes->gap, weights->table + 1, end);
  if (!next) return 0;
  codes->escape = weights->table[0];
  codes->extra = codes->gap.extra;
  codes->gap.extra = 0;
  return thr_code_parse(&codes->value, next, end) != NULL;
}

static void next_pair(const pair_codes *codes, thr_stream *stream) {
  const uint32_t symbol = thr_code_next(&codes->gap, stream);
  if (symbol == codes->escape) {
    stream->run = symbol << codes->extra;
    if (stream->run == 0) stream->run = 1;
    return;
  }
  stream->run = symbol << codes->extra | thr_bits_peek(stream, codes->extra);
  stream->bit += codes->extra;
  stream->value = PENDING | (thr_code_next(&codes->value, stream) & 255u);
}

void thr_decode_gap_huffman(thr_stream *stream, int8_t *out, uint32_t count) {
  pair_codes codes;
  const int good = parse(&codes, stream->weights);
  while (count > 0) {
    if (stream->run > 0) {
      const uint32_t zeros = stream->run < count ? stream->run : count;
      memset(out, 0, zeros);
      out += zeros, count -= zeros, stream->run -= zeros;
    } else if (stream->value) {
      *out++ = (int8_t)(uint8_t)stream->value;
      count--, stream->value = 0;
    } else if (good && !thr_bits_ended(stream)) {
      next_pair(&codes, stream);
    } else {
      stream->run = count;
    }
  }
}
