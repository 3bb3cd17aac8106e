/* Sparse constants of .tflite files, written out densely.
 *
 * A tensor of rank r is stored as a tree of levels: first its r dimensions in traversal_order, then its blocks.
 * Dimension block_map[k] is cut into blocks of some size, which is level r + k. A dense level has all indices; a CSR
 * level has, below its parent number p, the indices [segments[p], segments[p + 1]). Values lie in the order of the
 * leaves. Schema: SparsityParameters. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "format/tflite_schema.h"
#include "read/tflite_internal.h"

enum { MAX_LEVELS = 2 * TH_MAX_RANK };
#define MAX_DENSE_BYTES ((uint64_t)128 << 20) /* of all sparse tensors of a file */

typedef struct vec { /* of numbers of 1, 2 or 4 bytes */
  th_fb_vec v;
  uint32_t bytes;
} vec;

typedef struct level {
  bool csr;
  int32_t extent; /* how many indices there may be */
  int32_t dim;    /* of the tensor */
  int32_t scale;  /* of the dimension's index: index of this level plus that of outer ones times this */
  vec segments, indices;
} level;

typedef struct walk {
  const tfl_reader *r;
  const th_tensor *t;
  level levels[MAX_LEVELS];
  int n_levels;
  const uint8_t *from, *end; /* values left */
  uint8_t *to;
  size_t elem_bytes;
  int32_t index[TH_MAX_RANK];
} walk;

static th_status fail(const tfl_reader *r, const th_tensor *t, const char *what) {
  return th_fail(TH_ERR_INPUT, "%s: tensor %s: sparse storage: %s", r->fb.what, t->name, what);
}

/* --- reading the levels --- */

static int64_t vec_at(const vec *v, uint32_t i) {
  if (v->bytes == 4) return th_fb_vec_s32(v->v, i);
  const uint8_t *p = (const uint8_t *)th_fb_vec_data(v->v) + (size_t)i * v->bytes;
  return v->bytes == 2 ? p[0] | p[1] << 8 : p[0];
}

static vec read_vec(th_fb_table metadata, int field_type, int field) {
  static const uint32_t bytes[4] = {0, 4, 2, 1};
  const int type = th_fb_u8(metadata, field_type, 0);
  if (type < 1 || type > 3) return (vec){.bytes = 0};
  return (vec){th_fb_vector(th_fb_child(metadata, field), TFL_INDEX_VECTOR_VALUES, bytes[type]), bytes[type]};
}

/* The levels name each dimension once, then each block once. */
static bool is_order(th_fb_vec order, int rank) {
  uint32_t seen = 0;
  for (uint32_t i = 0; i < order.count; ++i) {
    const int32_t e = th_fb_vec_s32(order, i);
    const bool block = (int)i >= rank;
    if (e < (block ? rank : 0) || e >= (block ? (int32_t)order.count : rank) || (seen >> e & 1)) return false;
    seen |= 1u << e;
  }
  return true;
}

static void read_level(th_fb_table m, level *l) {
  l->csr = th_fb_u8(m, TFL_DIM_FORMAT, 0) == TFL_DIM_CSR;
  if (!l->csr) return;
  l->segments = read_vec(m, TFL_DIM_SEGMENTS_TYPE, TFL_DIM_SEGMENTS);
  l->indices = read_vec(m, TFL_DIM_INDICES_TYPE, TFL_DIM_INDICES);
}

