/* Operators that say how numbers are seen: Reshape, Flatten, Squeeze, Unsqueeze, Transpose. None of them moves data
 * here; the layout is renamed. A reshape that merges dimensions which do not lie next to each other (a flattening of
 * channels-last data) is left pending, because a layer with constant weights can take the data as they lie.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "read/onnx_internal.h"

/* Input 0: data as they are, or a constant. */
static th_status take(onnx_reader *r, const onnx_node *n, onnx_value *v) {
  if (n->n_in < 1 || !n->in[0]) return th_onnx_fail(r, n, "input 0 is absent");
  *v = *n->in[0];
  if (v->view_of || (v->kind == ONNX_CONST && v->grid.count > 1)) TH_TRY(th_onnx_to_float(r, n, n->in[0], v));
  return TH_OK;
}

/* --- reshape --- */

typedef struct groups { /* dimensions that are not 1, and the group that each belongs to */
  int from[TH_MAX_RANK], from_group[TH_MAX_RANK], n_from;
  int to[TH_MAX_RANK], to_group[TH_MAX_RANK], n_to;
} groups;

static int real(const th_shape *s, int *dims) {
  int n = 0;
  for (int i = 0; i < s->rank; i++)
    if (s->dim[i] != 1) dims[n++] = i;
  return n;
}

/* The smallest runs of dimensions with equal products on both sides. */
static void find_groups(const th_shape *a, const th_shape *b, groups *g) {
  g->n_from = real(a, g->from);
  g->n_to = real(b, g->to);
  int i = 0, j = 0;
  for (int group = 0; i < g->n_from && j < g->n_to; group++) {
    int64_t left = a->dim[g->from[i]], right = b->dim[g->to[j]];
    g->from_group[i++] = g->to_group[j++] = group;
    while (left != right) {
      if (left < right && i < g->n_from) {
        left *= a->dim[g->from[i]];
        g->from_group[i++] = group;
      } else if (left > right && j < g->n_to) {
        right *= b->dim[g->to[j]];
        g->to_group[j++] = group;
      } else {
        return; /* cannot be: the products are equal */
      }
    }
  }
}

static int index_of(const int *list, int n, int what) {
  for (int i = 0; i < n; i++)
    if (list[i] == what) return i;
  return -1;
}

/* The layout under which the same memory has the new shape; false when a group's dimensions do not lie in order. */
static bool map_layout(const th_shape *from, const onnx_layout *l, const th_shape *to, onnx_layout *out) {
  groups g;
  int before = -1; /* place in g.from of the last dimension seen */
  find_groups(from, to, &g);
  *out = (onnx_layout){.rank = 1, .dim = {to->rank > 0 && to->dim[0] == 1 ? 0 : -1}};
  for (int p = 0; p < l->rank; p++) {
    if (l->dim[p] < 0 || from->dim[l->dim[p]] == 1) continue;
    const int at = index_of(g.from, g.n_from, l->dim[p]), group = g.from_group[at];
    const bool first = at == 0 || g.from_group[at - 1] != group;
    if (!first && before != at - 1) return false;
    if (before >= 0 && g.from_group[before] != group && before + 1 < g.n_from &&
        g.from_group[before + 1] == g.from_group[before])
      return false; /* the group before was left unfinished */
    before = at;
    for (int j = 0; first && j < g.n_to; j++) {
      if (g.to_group[j] != group) continue;
      if (out->rank == TH_MAX_RANK) return false;
      out->dim[out->rank++] = g.to[j];
    }
  }
  return true;
}

/* Small shapes show their dimensions of 1 too, as the file has them: (1, 1, 10) rather than (1, 10). */
static void show_ones(const th_shape *to, onnx_layout *l) {
  const onnx_layout as_is = th_onnx_as_is(to);
  int last = -1;
  for (int i = 0; i < l->rank; i++) {
    if (l->dim[i] < 0 || to->dim[l->dim[i]] == 1) continue;
    if (l->dim[i] < last) return;
    last = l->dim[i];
  }
  if (as_is.rank <= TH_MAX_RANK && (to->rank < TH_MAX_RANK || to->dim[0] == 1)) *l = as_is;
}

