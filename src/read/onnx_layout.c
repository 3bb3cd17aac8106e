/* Values, the order in which their dimensions lie, and the nodes that change it. The idea is in onnx_internal.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <onnx.pb-c.h>
#include <string.h>

#include "base/str.h"
#include "op/op.h"
#include "read/onnx_internal.h"

/* --- values by name --- */

static th_status grow(onnx_reader *r) {
  const size_t slots = r->n_slots ? 2 * r->n_slots : 256;
  onnx_value **table = TH_ARRAY(r->arena, onnx_value *, slots);
  if (!table) return TH_ERR_RESOURCE;
  for (size_t i = 0; i < r->n_slots; i++) {
    if (!r->values[i]) continue;
    size_t at = th_hash64(r->values[i]->name, strlen(r->values[i]->name)) & (slots - 1);
    while (table[at]) at = (at + 1) & (slots - 1);
    table[at] = r->values[i];
  }
  r->values = table;
  r->n_slots = slots;
  return TH_OK;
}

onnx_value *th_onnx_value(onnx_reader *r, const char *name) {
  if (2 * r->n_values >= r->n_slots && grow(r) != TH_OK) return NULL;
  size_t at = th_hash64(name, strlen(name)) & (r->n_slots - 1);
  for (; r->values[at]; at = (at + 1) & (r->n_slots - 1))
    if (th_str_eq(r->values[at]->name, name)) return r->values[at];
  onnx_value *v = TH_NEW(r->arena, onnx_value);
  if (!v) return NULL;
  *v = (onnx_value){.name = name, .tensor = TH_NO_TENSOR, .reader = -1};
  r->values[at] = v;
  r->n_values++;
  return v;
}

const Onnx__NodeProto *th_onnx_only_reader(const onnx_reader *r, const onnx_value *v, const char *name, int *index) {
  if (v->uses != 1 || v->reader < 0) return NULL;
  const Onnx__NodeProto *p = r->model->graph->node[v->reader];
  *index = v->reader;
  return th_str_eq(p->op_type, name) ? p : NULL;
}

/* --- layouts --- */

onnx_layout th_onnx_as_is(const th_shape *logical) {
  const bool in_front = logical->rank == 0 || logical->dim[0] != 1;
  onnx_layout l = {.rank = 0};
  if (in_front) l.dim[l.rank++] = -1;
  for (int i = 0; i < logical->rank && l.rank < TH_MAX_RANK; i++) l.dim[l.rank++] = i;
  return l;
}

onnx_layout th_onnx_channels_last(int rank) {
  if (rank == 3) return (onnx_layout){4, {0, -1, 2, 1}};
  if (rank == 4) return (onnx_layout){4, {0, 2, 3, 1}};
  onnx_layout l = {.rank = rank, .dim = {0}};
  for (int i = 1; i < rank; i++) l.dim[i] = i < rank - 1 ? i + 1 : 1;
  return l;
}

int th_onnx_place(const onnx_layout *l, int logical) {
  for (int i = 0; i < l->rank; i++)
    if (l->dim[i] == logical) return i;
  return -1;
}

th_shape th_onnx_physical(const th_shape *logical, const onnx_layout *l) {
  th_shape s = {.rank = l->rank};
  for (int i = 0; i < l->rank; i++) s.dim[i] = l->dim[i] < 0 ? 1 : logical->dim[l->dim[i]];
  return s;
}

/* The dimensions of `l` that are not 1, in order. */
static int real_dims(const th_shape *logical, const onnx_layout *l, int *dims) {
  int n = 0;
  for (int i = 0; i < l->rank; i++)
    if (l->dim[i] >= 0 && logical->dim[l->dim[i]] != 1) dims[n++] = l->dim[i];
  return n;
}

static bool holds_all(const th_shape *logical, const onnx_layout *l) {
  for (int i = 0; i < logical->rank; i++)
    if (logical->dim[i] != 1 && th_onnx_place(l, i) < 0) return false;
  return true;
}

/* --- nodes --- */

th_status th_onnx_const(onnx_reader *r, const char *name, th_dtype dtype, const th_shape *shape, const void *data,
                        int *tensor) {
  const char *word = th_onnx_word(r, name, "constant");
  return word ? th_graph_add_const(r->g, word, dtype, shape, data, tensor) : TH_ERR_RESOURCE;
}

