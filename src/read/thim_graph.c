/* .thim files of kind "graph": the text, and its constants by hash. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "read/thim_parts.h"

typedef struct constant {
  uint64_t hash;
  size_t bytes;
  const uint8_t *data;
} constant;

typedef struct constants {
  constant *items;
  uint32_t count;
} constants;

static const void *find_constant(void *user, uint64_t hash, size_t bytes) {
  const constants *c = user;
  for (uint32_t i = 0; i < c->count; i++)
    if (c->items[i].hash == hash && c->items[i].bytes == bytes) return c->items[i].data;
  return NULL;
}

enum { LEAST_ENTRY_BYTES = 16 }; /* hash and length */

static th_status read_constants(th_reader *r, th_arena *arena, constants *c) {
  c->count = th_reader_u32(r);
  if (c->count > th_reader_left(r) / LEAST_ENTRY_BYTES)
    return th_fail(TH_ERR_INPUT, "%s: %u constants do not fit the file", r->what, c->count);
  c->items = TH_ARRAY(arena, constant, c->count);
  if (!c->items) return TH_ERR_RESOURCE;
  for (uint32_t i = 0; i < c->count; i++) {
    constant *k = &c->items[i];
    k->hash = th_reader_u64(r);
    k->bytes = th_reader_u64(r);
    k->data = th_reader_take(r, k->bytes);
    TH_TRY(th_reader_status(r));
    if (th_hash64(k->data, k->bytes) != k->hash)
      return th_fail(TH_ERR_INPUT, "%s: constant %u does not have the hash it is filed under", r->what, i);
  }
  if (th_reader_left(r) != 0)
    return th_fail(TH_ERR_INPUT, "%s: %zu bytes behind the last constant", r->what, th_reader_left(r));
  return TH_OK;
}

static th_status read_all(th_reader *r, th_arena *arena, th_graph **graph) {
  constants c;
  th_reader_seek(r, THR_HEADER_BYTES);
  const uint32_t text_bytes = th_reader_u32(r);
  const char *text = (const char *)th_reader_take(r, text_bytes);
  TH_TRY(th_reader_status(r));
  TH_TRY(read_constants(r, arena, &c));
  return th_graph_parse(text, text_bytes, r->what, find_constant, &c, graph);
}

th_status th_thim_read_graph(const uint8_t *data, size_t size, const char *what, th_graph **graph) {
  th_reader r = th_reader_init(data, size, what);
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  const th_status status = read_all(&r, arena, graph);
  th_arena_destroy(arena);
  return status;
}