static th_status read_levels(walk *w, th_fb_table s) {
  const th_fb_vec order = th_fb_vector(s, TFL_SPARSITY_ORDER, 4), map = th_fb_vector(s, TFL_SPARSITY_BLOCK_MAP, 4);
  const th_fb_vec metadata = th_fb_vector(s, TFL_SPARSITY_DIMS, 4);
  const int rank = w->t->shape.rank;
  TH_TRY(th_fb_status(&w->r->fb));
  if (map.count > (uint32_t)rank || order.count != (uint32_t)rank + map.count || metadata.count != order.count)
    return fail(w->r, w->t, "dimensions, blocks and levels do not fit each other");
  if (!is_order(order, rank)) return fail(w->r, w->t, "traversal_order is not a permutation");
  int32_t block[TH_MAX_RANK] = {0}; /* size of the dimension's blocks; 0: not cut */
  w->n_levels = (int)order.count;
  for (int i = w->n_levels - 1; i >= 0; --i) { /* blocks, which are the last levels, first */
    const th_fb_table m = th_fb_vec_table(metadata, (uint32_t)i);
    const int32_t size = th_fb_s32(m, TFL_DIM_SIZE, 0);
    level *l = &w->levels[i];
    TH_TRY(th_fb_status(&w->r->fb));
    read_level(m, l);
    const int e = th_fb_vec_s32(order, (uint32_t)i);
    l->dim = i < rank ? e : th_fb_vec_s32(map, (uint32_t)(e - rank));
    if (l->dim < 0 || l->dim >= rank || (i >= rank && block[l->dim]))
      return fail(w->r, w->t, "block_map is not a list of different dimensions");
    const int32_t whole = w->t->shape.dim[l->dim];
    if (i >= rank) {
      if (size < 1 || whole % size) return fail(w->r, w->t, "a block does not fit its dimension");
      block[l->dim] = size;
      l->extent = l->scale = size;
    } else {
      l->extent = block[l->dim] ? whole / block[l->dim] : whole;
      l->scale = 0;
    }
    if (!l->csr && size != l->extent) return fail(w->r, w->t, "a dense level has not the size of its dimension");
  }
  return th_fb_status(&w->r->fb);
}

/* --- walking the tree --- */

static th_status put_value(walk *w) {
  size_t at = 0;
  if ((size_t)(w->end - w->from) < w->elem_bytes) return fail(w->r, w->t, "has fewer values than its indices name");
  for (int i = 0; i < w->t->shape.rank; ++i) at = at * (size_t)w->t->shape.dim[i] + (size_t)w->index[i];
  memcpy(w->to + at * w->elem_bytes, w->from, w->elem_bytes);
  w->from += w->elem_bytes;
  return TH_OK;
}

static th_status visit(walk *w, int depth, int64_t number);

static th_status visit_index(walk *w, int depth, int64_t number, int64_t i) {
  const level *l = &w->levels[depth];
  const int32_t before = w->index[l->dim];
  if (i < 0 || i >= l->extent) return fail(w->r, w->t, "an index is out of its dimension");
  w->index[l->dim] = before * l->scale + (int32_t)i;
  TH_TRY(visit(w, depth + 1, number));
  w->index[l->dim] = before;
  return TH_OK;
}

/* `number`: of the node among all of its level. A leaf takes a value, a node above a CSR level a segment, and a dense
 * level is walked only while values are left, so the file's size bounds the work. */
static th_status visit(walk *w, int depth, int64_t number) {
  if (depth == w->n_levels) return put_value(w);
  const level *l = &w->levels[depth];
  if (!l->csr) {
    if (w->from == w->end) return fail(w->r, w->t, "has fewer values than its indices name");
    for (int32_t i = 0; i < l->extent; ++i) TH_TRY(visit_index(w, depth, number * l->extent + i, i));
    return TH_OK;
  }
  if (number + 1 >= (int64_t)l->segments.v.count || !l->segments.bytes || !l->indices.bytes)
    return fail(w->r, w->t, "has too few segments");
  const int64_t begin = vec_at(&l->segments, (uint32_t)number), end = vec_at(&l->segments, (uint32_t)number + 1);
  if (begin < 0 || begin > end || end > l->indices.v.count) return fail(w->r, w->t, "has a segment beyond its indices");
  for (int64_t i = begin; i < end; ++i) TH_TRY(visit_index(w, depth, i, vec_at(&l->indices, (uint32_t)i)));
  return TH_OK;
}

th_status th_tfl_densify(tfl_reader *r, th_fb_table sparsity, int tensor, const uint8_t *data, uint64_t bytes,
                         const uint8_t **dense) {
  const th_tensor *t = &r->g->tensors[tensor];
  const uint64_t dense_bytes = th_tensor_bytes(t);
  if (t->dtype == TH_DTYPE_S4) return fail(r, t, "of 4-bit elements is not supported");
  if (dense_bytes > MAX_DENSE_BYTES - r->dense_bytes) return fail(r, t, "more than 128 MiB are not supported");
  r->dense_bytes += dense_bytes;
  walk w = {.r = r, .t = t, .from = data, .end = data + bytes, .elem_bytes = th_dtype_bytes(t->dtype)};
  TH_TRY(read_levels(&w, sparsity));
  w.to = TH_ARRAY(r->scratch, uint8_t, dense_bytes + 1);
  if (!w.to) return TH_ERR_RESOURCE;
  TH_TRY(visit(&w, 0, 0));
  if (w.from != w.end) return fail(r, t, "has more values than its indices name");
  *dense = w.to;
  return TH_OK;
}
