/* Reading a blob front to back without ever passing its end. A read that would sets `bad` and gives zeros from then on.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_CURSOR_H
#define THR_CURSOR_H

#include <stddef.h>
#include <stdint.h>

typedef struct thr_cursor {
  const uint8_t *at, *end;
  int bad;
} thr_cursor;

/* `n` bytes in place; NULL and bad when fewer remain. */
static inline const uint8_t *thr_cursor_take(thr_cursor *c, uint32_t n) {
  const uint8_t *p = c->at;
  if (c->bad || n > (size_t)(c->end - p)) {
    c->bad = 1;
    return NULL;
  }
  c->at += n;
  return p;
}

static inline uint32_t thr_cursor_u8(thr_cursor *c) {
  const uint8_t *p = thr_cursor_take(c, 1);
  return p ? p[0] : 0;
}

static inline uint32_t thr_load_u32(const uint8_t *p) {
  return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint32_t thr_cursor_u32(thr_cursor *c) {
  const uint8_t *p = thr_cursor_take(c, 4);
  return p ? thr_load_u32(p) : 0;
}

/* 7 bits per byte, lowest first, bit 7 set in all but the last; at most 32 bits. */
static inline uint32_t thr_cursor_varint(thr_cursor *c) {
  uint32_t v = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    const uint32_t b = thr_cursor_u8(c);
    if (shift == 28 && b > 15u) break;
    v |= (b & 127u) << shift;
    if (!(b & 128u)) return v;
  }
  c->bad = 1;
  return 0;
}

/* Zigzag: 0, -1, 1, -2, 2, ... are written as 0, 1, 2, 3, 4, ... */
static inline int32_t thr_cursor_svarint(thr_cursor *c) {
  const uint32_t v = thr_cursor_varint(c);
  return (int32_t)(v >> 1) ^ -(int32_t)(v & 1u);
}

#endif
