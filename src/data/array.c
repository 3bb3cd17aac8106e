/* Turning arrays into samples, labels and targets. See array.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/array.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/source.h"

typedef struct type_name {
  const char *name;
  char kind;
  int bytes;
} type_name;

static const type_name types[] = {{"int8", 'i', 1},    {"uint8", 'u', 1},   {"int16", 'i', 2},   {"uint16", 'u', 2},
                                  {"int32", 'i', 4},   {"uint32", 'u', 4},  {"int64", 'i', 8},   {"uint64", 'u', 8},
                                  {"float16", 'f', 2}, {"float32", 'f', 4}, {"float64", 'f', 8}, {"bool", 'b', 1}};

bool th_array_set_type(th_array *a, const char *name) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (strcmp(types[i].name, name) != 0) continue;
    a->kind = types[i].kind;
    a->bytes = types[i].bytes;
    return true;
  }
  return false;
}

const char *th_array_type_text(const th_array *a, char buf[16]) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (types[i].kind == a->kind && types[i].bytes == a->bytes) return types[i].name;
  snprintf(buf, 16, "%c%d", a->kind, a->bytes);
  return buf;
}

static uint64_t load_bits(const uint8_t *p, int bytes, bool big) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << 8 * (big ? bytes - 1 - i : i);
  return v;
}

/* IEEE 754 binary16 */
static float half_value(uint16_t h) {
  int exponent = h >> 10 & 31, fraction = h & 1023;
  float v = exponent == 0   ? ldexpf((float)fraction, -24)
            : exponent < 31 ? ldexpf((float)(fraction + 1024), exponent - 25)
            : fraction == 0 ? INFINITY
                            : NAN;
  return h >> 15 ? -v : v;
}

static double value_at(const th_array *a, const uint8_t *p) {
  uint64_t bits = load_bits(p, a->bytes, a->big);
  float f;
  double d;
  if (a->kind == 'f' && a->bytes == 2) return (double)half_value((uint16_t)bits);
  if (a->kind == 'f' && a->bytes == 4) {
    uint32_t low = (uint32_t)bits;
    memcpy(&f, &low, sizeof f);
    return (double)f;
  }
  if (a->kind == 'f') {
    memcpy(&d, &bits, sizeof d);
    return d;
  }
  if (a->kind == 'b') return bits != 0;
  if (a->kind == 'u') return (double)bits;
  int unused = 64 - 8 * a->bytes;
  return (double)((int64_t)(bits << unused) >> unused);
}

/* Walks the elements of samples 0..count-1 in C order, whatever the layout of the file. */
typedef struct walk {
  const th_array *a;
  int64_t stride[TH_ARRAY_RANK], index[TH_ARRAY_RANK];
  const uint8_t *at;
} walk;

static walk walk_begin(const th_array *a) {
  walk w = {.a = a, .at = a->data};
  int64_t stride = a->bytes;
  for (int i = 0; i < a->rank; i++) {
    int axis = a->fortran ? i : a->rank - 1 - i;
    w.stride[axis] = stride;
    stride *= a->dim[axis];
  }
  return w;
}

static void walk_next(walk *w) {
  for (int axis = w->a->rank - 1; axis >= 0; axis--) {
    w->at += w->stride[axis];
    if (++w->index[axis] < w->a->dim[axis]) return;
    w->at -= w->stride[axis] * w->a->dim[axis];
    w->index[axis] = 0;
  }
}

static th_dtype kept_type(const th_array *a) {
  if (a->bytes == 1 && a->kind == 'u') return TH_DTYPE_U8;
  if (a->bytes == 1 && a->kind == 'i') return TH_DTYPE_S8;
  return a->bytes == 2 && a->kind == 'i' ? TH_DTYPE_S16 : TH_DTYPE_F32;
}

static th_status convert(const th_array *a, int64_t elems, th_dtype type, void *out) {
  walk w = walk_begin(a);
  for (int64_t i = 0; i < elems; i++, walk_next(&w)) {
    double v = value_at(a, w.at);
    if (!isfinite(v) || fabs(v) > 3e38)
      return th_fail(TH_ERR_INPUT, "%s: value %lld is not a finite float32 number", a->what, (long long)i);
    if (type == TH_DTYPE_U8)
      ((uint8_t *)out)[i] = (uint8_t)v;
    else if (type == TH_DTYPE_S8)
      ((int8_t *)out)[i] = (int8_t)v;
    else if (type == TH_DTYPE_S16)
      ((int16_t *)out)[i] = (int16_t)v;
    else
      ((float *)out)[i] = (float)v;
  }
  return TH_OK;
}

