/* FlatBuffers: a bounds-checked reader, and a builder that writes front to back.
 *
 * Layout (flatbuffers.dev/internals): the file begins with a u32 offset to the root table and a 4-byte identifier. A
 * table begins with an s32 distance back to its vtable; a vtable is u16 own size, u16 table size, then per field the
 * u16 place within the table, 0 when absent. References are u32 offsets forward from where they stand; a vector is a
 * u32 count and its elements, a string a vector of bytes with a NUL behind.
 *
 *   table @p : [s32 p - vtable] [field] [field] ...        vtable: [u16 size] [u16 table size] [u16 at] [u16 at] ...
 *
 * Own code because Debian has no C library that checks every access; a hostile file is this reader's normal case.
 * Reading never leaves the bytes: a bad offset records the error with its byte position, sets `failed`, and gives
 * defaults from then on, so one test at the end is enough.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_FORMAT_FLATBUF_H
#define TH_FORMAT_FLATBUF_H

#include <stdbool.h>

#include "base/bytes.h"

/* --- reading --- */

typedef struct th_fb {
  const uint8_t *data;
  size_t size;
  const char *what; /* for messages */
  bool failed;
} th_fb;

typedef struct th_fb_table { /* pos 0: absent; every field then has its default */
  th_fb *fb;
  uint32_t pos, vtable;
  uint32_t vtable_bytes, table_bytes;
} th_fb_table;

typedef struct th_fb_vec { /* count 0: absent or empty */
  th_fb *fb;
  uint32_t pos, count, elem_bytes;
} th_fb_vec;

th_fb th_fb_init(const uint8_t *data, size_t size, const char *what);
th_status th_fb_status(const th_fb *fb);
th_fb_table th_fb_root(th_fb *fb, const char identifier[4]);

bool th_fb_has(th_fb_table t, int field);
uint8_t th_fb_u8(th_fb_table t, int field, uint8_t otherwise);
int8_t th_fb_s8(th_fb_table t, int field, int8_t otherwise);
bool th_fb_bool(th_fb_table t, int field, bool otherwise);
int32_t th_fb_s32(th_fb_table t, int field, int32_t otherwise);
uint32_t th_fb_u32(th_fb_table t, int field, uint32_t otherwise);
uint64_t th_fb_u64(th_fb_table t, int field, uint64_t otherwise);
float th_fb_f32(th_fb_table t, int field, float otherwise);

th_fb_table th_fb_child(th_fb_table t, int field);
th_fb_vec th_fb_vector(th_fb_table t, int field, uint32_t elem_bytes);
const char *th_fb_string(th_fb_table t, int field); /* NUL-terminated inside the file; "" when absent */

th_fb_table th_fb_vec_table(th_fb_vec v, uint32_t i); /* element of a vector of tables (elem_bytes 4) */
int32_t th_fb_vec_s32(th_fb_vec v, uint32_t i);       /* 0 beyond the end */
int64_t th_fb_vec_s64(th_fb_vec v, uint32_t i);
float th_fb_vec_f32(th_fb_vec v, uint32_t i);
const uint8_t *th_fb_vec_data(th_fb_vec v); /* count * elem_bytes bytes, of any alignment; NULL when empty */

/* --- building ---
 * Tables are written as they are declared, from the root down; whatever they refer to comes later, and a reference is
 * patched once its target has a place. Vectors and strings are held back to the end, where equal ones are written
 * once. */

typedef struct th_fb_field {
  int id;
  int bytes;      /* 1, 2, 4, 8; references are 4 */
  uint64_t value; /* bits, little-endian */
} th_fb_field;

typedef struct th_fb_pending th_fb_pending;

typedef struct th_fb_builder {
  th_buf buf;
  size_t *vtables; /* places of those written, for sharing */
  int n_vtables, vtable_capacity;
  th_fb_pending *pending;
  int n_pending, pending_capacity;
  th_buf held; /* bytes of the pending vectors */
} th_fb_builder;

void th_fb_begin(th_fb_builder *b, const char identifier[4]);
void th_fb_builder_free(th_fb_builder *b);

/* Writes a table; returns its place. Fields equal to their default should be left out by the caller. */
size_t th_fb_table_write(th_fb_builder *b, const th_fb_field *fields, int n);
/* Place of a field's value within a table just written: for th_fb_link and the th_fb_hold family. */
size_t th_fb_slot(const th_fb_builder *b, size_t table, int id);
/* Makes the reference at `slot` point to `target`, which must come later in the file. */
void th_fb_link(th_fb_builder *b, size_t slot, size_t target);
/* Begins a vector of `count` references; element i has slot result + 4 + 4 i. Returns its place (a link target). */
size_t th_fb_refs(th_fb_builder *b, uint32_t count);
/* Holds back a vector to be referred to from `slot`. alignment: of its first element, a power of two up to 16. */
void th_fb_hold(th_fb_builder *b, size_t slot, const void *elems, uint32_t count, uint32_t elem_bytes,
                uint32_t alignment);
void th_fb_hold_string(th_fb_builder *b, size_t slot, const char *text);

/* Points the root at `root`, writes what was held back. The bytes are in b->buf. */
th_status th_fb_end(th_fb_builder *b, size_t root);

static inline th_fb_field th_fb_ref(int id) {
  return (th_fb_field){id, 4, 0};
}
static inline th_fb_field th_fb_field_u8(int id, unsigned v) {
  return (th_fb_field){id, 1, v & 0xff};
}
static inline th_fb_field th_fb_field_s32(int id, int32_t v) {
  return (th_fb_field){id, 4, (uint32_t)v};
}
th_fb_field th_fb_field_f32(int id, float v);

#endif
