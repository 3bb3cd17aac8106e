/* bitpack: every weight is an index of fixed width into a codebook, or a step on an evenly spaced scale.
 *
 * Table: byte 0 has the width w (0..8) in bits 0-3 and, in bit 7, which of two forms follows. Set: base, step; the
 * weight is base + step * index. Clear: the codebook, one int8 per byte. Width 0 needs no data: all weights are entry
 * 0. Indices of 4 bits, the width of weights that were clustered to 16 values, are taken two to a byte.
 * SPDX-License-Identifier: Apache-2.0 */
#include "thr_fast.h"

#include <string.h>

#include "lookup.h"

typedef struct book {
  const uint8_t *entry; /* NULL: an even scale */
  uint32_t entries, base, step;
} book;

static book open_book(const thr_weights *w) {
  const uint8_t *table = w->table;
  book b = {NULL, 0, 0, 0};
  if (w->table_bytes == 0) return b;
  if (table[0] & 128u) {
    if (w->table_bytes >= 3) b.base = table[1], b.step = table[2];
  } else {
    b.entry = table + 1;
    b.entries = w->table_bytes - 1u;
  }
  return b;
}

static inline int8_t look_up(const book *b, uint32_t index) {
  if (!b->entry) return (int8_t)(uint8_t)(b->base + b->step * index);
  return index < b->entries ? (int8_t)b->entry[index] : 0;
}

/* Pairs from whole bytes on; returns how many weights. */
static uint32_t nibbles(thr_stream *stream, const book *b, int8_t *out, uint32_t count) {
  const uint32_t left = (uint32_t)(stream->weights->bytes - (stream->bit >> 3));
  const uint32_t bytes = count / 2 < left ? count / 2 : left;
  const uint8_t *p = stream->weights->data + (stream->bit >> 3), *const end = p + bytes;
  if (b->entries == 16) {
    for (; p != end; out += 2) {
      const uint32_t two = *p++;
      out[0] = (int8_t)b->entry[two >> 4];
      out[1] = (int8_t)b->entry[two & 15u];
    }
  } else {
    for (; p != end; out += 2) {
      const uint32_t two = *p++;
      out[0] = look_up(b, two >> 4);
      out[1] = look_up(b, two & 15u);
    }
  }
  stream->bit += bytes * 8u;
  return bytes * 2u;
}

void thr_decode_bitpack(thr_stream *stream, int8_t *out, uint32_t count) {
  const thr_weights *weights = stream->weights;
  const uint32_t width = weights->table_bytes ? weights->table[0] & 15u : 9u, end = thr_bits_window_end(weights);
  const book b = open_book(weights);
  if (width > 8) {
    memset(out, 0, count);
    return;
  }
  if (width == 4 && !(stream->bit & 7u) && !thr_bits_ended(stream)) {
    const uint32_t n = nibbles(stream, &b, out, count);
    out += n, count -= n;
  }
  for (int8_t *const last = out + count; out != last; stream->bit += width) {
    if (width && stream->bit < end)
      *out++ = look_up(&b, thr_bits_window_top(thr_bits_window(weights->data, stream->bit), width));
    else
      *out++ = width && thr_bits_ended(stream) ? 0 : look_up(&b, thr_bits_peek(stream, width));
  }
}