th_status th_onnx_node(onnx_reader *r, const onnx_node *n, th_op_id op, const int *in, int n_in, th_node **node) {
  th_graph *g = r->g;
  const th_shape none = {.rank = 0};
  const th_dtype dtype = g->tensors[in[0]].dtype;
  const th_quant quant = g->tensors[in[0]].quant;
  const char *stem = n->proto->name && *n->proto->name ? n->proto->name : NULL;
  const char *name =
      stem ? th_onnx_word(r, stem, "node") : th_arena_printf(r->arena, "%s_%d", th_op_name(op), n->index);
  const char *word = th_onnx_word(r, n->proto->n_output ? n->proto->output[0] : "", "t");
  int out, id;
  if (!name || !word) return TH_ERR_RESOURCE;
  if (op == TH_OP_NONE) return th_onnx_fail(r, n, "is not supported");
  TH_TRY(th_graph_add_tensor(g, word, dtype, &none, &out));
  g->tensors[out].quant = quant; /* arrays are never changed in place */
  TH_TRY(th_graph_add_node(g, g->n_nodes, op, name, in, n_in, &out, 1, &id));
  *node = &g->nodes[id];
  return TH_OK;
}

th_status th_onnx_finish(onnx_reader *r, const onnx_node *n, int *tensor) {
  th_node *node = &r->g->nodes[r->g->n_nodes - 1];
  const th_status status = th_op_get(node->op)->infer(r->g, node);
  if (status != TH_OK) {
    const char *type = n->proto->op_type ? n->proto->op_type : "?";
    return th_fail_in(status, "%s: node %d (%.60s)", r->what, n->index, type);
  }
  *tensor = node->out[0];
  const th_shape *s = &r->g->tensors[*tensor].shape;
  int64_t elems = 1;
  for (int i = 0; i < s->rank; i++) {
    if (s->dim[i] < 1 || s->dim[i] > INT32_MAX / 4 / elems)
      return th_onnx_fail(r, n, "its output is empty or too large");
    elems *= s->dim[i];
  }
  return TH_OK;
}

th_status th_onnx_reshape(onnx_reader *r, const onnx_node *n, int from, const th_shape *shape, int *tensor) {
  th_node *node;
  *tensor = from;
  if (th_shape_eq(&r->g->tensors[from].shape, shape)) return TH_OK;
  const int made_by = th_graph_producer(r->g, from);
  if (made_by >= 0 && r->g->nodes[made_by].op == TH_OP_RESHAPE) /* only the last of several counts */
    return th_onnx_reshape(r, n, r->g->nodes[made_by].in[0], shape, tensor);
  TH_TRY(th_onnx_node(r, n, TH_OP_RESHAPE, &from, 1, &node));
  r->g->tensors[node->out[0]].shape = *shape;
  return th_onnx_finish(r, n, tensor);
}

/* The tensor's dimensions that are not 1 are `have`, in this order; the result's those of `want`. */
static th_status transpose_to(onnx_reader *r, const onnx_node *n, int from, const th_shape *logical, const int *have,
                              const onnx_layout *want, int *tensor) {
  onnx_layout between = *want; /* the ones where `want` has them, the others in the old order */
  int32_t perm[TH_MAX_RANK];
  int in[2], k = 0;
  th_node *node;
  for (int i = 0; i < want->rank; i++)
    if (want->dim[i] >= 0 && logical->dim[want->dim[i]] != 1) between.dim[i] = have[k++];
  for (int i = 0; i < want->rank; i++) {
    const bool real = want->dim[i] >= 0 && logical->dim[want->dim[i]] != 1;
    perm[i] = real ? th_onnx_place(&between, want->dim[i]) : i;
  }
  const th_shape shape = th_onnx_physical(logical, &between), table = th_shape_make(1, want->rank);
  TH_TRY(th_onnx_reshape(r, n, from, &shape, &in[0]));
  TH_TRY(th_onnx_const(r, "permutation", TH_DTYPE_S32, &table, perm, &in[1]));
  TH_TRY(th_onnx_node(r, n, TH_OP_TRANSPOSE, in, 2, &node));
  return th_onnx_finish(r, n, tensor);
}

/* --- bringing values into an order --- */

