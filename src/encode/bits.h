/* Writing bits, most significant first, into a th_buf. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_ENCODE_BITS_H
#define TH_ENCODE_BITS_H

#include "base/bytes.h"

typedef struct th_bits {
  th_buf *buf;
  uint32_t pending;
  int count; /* bits in `pending`, 0..7 between calls */
} th_bits;

static inline th_bits th_bits_begin(th_buf *buf) {
  return (th_bits){.buf = buf};
}

/* The low `n` <= 24 bits of `value`. */
static inline void th_bits_put(th_bits *b, uint32_t value, int n) {
  b->pending = b->pending << n | (value & ((1u << n) - 1u));
  for (b->count += n; b->count >= 8; b->count -= 8) th_buf_u8(b->buf, (uint8_t)(b->pending >> (b->count - 8)));
  b->pending &= (1u << b->count) - 1u;
}

/* Fills the last byte with zeros. */
static inline void th_bits_end(th_bits *b) {
  if (b->count > 0) th_bits_put(b, 0, 8 - b->count);
}

#endif
