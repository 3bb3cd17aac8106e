/* The other side of rt/decode/arithmetic.h: symbols by the part that their probability has of the range. Carries are
 * held back as in LZMA's encoder (Pavlov, public domain description): a byte is written when no carry can reach it any
 * more. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_ENCODE_ARITHMETIC_H
#define TH_ENCODE_ARITHMETIC_H

#include <stdbool.h>

#include "base/bytes.h"

typedef struct th_arithmetic {
  th_buf *out;
  size_t before; /* size of `out` at the beginning */
  uint64_t low;
  uint32_t range, pending;
  uint8_t cache;
  bool begun; /* the very first byte is always 0 and not written */
} th_arithmetic;

th_arithmetic th_arithmetic_begin(th_buf *out);
/* Probabilities from `low` to `high` of THR_RANGE_TOTAL. */
void th_arithmetic_put(th_arithmetic *a, uint32_t low, uint32_t high);
void th_arithmetic_end(th_arithmetic *a);

#endif