static th_status constant_in(onnx_reader *r, const onnx_node *n, const onnx_value *v, const onnx_layout *want,
                             int *tensor) {
  const th_shape shape = th_onnx_physical(&v->shape, want);
  int64_t step[TH_MAX_RANK], of[TH_MAX_RANK], size = 1;
  const size_t bytes = th_dtype_bytes(v->dtype);
  void *data;
  for (int i = v->shape.rank - 1; i >= 0; i--) {
    of[i] = size;
    size *= v->shape.dim[i];
  }
  if (size < 1) return th_onnx_fail(r, n, "constant %s is empty", v->name);
  for (int i = 0; i < want->rank; i++) step[i] = want->dim[i] < 0 ? 0 : of[want->dim[i]];
  TH_TRY(th_onnx_pick(r, v->data, bytes, 0, &shape, step, &data));
  TH_TRY(th_onnx_const(r, v->name, v->dtype, &shape, data, tensor));
  if (!v->grid.count) return TH_OK;
  const int axis = v->grid.count > 1 ? th_onnx_place(want, v->grid.axis) : -1;
  return th_graph_set_quant(r->g, *tensor, axis, v->grid.count, v->grid.scale, v->grid.zero);
}

th_status th_onnx_arrange(onnx_reader *r, const onnx_node *n, const onnx_value *v, const onnx_layout *want,
                          int *tensor) {
  int have_dims[TH_MAX_RANK], want_dims[TH_MAX_RANK];
  if (!holds_all(&v->shape, want)) return th_onnx_fail(r, n, "%s has too many dimensions here", v->name);
  if (v->kind == ONNX_CONST) return constant_in(r, n, v, want, tensor);
  const int have = real_dims(&v->shape, &v->layout, have_dims), wanted = real_dims(&v->shape, want, want_dims);
  const bool same = have == wanted && memcmp(have_dims, want_dims, sizeof(int) * (size_t)have) == 0;
  const th_shape shape = th_onnx_physical(&v->shape, want);
  if (same) return th_onnx_reshape(r, n, v->tensor, &shape, tensor);
  return transpose_to(r, n, v->tensor, &v->shape, have_dims, want, tensor);
}

th_status th_onnx_settle(onnx_reader *r, const onnx_node *n, const onnx_value *v, onnx_value *out) {
  *out = *v;
  if (!v->pending) return TH_OK;
  onnx_value before = *v;
  before.shape = v->base;
  before.pending = false;
  int tensor;
  const onnx_layout base = th_onnx_as_is(&v->base), layout = th_onnx_as_is(&v->shape);
  const th_shape shape = th_onnx_physical(&v->shape, &layout);
  TH_TRY(th_onnx_arrange(r, n, &before, &base, &tensor));
  TH_TRY(th_onnx_reshape(r, n, tensor, &shape, &out->tensor));
  out->layout = layout;
  out->base = out->shape;
  out->pending = false;
  return TH_OK;
}

th_status th_onnx_data(onnx_reader *r, const onnx_node *n, int i, onnx_value *v) {
  onnx_value as_float;
  if (i >= n->n_in || !n->in[i]) return th_onnx_fail(r, n, "input %d is absent", i);
  const onnx_value *in = n->in[i];
  if (!n->integer) {
    TH_TRY(th_onnx_to_float(r, n, in, &as_float));
    in = &as_float;
  }
  if (in->kind != ONNX_DATA) return th_onnx_fail(r, n, "input %s is a constant; it must be data", in->name);
  return th_onnx_settle(r, n, in, v);
}

th_status th_onnx_set(onnx_reader *r, const onnx_node *n, int k, int tensor, const th_shape *shape,
                      const onnx_layout *layout) {
  onnx_value *v = k < n->n_out ? n->out[k] : NULL;
  if (!v) return TH_OK;
  const th_tensor *t = &r->g->tensors[tensor];
  if (th_shape_elems(&t->shape) != th_shape_elems(shape)) {
    char a[TH_SHAPE_TEXT], b[TH_SHAPE_TEXT];
    return th_onnx_fail(r, n, "its output has shape %s, which does not fit %s", th_shape_text(&t->shape, a),
                        th_shape_text(shape, b));
  }
  v->kind = ONNX_DATA;
  v->dtype = t->dtype;
  v->tensor = tensor;
  v->shape = v->base = *shape;
  v->layout = *layout;
  return TH_OK;
}

void th_onnx_rename(onnx_node *n, int k, const onnx_value *v) {
  onnx_value *to = k < n->n_out ? n->out[k] : NULL;
  if (!to) return;
  const onnx_value old = *to;
  *to = *v;
  to->name = old.name;
  to->uses = old.uses;
  to->reader = old.reader;
}
