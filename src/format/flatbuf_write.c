/* The FlatBuffers builder. Front to back, so alignment is that of the file and nothing moves; a vtable stands before
 * its first table and is shared by later tables of the same layout.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/arena.h"
#include "format/flatbuf.h"

struct th_fb_pending {
  size_t slot;               /* the reference to patch */
  size_t held, bytes;        /* its bytes in `held` */
  uint32_t count, alignment; /* elements; of the first element */
  uint32_t terminator;       /* bytes of zero behind it: 1 for strings */
  size_t placed;             /* where the vector was written, 0 before */
};

void th_fb_begin(th_fb_builder *b, const char identifier[4]) {
  *b = (th_fb_builder){0};
  th_buf_u32(&b->buf, 0);
  th_buf_append(&b->buf, identifier, 4);
}

void th_fb_builder_free(th_fb_builder *b) {
  th_buf_free(&b->buf);
  th_buf_free(&b->held);
  th_free(b->vtables);
  th_free(b->pending);
}

th_fb_field th_fb_field_f32(int id, float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return (th_fb_field){id, 4, bits};
}

static bool make_room(th_fb_builder *b, void **items, int n, int *capacity, size_t elem_bytes) {
  if (n < *capacity) return true;
  int more = *capacity ? *capacity * 2 : 64;
  void *p = th_realloc(*items, (size_t)more * elem_bytes);
  if (!p) {
    b->buf.failed = true;
    return false;
  }
  *items = p;
  *capacity = more;
  return true;
}

static void put_u16(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)v;
  p[1] = (uint8_t)(v >> 8);
}

static uint32_t get_u16(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

/* Place of an equal vtable, written now if there is none. */
static size_t share_vtable(th_fb_builder *b, const uint8_t *vtable, size_t bytes) {
  for (int i = 0; i < b->n_vtables && !b->buf.failed; ++i) {
    const uint8_t *old = b->buf.data + b->vtables[i];
    if (get_u16(old) == bytes && memcmp(old, vtable, bytes) == 0) return b->vtables[i];
  }
  th_buf_align(&b->buf, 2);
  size_t place = b->buf.size;
  th_buf_append(&b->buf, vtable, bytes);
  void *items = b->vtables;
  if (make_room(b, &items, b->n_vtables, &b->vtable_capacity, sizeof *b->vtables)) {
    b->vtables = items;
    b->vtables[b->n_vtables++] = place;
  }
  return place;
}

size_t th_fb_table_write(th_fb_builder *b, const th_fb_field *fields, int n) {
  uint8_t vtable[4 + 2 * 64] = {0};
  uint32_t at = 4, top = 0;
  bool wide = false;
  for (int bytes = 8; bytes >= 1; bytes /= 2) /* wide fields first, so that each is aligned to its size */
    for (int i = 0; i < n; ++i) {
      if (fields[i].bytes != bytes) continue;
      wide = wide || bytes == 8;
      put_u16(vtable + 4 + 2 * fields[i].id, at);
      if ((uint32_t)fields[i].id + 1 > top) top = (uint32_t)fields[i].id + 1;
      at += (uint32_t)bytes;
    }
  put_u16(vtable, 4 + 2 * top);
  put_u16(vtable + 2, at);
  size_t shared = share_vtable(b, vtable, 4 + 2 * top);
  th_buf_align(&b->buf, 4);
  if (wide && b->buf.size % 8 == 0) th_buf_zeros(&b->buf, 4); /* the first field, 4 bytes on, must be on 8 */
  size_t table = b->buf.size;
  th_buf_u32(&b->buf, (uint32_t)(table - shared));
  for (int bytes = 8; bytes >= 1; bytes /= 2)
    for (int i = 0; i < n; ++i)
      for (int k = 0; k < bytes && fields[i].bytes == bytes; ++k)
        th_buf_u8(&b->buf, (uint8_t)(fields[i].value >> 8 * k));
  return table;
}

size_t th_fb_slot(const th_fb_builder *b, size_t table, int id) {
  if (b->buf.failed) return 0;
  const uint8_t *p = b->buf.data + table;
  uint32_t back = get_u16(p) | get_u16(p + 2) << 16;
  return table + get_u16(b->buf.data + table - back + 4 + 2 * (size_t)id);
}

void th_fb_link(th_fb_builder *b, size_t slot, size_t target) {
  if (!b->buf.failed) th_buf_set_u32(&b->buf, slot, (uint32_t)(target - slot));
}

size_t th_fb_refs(th_fb_builder *b, uint32_t count) {
  th_buf_align(&b->buf, 4);
  size_t place = b->buf.size;
  th_buf_u32(&b->buf, count);
  th_buf_zeros(&b->buf, 4 * (size_t)count);
  return place;
}

static void hold(th_fb_builder *b, size_t slot, const void *data, size_t bytes, uint32_t count, uint32_t alignment,
                 uint32_t terminator) {
  void *items = b->pending;
  if (!make_room(b, &items, b->n_pending, &b->pending_capacity, sizeof *b->pending)) return;
  b->pending = items;
  b->pending[b->n_pending++] = (th_fb_pending){.slot = slot,
                                               .held = b->held.size,
                                               .bytes = bytes,
                                               .count = count,
                                               .alignment = alignment < 4 ? 4 : alignment,
                                               .terminator = terminator};
  if (bytes) th_buf_append(&b->held, data, bytes);
}

void th_fb_hold(th_fb_builder *b, size_t slot, const void *elems, uint32_t count, uint32_t elem_bytes,
                uint32_t alignment) {
  hold(b, slot, elems, (size_t)count * elem_bytes, count, alignment, 0);
}

void th_fb_hold_string(th_fb_builder *b, size_t slot, const char *text) {
  hold(b, slot, text, strlen(text), (uint32_t)strlen(text), 4, 1);
}

static bool same(const th_fb_builder *b, const th_fb_pending *p, const th_fb_pending *q) {
  return p->bytes == q->bytes && p->count == q->count && p->terminator == q->terminator &&
         p->alignment <= q->alignment && memcmp(b->held.data + p->held, b->held.data + q->held, p->bytes) == 0;
}

static void place(th_fb_builder *b, int i) {
  th_fb_pending *p = &b->pending[i];
  for (int k = 0; k < i && !p->placed; ++k)
    if (p->bytes && same(b, p, &b->pending[k])) p->placed = b->pending[k].placed;
  if (!p->placed) {
    th_buf_align(&b->buf, 4); /* the count stands directly before the aligned elements */
    while (!b->buf.failed && (b->buf.size + 4) % p->alignment) th_buf_zeros(&b->buf, 4);
    p->placed = b->buf.size;
    th_buf_u32(&b->buf, p->count);
    if (p->bytes) th_buf_append(&b->buf, b->held.data + p->held, p->bytes);
    th_buf_zeros(&b->buf, p->terminator);
  }
  th_fb_link(b, p->slot, p->placed);
}

th_status th_fb_end(th_fb_builder *b, size_t root) {
  th_status status = th_buf_status(&b->held);
  if (status == TH_OK)
    for (int i = 0; i < b->n_pending && !b->buf.failed; ++i) place(b, i);
  th_buf_align(&b->buf, 4);
  if (!b->buf.failed) th_buf_set_u32(&b->buf, 0, (uint32_t)root);
  if (status == TH_OK && b->buf.size > 0x7fffffff)
    return th_fail(TH_ERR_RESOURCE, "the file would be larger than 2 GiB, which FlatBuffers cannot hold");
  return status == TH_OK ? th_buf_status(&b->buf) : status;
}