static th_status reshape_data(onnx_reader *r, onnx_node *n, const onnx_value *v, const th_shape *to) {
  onnx_value out = *v;
  out.shape = *to;
  out.image = false;
  out.pending = !map_layout(&v->base, &v->layout, to, &out.layout);
  if (out.pending) {
    out.layout = v->layout;
    th_onnx_rename(n, 0, &out);
    return TH_OK;
  }
  show_ones(to, &out.layout);
  out.base = *to;
  const th_shape shape = th_onnx_physical(to, &out.layout);
  TH_TRY(th_onnx_reshape(r, n, v->tensor, &shape, &out.tensor));
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}

th_status th_onnx_give_shape(onnx_reader *r, onnx_node *n, const onnx_value *v, const th_shape *to) {
  onnx_value out = *v;
  char a[TH_SHAPE_TEXT], b[TH_SHAPE_TEXT];
  int64_t elems = 1;
  for (int i = 0; i < to->rank; i++) {
    if (to->dim[i] < 0 || (elems > 0 && to->dim[i] > INT32_MAX / elems))
      return th_onnx_fail(r, n, "its new shape has dimension %d", (int)to->dim[i]);
    elems *= to->dim[i];
  }
  if (elems != th_shape_elems(&v->shape))
    return th_onnx_fail(r, n, "%s cannot become %s", th_shape_text(&v->shape, a), th_shape_text(to, b));
  if (v->kind == ONNX_DATA) return reshape_data(r, n, v, to);
  out.shape = out.base = *to;
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}

/* 0 copies a dimension, -1 takes what is left. */
static th_status target_of(onnx_reader *r, const onnx_node *n, const th_shape *from, th_shape *to) {
  int32_t keeps_zero;
  int count, free_at = -1;
  int64_t known = 1;
  *to = (th_shape){.rank = 0};
  TH_TRY(th_onnx_attr_int(r, n, "allowzero", 0, &keeps_zero));
  TH_TRY(th_onnx_ints(r, n, 1, "shape", to->dim, TH_MAX_RANK, &count));
  to->rank = count;
  for (int i = 0; i < count; i++) {
    if (to->dim[i] == 0 && !keeps_zero) to->dim[i] = i < from->rank ? from->dim[i] : 0;
    if (to->dim[i] == -1 && free_at >= 0) return th_onnx_fail(r, n, "its new shape leaves two dimensions open");
    if (to->dim[i] == -1) {
      free_at = i;
    } else if (to->dim[i] < 0 || (known > 0 && to->dim[i] > INT32_MAX / known)) {
      return th_onnx_fail(r, n, "its new shape has dimension %d", (int)to->dim[i]);
    } else {
      known *= to->dim[i];
    }
  }
  const int64_t elems = th_shape_elems(from);
  if (r->old_batch && count && to->dim[0] == r->old_batch && known == elems * r->old_batch) {
    to->dim[0] = 1; /* the file's fixed batch */
    known = elems;
  }
  if (free_at >= 0 && known > 0 && elems / known <= INT32_MAX) to->dim[free_at] = (int32_t)(elems / known);
  if (free_at >= 0 && to->dim[free_at] < 0) return th_onnx_fail(r, n, "its new shape cannot be worked out");
  return TH_OK;
}

th_status th_onnx_op_reshape(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_shape to;
  TH_TRY(take(r, n, &v));
  TH_TRY(target_of(r, n, &v.shape, &to));
  return th_onnx_give_shape(r, n, &v, &to);
}

th_status th_onnx_op_flatten(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  int32_t axis;
  TH_TRY(take(r, n, &v));
  TH_TRY(th_onnx_attr_int(r, n, "axis", 1, &axis));
  if (axis < 0) axis += v.shape.rank;
  if (axis < 0 || axis > v.shape.rank) return th_onnx_fail(r, n, "axis is %d", (int)axis);
  th_shape to = th_shape_make(2, 1, 1);
  for (int i = 0; i < v.shape.rank; i++) to.dim[i >= axis] *= v.shape.dim[i];
  return th_onnx_give_shape(r, n, &v, &to);
}

/* --- dimensions of 1 --- */

