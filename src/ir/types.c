/* Element types and shapes. See types.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ir/types.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  size_t bytes;
  int32_t lo, hi;
} dtypes[TH_DTYPE_COUNT] = {
    [TH_DTYPE_NONE] = {"none", 0, 0, 0},
    [TH_DTYPE_F32] = {"f32", 4, 0, 0},
    [TH_DTYPE_F16] = {"f16", 2, 0, 0},
    [TH_DTYPE_S4] = {"s4", 1, -8, 7},
    [TH_DTYPE_S8] = {"s8", 1, INT8_MIN, INT8_MAX},
    [TH_DTYPE_U8] = {"u8", 1, 0, UINT8_MAX},
    [TH_DTYPE_S16] = {"s16", 2, INT16_MIN, INT16_MAX},
    [TH_DTYPE_S32] = {"s32", 4, INT32_MIN, INT32_MAX},
    [TH_DTYPE_S64] = {"s64", 8, INT32_MIN, INT32_MAX},
    [TH_DTYPE_BOOL] = {"bool", 1, 0, 1},
};

const char *th_dtype_name(th_dtype t) {
  return dtypes[t].name;
}
size_t th_dtype_bytes(th_dtype t) {
  return dtypes[t].bytes;
}
bool th_dtype_is_int(th_dtype t) {
  return dtypes[t].hi > 1;
}
int32_t th_dtype_lo(th_dtype t) {
  return dtypes[t].lo;
}
int32_t th_dtype_hi(th_dtype t) {
  return dtypes[t].hi;
}

th_dtype th_dtype_from_name(const char *name) {
  for (int t = 1; t < TH_DTYPE_COUNT; t++)
    if (!strcmp(dtypes[t].name, name)) return (th_dtype)t;
  return TH_DTYPE_NONE;
}

th_shape th_shape_make(int rank, ...) {
  th_shape s = {.rank = rank};
  va_list args;
  va_start(args, rank);
  for (int i = 0; i < rank; i++) s.dim[i] = va_arg(args, int32_t);
  va_end(args);
  return s;
}

int64_t th_shape_elems(const th_shape *s) {
  int64_t n = 1;
  for (int i = 0; i < s->rank; i++) n *= s->dim[i];
  return n;
}

bool th_shape_eq(const th_shape *a, const th_shape *b) {
  return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]);
}

const char *th_shape_text(const th_shape *s, char buf[TH_SHAPE_TEXT]) {
  int at = snprintf(buf, TH_SHAPE_TEXT, "%s", s->rank ? "" : "scalar");
  for (int i = 0; i < s->rank; i++)
    at += snprintf(buf + at, (size_t)(TH_SHAPE_TEXT - at), "%s%d", i ? "x" : "", s->dim[i]);
  return buf;
}

bool th_shape_parse(const char *text, th_shape *s) {
  *s = (th_shape){0};
  if (!strcmp(text, "scalar")) return true;
  for (;;) {
    char *end;
    if (*text < '0' || *text > '9' || s->rank == TH_MAX_RANK) return false;
    long v = strtol(text, &end, 10);
    if (v > INT32_MAX) return false;
    s->dim[s->rank++] = (int32_t)v;
    if (!*end) return true;
    if (*end != 'x') return false;
    text = end + 1;
  }
}