th_status th_array_samples(th_arena *arena, const th_array *a, int limit, th_store *store, th_shape *shape) {
  if (a->rank < 1 || a->rank > 4)
    return th_fail(TH_ERR_INPUT, "%s: has %d dimensions, expected 1 to 4: samples, then up to 3 of each sample",
                   a->what, a->rank);
  *shape = (th_shape){.rank = a->rank > 1 ? a->rank - 1 : 1, .dim = {1}};
  for (int i = 1; i < a->rank; i++) {
    if (a->dim[i] > 1 << 24) return th_fail(TH_ERR_INPUT, "%s: dimension %d is %lld", a->what, i, (long long)a->dim[i]);
    shape->dim[i - 1] = (int32_t)a->dim[i];
  }
  if (shape->rank == 2) shape->dim[shape->rank++] = 1;
  int64_t count = limit && limit < a->dim[0] ? limit : a->dim[0];
  th_dtype type = kept_type(a);
  TH_TRY(th_source_room(a->what, count, shape, type));
  int64_t elems = count * th_shape_elems(shape);
  if (type != TH_DTYPE_F32 && a->bytes == 1 && !(a->fortran && a->rank > 1)) { /* as they lie in the file */
    *store = (th_store){.count = (int)count, .dtype = type, .samples = a->data};
    return TH_OK;
  }
  void *samples = th_arena_array(arena, (size_t)elems, th_dtype_bytes(type));
  if (!samples) return TH_ERR_RESOURCE;
  *store = (th_store){.count = (int)count, .dtype = type, .samples = samples};
  return convert(a, elems, type, samples);
}

static bool is_one_hot(const th_array *a, int64_t count, int64_t columns, int32_t *labels) {
  walk w = walk_begin(a);
  for (int64_t i = 0; i < count; i++) {
    int ones = 0;
    for (int64_t c = 0; c < columns; c++, walk_next(&w)) {
      double v = value_at(a, w.at);
      if (v != 0 && v != 1) return false;
      if (v == 1) ones++, labels[i] = (int32_t)c;
    }
    if (ones != 1) return false;
  }
  return true;
}

static th_status whole_labels(const th_array *a, int64_t count, int32_t *labels) {
  walk w = walk_begin(a);
  for (int64_t i = 0; i < count; i++, walk_next(&w)) {
    double v = value_at(a, w.at);
    if (!(v >= 0 && v < TH_MAX_CLASSES))
      return th_fail(TH_ERR_INPUT, "%s: label %lld is %g, expected 0 to %d", a->what, (long long)i, v,
                     TH_MAX_CLASSES - 1);
    labels[i] = (int32_t)v;
  }
  return TH_OK;
}

th_status th_array_answers(th_dataset *d, const th_array *a, th_store *store, int64_t all) {
  int64_t columns = 1, count = store->count;
  for (int i = 1; i < a->rank; i++) columns = columns > 1 << 20 ? columns : columns * a->dim[i];
  if (a->rank < 1 || a->dim[0] != all)
    return th_fail(TH_ERR_INPUT, "%s: has %lld labels, there are %lld samples", a->what,
                   (long long)(a->rank ? a->dim[0] : 0), (long long)all);
  if (columns < 1 || columns > 4096)
    return th_fail(TH_ERR_INPUT, "%s: %lld numbers to predict for each sample, expected 1 to 4096", a->what,
                   (long long)columns);
  int32_t *labels = TH_ARRAY(d->arena, int32_t, count);
  if (!labels) return TH_ERR_RESOURCE;
  if (columns > 1 && columns < TH_MAX_CLASSES && is_one_hot(a, count, columns, labels)) {
    if (columns > d->classes) d->classes = (int)columns;
    return th_source_take_labels(d, store, labels);
  }
  if (columns == 1 && a->kind != 'f') {
    TH_TRY(whole_labels(a, count, labels));
    return th_source_take_labels(d, store, labels);
  }
  float *targets = TH_ARRAY(d->arena, float, count *columns);
  if (!targets) return TH_ERR_RESOURCE;
  if (d->target_elems && d->target_elems != columns)
    return th_fail(TH_ERR_INPUT, "%s: %lld numbers to predict for each sample, those for training have %d", a->what,
                   (long long)columns, d->target_elems);
  d->target_elems = (int)columns;
  store->targets = targets;
  return convert(a, count * columns, TH_DTYPE_F32, targets);
}