/* Logical dimension i becomes place[i] (-1: goes) of `to`. */
static void renumber(onnx_value *v, const int *place, const th_shape *to) {
  v->shape = *to;
  v->image = false;
  if (v->grid.count > 1) v->grid.axis = place[v->grid.axis];
  if (v->pending) return;
  v->base = *to;
  for (int i = 0; i < v->layout.rank && v->kind == ONNX_DATA; i++)
    if (v->layout.dim[i] >= 0) v->layout.dim[i] = place[v->layout.dim[i]];
}

static th_status axes_of(onnx_reader *r, const onnx_node *n, int rank, unsigned *mask, int *count) {
  int32_t axes[TH_MAX_RANK];
  int axis;
  *mask = 0;
  TH_TRY(th_onnx_ints(r, n, 1, "axes", axes, TH_MAX_RANK, count));
  for (int i = 0; i < *count; i++) {
    TH_TRY(th_onnx_axis(r, n, axes[i], rank, &axis));
    if (*mask >> axis & 1) return th_onnx_fail(r, n, "axis %d is named twice", axis);
    *mask |= 1u << axis;
  }
  return TH_OK;
}

th_status th_onnx_op_squeeze(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_shape to = {.rank = 0};
  int place[TH_MAX_RANK], count;
  unsigned mask;
  TH_TRY(take(r, n, &v));
  TH_TRY(axes_of(r, n, v.shape.rank, &mask, &count));
  for (int i = 0; i < v.shape.rank; i++) {
    const bool goes = count ? mask >> i & 1 : v.shape.dim[i] == 1;
    if (goes && v.shape.dim[i] != 1)
      return th_onnx_fail(r, n, "dimension %d has size %d, expected 1", i, (int)v.shape.dim[i]);
    place[i] = goes ? -1 : to.rank;
    if (!goes) to.dim[to.rank++] = v.shape.dim[i];
  }
  renumber(&v, place, &to);
  th_onnx_rename(n, 0, &v);
  return TH_OK;
}

th_status th_onnx_op_unsqueeze(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_shape to = {.rank = 0};
  int place[TH_MAX_RANK] = {0}, count, next = 0;
  unsigned mask;
  int32_t axes[TH_MAX_RANK];
  TH_TRY(take(r, n, &v));
  TH_TRY(th_onnx_ints(r, n, 1, "axes", axes, TH_MAX_RANK, &count));
  if (v.shape.rank + count > TH_MAX_RANK)
    return th_onnx_fail(r, n, "makes %d dimensions, at most %d are possible", v.shape.rank + count, TH_MAX_RANK);
  TH_TRY(axes_of(r, n, v.shape.rank + count, &mask, &count));
  to.rank = v.shape.rank + count;
  for (int i = 0; i < to.rank; i++) {
    const bool is_new = mask >> i & 1;
    to.dim[i] = is_new ? 1 : v.shape.dim[next];
    if (!is_new) place[next++] = i;
  }
  renumber(&v, place, &to);
  th_onnx_rename(n, 0, &v);
  return TH_OK;
}

/* --- transpose --- */

th_status th_onnx_op_transpose(onnx_reader *r, onnx_node *n) {
  onnx_value v, out;
  int32_t perm[TH_MAX_RANK];
  int order[TH_MAX_RANK], place[TH_MAX_RANK], count;
  unsigned seen = 0;
  TH_TRY(take(r, n, &v));
  TH_TRY(th_onnx_attr_ints(r, n, "perm", perm, TH_MAX_RANK, &count));
  const int rank = v.shape.rank;
  if (count && count != rank) return th_onnx_fail(r, n, "perm has %d entries for %d dimensions", count, rank);
  for (int i = 0; i < rank; i++) {
    order[i] = count ? perm[i] : rank - 1 - i;
    if (order[i] < 0 || order[i] >= rank || (seen >> order[i] & 1))
      return th_onnx_fail(r, n, "entry %d of perm is %d; each of 0 to %d must appear once", i, order[i], rank - 1);
    seen |= 1u << order[i];
    place[order[i]] = i;
  }
  if (v.kind == ONNX_CONST) {
    TH_TRY(th_onnx_const_order(r, &v, order, &out));
    th_onnx_rename(n, 0, &out);
    return TH_OK;
  }
  TH_TRY(th_onnx_settle(r, n, &v, &out));
  th_shape to = {.rank = rank};
  for (int i = 0; i < rank; i++) to.dim[i] = v.shape.dim[order[i]];
  renumber(&out, place, &to);
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}
