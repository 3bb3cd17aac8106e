/* gzip through zlib: one loop that inflates member after member into a growing block.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/gzip.h"

#include <string.h>
#include <zlib.h>

typedef struct sink {
  th_arena *arena;
  uint8_t *data;
  size_t size, capacity, limit;
  const char *what;
} sink;

bool th_gzip_probe(const uint8_t *data, size_t size) {
  return size >= 3 && data[0] == 0x1f && data[1] == 0x8b && data[2] == 8;
}

/* The last four bytes give the length modulo 2^32 of the last member: a hint only. Deflate cannot expand by more than
 * a factor of 1032, so a lying hint costs no more than that. */
static size_t size_hint(const uint8_t *data, size_t size) {
  if (size < 18) return 64;
  const uint8_t *p = data + size - 4;
  size_t claimed = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
  return claimed < size * 1032 ? claimed + 1 : size * 4;
}

static th_status sink_grow(sink *s, size_t capacity) {
  if (s->capacity >= s->limit)
    return th_fail(TH_ERR_INPUT, "%s: inflates to more than the limit of %zu bytes", s->what, s->limit);
  if (capacity > s->limit) capacity = s->limit;
  uint8_t *bigger = th_arena_alloc(s->arena, capacity + 1); /* one zero byte behind the data, as th_file_read */
  if (!bigger) return TH_ERR_RESOURCE;
  if (s->size) memcpy(bigger, s->data, s->size);
  s->data = bigger;
  s->capacity = capacity;
  return TH_OK;
}

static th_status inflate_error(const sink *s, const z_stream *z, size_t size, int code) {
  if (code == Z_MEM_ERROR) return th_fail(TH_ERR_RESOURCE, "%s: out of memory while inflating", s->what);
  size_t at = size - z->avail_in;
  if (code == Z_BUF_ERROR || code == Z_OK)
    return th_fail(TH_ERR_INPUT, "%s: gzip data end at byte %zu in the middle of the stream: the file is truncated",
                   s->what, at);
  return th_fail(TH_ERR_INPUT, "%s: corrupt gzip data near byte %zu: %s", s->what, at, z->msg ? z->msg : "bad stream");
}

static th_status inflate_members(sink *s, z_stream *z, size_t size) {
  for (;;) {
    if (s->size == s->capacity) TH_TRY(sink_grow(s, s->capacity * 2));
    size_t room = s->capacity - s->size;
    z->next_out = s->data + s->size;
    z->avail_out = room > 1u << 30 ? 1u << 30 : (uInt)room;
    uInt before = z->avail_out;
    int code = inflate(z, Z_NO_FLUSH);
    s->size += before - z->avail_out;
    if (code == Z_STREAM_END) {
      if (z->avail_in == 0 || !th_gzip_probe(z->next_in, z->avail_in)) return TH_OK; /* padding after it is allowed */
      if (inflateReset(z) != Z_OK) return inflate_error(s, z, size, Z_DATA_ERROR);
    } else if (code != Z_OK || (z->avail_in == 0 && z->avail_out != 0)) {
      return inflate_error(s, z, size, code);
    }
  }
}

th_status th_gzip_inflate(th_arena *arena, const uint8_t *data, size_t size, size_t limit, const char *what,
                          uint8_t **out, size_t *out_size) {
  if (!th_gzip_probe(data, size)) return th_fail(TH_ERR_INPUT, "%s: not a gzip file", what);
  if (size > 0x7fffffff) return th_fail(TH_ERR_INPUT, "%s: %zu bytes are too many for a gzip file", what, size);
  sink s = {.arena = arena, .limit = limit, .what = what};
  TH_TRY(sink_grow(&s, size_hint(data, size)));
  z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
  if (inflateInit2(&z, 15 + 16) != Z_OK) return th_fail(TH_ERR_RESOURCE, "%s: out of memory while inflating", what);
  th_status status = inflate_members(&s, &z, size);
  inflateEnd(&z);
  *out = s.data;
  *out_size = s.size;
  return status;
}
