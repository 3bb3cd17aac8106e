/* Bounds-checked reading and growing writing of little-endian bytes. See bytes.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

th_reader th_reader_init(const void *data, size_t size, const char *what) {
  return (th_reader){.data = data, .size = size, .what = what};
}

size_t th_reader_left(const th_reader *r) {
  return r->failed ? 0 : r->size - r->pos;
}

static void reader_fail(th_reader *r, size_t wanted) {
  if (r->failed) return;
  r->failed = true;
  th_fail(TH_ERR_INPUT, "%s: at byte %zu: %zu bytes expected, the file ends after %zu", r->what, r->pos, wanted,
          r->size - r->pos);
}

bool th_reader_seek(th_reader *r, size_t pos) {
  if (r->failed) return false;
  if (pos > r->size) {
    r->failed = true;
    th_fail(TH_ERR_INPUT, "%s: offset %zu lies outside the file of %zu bytes", r->what, pos, r->size);
    return false;
  }
  r->pos = pos;
  return true;
}

const uint8_t *th_reader_take(th_reader *r, size_t n) {
  if (r->failed || n > r->size - r->pos) {
    reader_fail(r, n);
    return NULL;
  }
  const uint8_t *p = r->data + r->pos;
  r->pos += n;
  return p;
}

static uint64_t take_le(th_reader *r, size_t n) {
  const uint8_t *p = th_reader_take(r, n);
  uint64_t v = 0;
  for (size_t i = 0; p && i < n; i++) v |= (uint64_t)p[i] << (8 * i);
  return v;
}

static uint64_t take_be(th_reader *r, size_t n) {
  const uint8_t *p = th_reader_take(r, n);
  uint64_t v = 0;
  for (size_t i = 0; p && i < n; i++) v = v << 8 | p[i];
  return v;
}

uint8_t th_reader_u8(th_reader *r) {
  return (uint8_t)take_le(r, 1);
}
uint16_t th_reader_u16(th_reader *r) {
  return (uint16_t)take_le(r, 2);
}
uint32_t th_reader_u32(th_reader *r) {
  return (uint32_t)take_le(r, 4);
}
uint64_t th_reader_u64(th_reader *r) {
  return take_le(r, 8);
}
uint16_t th_reader_u16be(th_reader *r) {
  return (uint16_t)take_be(r, 2);
}
uint32_t th_reader_u32be(th_reader *r) {
  return (uint32_t)take_be(r, 4);
}

float th_reader_f32(th_reader *r) {
  uint32_t bits = th_reader_u32(r);
  float v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

th_status th_reader_status(const th_reader *r) {
  return r->failed ? TH_ERR_INPUT : TH_OK;
}

void th_buf_free(th_buf *b) {
  th_free(b->data);
  *b = (th_buf){0};
}

static bool reserve(th_buf *b, size_t more) {
  if (b->failed) return false;
  if (more <= b->capacity - b->size) return true;
  size_t capacity = b->capacity ? b->capacity : 256;
  while (capacity - b->size < more) {
    if (capacity > SIZE_MAX / 2) return !(b->failed = true);
    capacity *= 2;
  }
  uint8_t *data = th_realloc(b->data, capacity);
  if (!data) return !(b->failed = true);
  b->data = data;
  b->capacity = capacity;
  return true;
}

void th_buf_append(th_buf *b, const void *data, size_t n) {
  if (!n || !reserve(b, n)) return;
  memcpy(b->data + b->size, data, n);
  b->size += n;
}

void th_buf_zeros(th_buf *b, size_t n) {
  if (!n || !reserve(b, n)) return;
  memset(b->data + b->size, 0, n);
  b->size += n;
}

void th_buf_align(th_buf *b, size_t alignment) {
  size_t rest = b->size % alignment;
  if (rest) th_buf_zeros(b, alignment - rest);
}

static void append_le(th_buf *b, uint64_t v, size_t n) {
  uint8_t bytes[8];
  for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(v >> (8 * i));
  th_buf_append(b, bytes, n);
}

void th_buf_u8(th_buf *b, uint8_t v) {
  append_le(b, v, 1);
}
void th_buf_u16(th_buf *b, uint16_t v) {
  append_le(b, v, 2);
}
void th_buf_u32(th_buf *b, uint32_t v) {
  append_le(b, v, 4);
}
void th_buf_u64(th_buf *b, uint64_t v) {
  append_le(b, v, 8);
}

void th_buf_f32(th_buf *b, float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  th_buf_u32(b, bits);
}

void th_buf_set_u32(th_buf *b, size_t pos, uint32_t v) {
  if (b->failed || pos > b->size || b->size - pos < 4) return;
  for (size_t i = 0; i < 4; i++) b->data[pos + i] = (uint8_t)(v >> (8 * i));
}

void th_buf_printf(th_buf *b, const char *fmt, ...) {
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (n > 0 && reserve(b, (size_t)n + 1)) {
    vsnprintf((char *)b->data + b->size, (size_t)n + 1, fmt, again);
    b->size += (size_t)n;
  }
  va_end(again);
}

th_status th_buf_status(const th_buf *b) {
  return b->failed ? TH_ERR_RESOURCE : TH_OK;
}

const char *th_buf_cstr(th_buf *b) {
  if (!reserve(b, 1)) return "";
  b->data[b->size] = '\0';
  return (const char *)b->data;
}
