/* The FlatBuffers reader. Positions are u32 and every sum is made in 64 bits before it is compared with the size.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "format/flatbuf.h"

th_fb th_fb_init(const uint8_t *data, size_t size, const char *what) {
  return (th_fb){.data = data, .size = size, .what = what};
}

th_status th_fb_status(const th_fb *fb) {
  return fb->failed ? TH_ERR_INPUT : TH_OK;
}

static bool bad(th_fb *fb, uint64_t pos, const char *why) {
  if (!fb->failed) th_fail(TH_ERR_INPUT, "%s: byte %llu: %s", fb->what, (unsigned long long)pos, why);
  fb->failed = true;
  return false;
}

/* True when `bytes` bytes at `pos` lie within the file. */
static bool inside(th_fb *fb, uint64_t pos, uint64_t bytes, const char *why) {
  if (fb->failed) return false;
  return pos + bytes <= fb->size || bad(fb, pos, why);
}

static uint64_t load(const th_fb *fb, uint64_t pos, int bytes) {
  uint64_t v = 0;
  for (int i = bytes - 1; i >= 0; --i) v = v << 8 | fb->data[pos + (uint64_t)i];
  return v;
}

static th_fb_table absent_table(th_fb *fb) {
  return (th_fb_table){.fb = fb};
}

static th_fb_table table_at(th_fb *fb, uint64_t pos) {
  if (!inside(fb, pos, 4, "a table lies beyond the end of the file")) return absent_table(fb);
  int64_t vtable = (int64_t)pos - (int32_t)load(fb, pos, 4);
  if (vtable < 0 || !inside(fb, (uint64_t)vtable, 4, "a table's layout lies beyond the end of the file")) {
    bad(fb, pos, "a table's layout lies before the file");
    return absent_table(fb);
  }
  th_fb_table t = {.fb = fb, .pos = (uint32_t)pos, .vtable = (uint32_t)vtable};
  t.vtable_bytes = (uint32_t)load(fb, t.vtable, 2);
  t.table_bytes = (uint32_t)load(fb, t.vtable + 2u, 2);
  bool ok = t.vtable_bytes >= 4 || bad(fb, t.vtable, "a table's layout has an impossible size");
  ok = ok && inside(fb, t.vtable, t.vtable_bytes, "a table's layout passes the end of the file");
  ok = ok && inside(fb, t.pos, t.table_bytes, "a table passes the end of the file");
  return ok ? t : absent_table(fb);
}

th_fb_table th_fb_root(th_fb *fb, const char identifier[4]) {
  if (fb->size > 0x7fffffff) bad(fb, 0, "the file is larger than 2 GiB");
  if (!inside(fb, 0, 8, "too short for a FlatBuffer")) return absent_table(fb);
  if (memcmp(fb->data + 4, identifier, 4) != 0) bad(fb, 4, "the identifier of this file type is missing");
  return fb->failed ? absent_table(fb) : table_at(fb, load(fb, 0, 4));
}

/* Position of a field's value, 0 when absent. */
static uint32_t field_at(th_fb_table t, int field, uint32_t bytes) {
  uint32_t entry = 4 + 2 * (uint32_t)field;
  if (!t.pos || t.fb->failed || entry + 2 > t.vtable_bytes) return 0;
  uint32_t offset = (uint32_t)load(t.fb, t.vtable + entry, 2);
  if (offset == 0) return 0;
  if (offset < 4 || offset + bytes > t.table_bytes) {
    bad(t.fb, t.vtable + entry, "a field lies outside its table");
    return 0;
  }
  return t.pos + offset;
}

bool th_fb_has(th_fb_table t, int field) {
  return field_at(t, field, 1) != 0;
}

uint8_t th_fb_u8(th_fb_table t, int field, uint8_t otherwise) {
  uint32_t at = field_at(t, field, 1);
  return at ? t.fb->data[at] : otherwise;
}

int8_t th_fb_s8(th_fb_table t, int field, int8_t otherwise) {
  return (int8_t)th_fb_u8(t, field, (uint8_t)otherwise);
}

bool th_fb_bool(th_fb_table t, int field, bool otherwise) {
  return th_fb_u8(t, field, otherwise) != 0;
}

uint32_t th_fb_u32(th_fb_table t, int field, uint32_t otherwise) {
  uint32_t at = field_at(t, field, 4);
  return at ? (uint32_t)load(t.fb, at, 4) : otherwise;
}

int32_t th_fb_s32(th_fb_table t, int field, int32_t otherwise) {
  return (int32_t)th_fb_u32(t, field, (uint32_t)otherwise);
}

uint64_t th_fb_u64(th_fb_table t, int field, uint64_t otherwise) {
  uint32_t at = field_at(t, field, 8);
  return at ? load(t.fb, at, 8) : otherwise;
}

static float to_f32(uint32_t bits) {
  float v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

float th_fb_f32(th_fb_table t, int field, float otherwise) {
  uint32_t at = field_at(t, field, 4);
  return at ? to_f32((uint32_t)load(t.fb, at, 4)) : otherwise;
}

/* Where the reference at `at` points to. */
static uint64_t follow(th_fb *fb, uint64_t at) {
  return at + load(fb, at, 4);
}

th_fb_table th_fb_child(th_fb_table t, int field) {
  uint32_t at = field_at(t, field, 4);
  return at ? table_at(t.fb, follow(t.fb, at)) : absent_table(t.fb);
}

th_fb_vec th_fb_vector(th_fb_table t, int field, uint32_t elem_bytes) {
  th_fb_vec none = {.fb = t.fb, .elem_bytes = elem_bytes};
  uint32_t at = field_at(t, field, 4);
  if (!at) return none;
  uint64_t pos = follow(t.fb, at);
  if (!inside(t.fb, pos, 4, "a vector lies beyond the end of the file")) return none;
  uint32_t count = (uint32_t)load(t.fb, pos, 4);
  if (!inside(t.fb, pos + 4, (uint64_t)count * elem_bytes, "a vector passes the end of the file")) return none;
  return (th_fb_vec){.fb = t.fb, .pos = (uint32_t)pos + 4, .count = count, .elem_bytes = elem_bytes};
}

const char *th_fb_string(th_fb_table t, int field) {
  th_fb_vec v = th_fb_vector(t, field, 1);
  uint64_t end = (uint64_t)v.pos + v.count;
  if (!v.pos || !inside(t.fb, end, 1, "a string passes the end of the file")) return "";
  if (t.fb->data[end] != 0) {
    bad(t.fb, end, "a string does not end with NUL");
    return "";
  }
  return (const char *)t.fb->data + v.pos;
}

th_fb_table th_fb_vec_table(th_fb_vec v, uint32_t i) {
  if (i >= v.count || v.fb->failed) return absent_table(v.fb);
  return table_at(v.fb, follow(v.fb, v.pos + 4 * (uint64_t)i));
}

int32_t th_fb_vec_s32(th_fb_vec v, uint32_t i) {
  return i < v.count ? (int32_t)load(v.fb, v.pos + 4 * (uint64_t)i, 4) : 0;
}

int64_t th_fb_vec_s64(th_fb_vec v, uint32_t i) {
  return i < v.count ? (int64_t)load(v.fb, v.pos + 8 * (uint64_t)i, 8) : 0;
}

float th_fb_vec_f32(th_fb_vec v, uint32_t i) {
  return i < v.count ? to_f32((uint32_t)load(v.fb, v.pos + 4 * (uint64_t)i, 4)) : 0.0f;
}

const uint8_t *th_fb_vec_data(th_fb_vec v) {
  return v.count ? v.fb->data + v.pos : NULL;
}
