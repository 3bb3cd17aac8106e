/* See protobuf.h. The wire format: https://protobuf.dev/programming-guides/encoding/
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/protobuf.h"

#include <protobuf-c/protobuf-c.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct field {
  const ProtobufCFieldDescriptor *known; /* NULL: not in the schema, skipped */
  uint32_t number;
  int wire;
  const uint8_t *bytes; /* WIRE_BYTES: the content */
  size_t size;
} field;

typedef struct walker {
  const uint8_t *begin, *at, *end;
} walker;

static bool take_varint(walker *w, uint64_t *value) {
  *value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (w->at == w->end) return false;
    const uint8_t byte = *w->at++;
    *value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return true;
  }
  return false;
}

static bool skip(walker *w, size_t bytes) {
  if ((size_t)(w->end - w->at) < bytes) return false;
  w->at += bytes;
  return true;
}

static bool take_field(walker *w, const ProtobufCMessageDescriptor *type, field *f) {
  uint64_t key, value;
  if (!take_varint(w, &key) || key > UINT32_MAX || key >> 3 == 0) return false;
  *f = (field){.number = (uint32_t)(key >> 3), .wire = (int)(key & 7)};
  f->known = protobuf_c_message_descriptor_get_field(type, f->number);
  switch (f->wire) {
    case WIRE_VARINT:
      return take_varint(w, &value);
    case WIRE_64:
      return skip(w, 8);
    case WIRE_32:
      return skip(w, 4);
    case WIRE_BYTES:
      if (!take_varint(w, &value) || value > (uint64_t)(w->end - w->at)) return false;
      f->bytes = w->at;
      f->size = (size_t)value;
      return skip(w, f->size);
    default:
      return false;
  }
}

static int wire_of(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
      return WIRE_32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
      return WIRE_64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
      return WIRE_BYTES;
    default:
      return WIRE_VARINT;
  }
}

/* A repeated number may also come packed into bytes. */
static bool kind_fits(const field *f) {
  if (!f->known) return true;
  return f->wire == wire_of(f->known->type) || (f->wire == WIRE_BYTES && f->known->label == PROTOBUF_C_LABEL_REPEATED);
}

static bool is_single_message(const ProtobufCFieldDescriptor *f) {
  return f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED;
}

typedef struct check {
  const uint8_t *begin;
  const char *what;
  uint64_t bytes; /* an upper bound of what protobuf-c will allocate */
} check;

/* A scanned member takes up to 96 bytes while its message is unpacked, a block is rounded up to 64, and a packed
 * number of one byte becomes one of 8. */
static uint64_t cost_of(const field *f) {
  const bool bytes = !f->known || f->known->type == PROTOBUF_C_TYPE_BYTES || f->known->type == PROTOBUF_C_TYPE_STRING;
  if (f->wire != WIRE_BYTES) return 96 + (f->known ? 8 : 128);
  if (bytes) return 96 + 128 + (uint64_t)f->size;
  return f->known->type == PROTOBUF_C_TYPE_MESSAGE ? 96 : 96 + 64 + 8 * (uint64_t)f->size;
}

static th_status check_message(check *c, const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size,
                               int depth) {
  walker w = {data, data, data + size};
  c->bytes += type->sizeof_message + 64;
  uint64_t seen = 0; /* by place in the schema; messages have fewer than 64 fields */
  if (depth > TH_PROTOBUF_MAX_DEPTH)
    return th_fail(TH_ERR_INPUT, "%s: byte %zu: messages are nested more than %d deep", c->what,
                   (size_t)(data - c->begin), TH_PROTOBUF_MAX_DEPTH);
  while (w.at < w.end) {
    const size_t at = (size_t)(w.at - c->begin);
    field f;
    if (!take_field(&w, type, &f))
      return th_fail(TH_ERR_INPUT, "%s: byte %zu: damaged or cut off (in %s)", c->what, at, type->short_name);
    if (!kind_fits(&f))
      return th_fail(TH_ERR_INPUT, "%s: byte %zu: field %s of %s has wire type %d", c->what, at, f.known->name,
                     type->short_name, f.wire);
    c->bytes += cost_of(&f);
    if (!f.known || f.known->type != PROTOBUF_C_TYPE_MESSAGE) continue;
    const uint64_t bit = (uint64_t)1 << ((size_t)(f.known - type->fields) & 63);
    if (is_single_message(f.known) && (seen & bit))
      return th_fail(TH_ERR_INPUT, "%s: byte %zu: %s occurs twice in %s", c->what, at, f.known->name, type->short_name);
    seen |= bit;
    TH_TRY(check_message(c, f.known->descriptor, f.bytes, f.size, depth + 1));
  }
  return TH_OK;
}

static void *arena_alloc(void *arena, size_t bytes) {
  return th_arena_alloc(arena, bytes);
}

static void arena_free(void *arena, void *block) {
  (void)arena;
  (void)block; /* the arena is released as a whole */
}

th_status th_protobuf_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size, const char *what,
                             th_arena *arena, void **message) {
  ProtobufCAllocator allocator = {arena_alloc, arena_free, arena};
  check c = {data, what, 0};
  *message = NULL;
  TH_TRY(check_message(&c, type, data, size, 0));
  if (c.bytes > TH_PROTOBUF_MAX_BYTES)
    return th_fail(TH_ERR_INPUT, "%s: would take up to %llu bytes of memory, at most %d are allowed", what,
                   (unsigned long long)c.bytes, TH_PROTOBUF_MAX_BYTES);
  *message = protobuf_c_message_unpack(type, &allocator, size, data);
  if (*message) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: cannot be unpacked: damaged, or out of memory", what);
}

bool th_protobuf_probe(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size, uint32_t needed) {
  walker w = {data, data, data + size};
  bool found = false;
  while (w.at < w.end) {
    field f;
    if (!take_field(&w, type, &f) || !f.known || !kind_fits(&f)) return false;
    found = found || f.number == needed;
  }
  return found;
}
