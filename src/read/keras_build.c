/* Values, nodes and weights of the graph that a Keras model becomes. See keras_internal.h.
 *
 * The graph is kept inferred: after each node the shape of its output is known, and bounded.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "read/keras_internal.h"

enum { MAX_NAME = 160 };
#define MAX_ELEMS ((int64_t)1 << 28)   /* of one activation */
#define MAX_WEIGHTS ((int64_t)1 << 26) /* of a model */

th_status th_keras_fail(const kr_reader *r, const kr_layer *l, const char *fmt, ...) {
  char text[400];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return th_fail(TH_ERR_INPUT, "%s: layer %.64s (%.64s): %s", r->what, l->name, l->class_name, text);
}

/* --- values --- */

th_status th_keras_value(kr_reader *r, const th_shape *shape, int tensor, int image, int *value) {
  if ((r->n_values & (r->n_values - 1)) == 0) { /* a power of two: full */
    kr_value *bigger = TH_ARRAY(r->scratch, kr_value, r->n_values ? 2 * r->n_values : 1);
    if (!bigger) return TH_ERR_RESOURCE;
    if (r->n_values) memcpy(bigger, r->values, sizeof *bigger * (size_t)r->n_values);
    r->values = bigger;
  }
  *value = r->n_values++;
  r->values[*value] = (kr_value){*shape, tensor, image};
  return TH_OK;
}

th_status th_keras_reshape(kr_reader *r, const char *name, int tensor, const th_shape *shape, int *out) {
  int node;
  TH_TRY(th_graph_add_tensor(r->g, name, TH_DTYPE_F32, shape, out));
  TH_TRY(th_graph_add_node(r->g, r->g->n_nodes, TH_OP_RESHAPE, name, &tensor, 1, out, 1, &node));
  th_status status = th_op_get(TH_OP_RESHAPE)->infer(r->g, &r->g->nodes[node]);
  return status == TH_OK ? TH_OK : th_fail_in(status, "%s", r->what);
}

static th_status reshape_from(kr_reader *r, int tensor, const char *form, const th_shape *shape, int *out) {
  const char *name = th_arena_printf(r->scratch, "%s/%s", r->g->tensors[tensor].name, form);
  return name ? th_keras_reshape(r, name, tensor, shape, out) : TH_ERR_RESOURCE;
}

th_status th_keras_tensor(kr_reader *r, int value, int *tensor) {
  kr_value v = r->values[value];
  if (v.tensor < 0) {
    TH_TRY(reshape_from(r, v.image, "row", &v.shape, &v.tensor));
    r->values[value].tensor = v.tensor;
  }
  *tensor = v.tensor;
  return TH_OK;
}

th_status th_keras_image(kr_reader *r, int value, int *tensor) {
  kr_value v = r->values[value];
  if (v.shape.rank == 4) return th_keras_tensor(r, value, tensor);
  if (v.image < 0) {
    th_shape image = th_shape_make(4, 1, 1, v.shape.dim[1], v.shape.dim[2]);
    TH_TRY(reshape_from(r, v.tensor, "image", &image, &v.image));
    r->values[value].image = v.image;
  }
  *tensor = v.image;
  return TH_OK;
}

th_status th_keras_image_value(kr_reader *r, int tensor, bool row, int *value) {
  const th_shape *s = &r->g->tensors[tensor].shape;
  if (!row) return th_keras_value(r, s, tensor, tensor, value);
  th_shape shape = th_shape_make(3, 1, s->dim[2], s->dim[3]);
  return th_keras_value(r, &shape, -1, tensor, value);
}

/* --- nodes --- */

/* Names in the graph's text form are words without blanks. */
const char *th_keras_clean(kr_reader *r, const char *name) {
  char *clean = th_arena_strdup(r->scratch, *name ? name : "unnamed");
  for (char *c = clean; c && *c; c++) {
    bool word = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("_-./:", *c);
    if (!word) *c = '_';
  }
  return clean;
}

/* outer/inner/layer/part; a layer's second call is layer_2. What is too long is cut, and numbered to be the only one.
 */
const char *th_keras_name(kr_reader *r, const kr_call *c, const char *part) {
  const char *name = th_keras_clean(r, c->layer->name);
  if (name && c->layer->n_uses > 1) name = th_arena_printf(r->scratch, "%s_%d", name, c->layer->n_uses);
  for (const kr_model *m = c->layer->parent; name && m && m->self; m = m->self->parent) {
    const char *outer = th_keras_clean(r, m->self->name);
    name = outer ? th_arena_printf(r->scratch, "%s/%s", outer, name) : NULL;
  }
  if (name && part) name = th_arena_printf(r->scratch, "%s/%s", name, part);
  if (!name || strlen(name) <= MAX_NAME) return name;
  return th_arena_printf(r->scratch, "%.*s_%d", MAX_NAME, name, r->g->n_tensors);
}

th_status th_keras_node(kr_reader *r, const kr_call *c, th_op_id op, const char *part, const int *in, int n_in,
                        th_node **node) {
  int out, id;
  th_shape unknown = th_shape_make(1, 1);
  const char *name = th_keras_name(r, c, part);
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_graph_add_tensor(r->g, name, TH_DTYPE_F32, &unknown, &out));
  TH_TRY(th_graph_add_node(r->g, r->g->n_nodes, op, r->g->tensors[out].name, in, n_in, &out, 1, &id));
  *node = &r->g->nodes[id];
  return TH_OK;
}

static th_status check_size(const kr_reader *r, const kr_call *c, const th_shape *s) {
  int64_t elems = 1;
  char text[TH_SHAPE_TEXT];
  for (int i = 0; i < s->rank; i++) {
    if (s->dim[i] < 1 || elems > MAX_ELEMS / s->dim[i])
      return th_keras_fail(r, c->layer, "its output would be %s; at most %lld values are possible",
                           th_shape_text(s, text), (long long)MAX_ELEMS);
    elems *= s->dim[i];
  }
  return TH_OK;
}

th_status th_keras_finish(kr_reader *r, const kr_call *c, th_node *node, int *tensor) {
  *tensor = node->out[0];
  th_status status = th_op_get(node->op)->infer(r->g, node);
  if (status == TH_ERR_INPUT) return th_fail_in(status, "%s", r->what);
  TH_TRY(status);
  return check_size(r, c, &r->g->tensors[*tensor].shape);
}

/* An operator that keeps the shape, on the form that is there. */
static th_status begin_unary(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int in, th_node **node) {
  kr_value v = r->values[in];
  int tensor = v.image >= 0 ? v.image : v.tensor;
  return th_keras_node(r, c, op, part, &tensor, 1, node);
}

static th_status end_unary(kr_reader *r, const kr_call *c, th_node *node, int in, int *out) {
  bool image = r->values[in].image >= 0, row = r->values[in].shape.rank == 3;
  int tensor;
  th_shape shape = r->values[in].shape;
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  return th_keras_value(r, &shape, image && row ? -1 : tensor, image ? tensor : -1, out);
}

th_status th_keras_unary(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int in, int *out) {
  th_node *node;
  TH_TRY(begin_unary(r, c, op, part, in, &node));
  return end_unary(r, c, node, in, out);
}

th_status th_keras_unary_attr(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int in, th_attr_id id,
                              float attr, int *out) {
  th_node *node;
  TH_TRY(begin_unary(r, c, op, part, in, &node));
  node->attr[id].f = attr;
  return end_unary(r, c, node, in, out);
}

th_status th_keras_binary(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int a, int b, int *out) {
  bool images =
      r->values[a].image >= 0 && r->values[b].image >= 0 && r->values[a].shape.rank == r->values[b].shape.rank;
  bool row = r->values[a].shape.rank == 3;
  int in[2], tensor;
  th_node *node;
  TH_TRY(images ? th_keras_image(r, a, &in[0]) : th_keras_tensor(r, a, &in[0]));
  TH_TRY(images ? th_keras_image(r, b, &in[1]) : th_keras_tensor(r, b, &in[1]));
  TH_TRY(th_keras_node(r, c, op, part, in, 2, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  if (images) return th_keras_image_value(r, tensor, row, out);
  return th_keras_value(r, &r->g->tensors[tensor].shape, tensor, r->g->tensors[tensor].shape.rank == 4 ? tensor : -1,
                        out);
}

th_status th_keras_const(kr_reader *r, const kr_call *c, const char *part, const th_shape *shape, const float *data,
                         int *tensor) {
  const char *name = th_keras_name(r, c, part);
  if (!name) return TH_ERR_RESOURCE;
  r->weights += th_shape_elems(shape);
  if (r->weights > MAX_WEIGHTS)
    return th_keras_fail(r, c->layer, "the model has more than %lld weights", (long long)MAX_WEIGHTS);
  return th_graph_add_const(r->g, name, TH_DTYPE_F32, shape, data, tensor);
}

th_status th_keras_with_const(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int in, const float *data,
                              int n, bool swapped, int *out) {
  kr_value v = r->values[in];
  int x = v.image >= 0 ? v.image : v.tensor, k, tensor;
  th_shape shape = th_shape_make(1, n);
  const char *name = th_arena_printf(r->scratch, "%s/by", part);
  th_node *node;
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_keras_const(r, c, name, &shape, data, &k));
  int operands[2] = {swapped ? k : x, swapped ? x : k};
  TH_TRY(th_keras_node(r, c, op, part, operands, 2, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  if (!th_shape_eq(&r->g->tensors[tensor].shape, &r->g->tensors[x].shape))
    return th_keras_fail(r, c->layer, "%d constants do not match its input", n);
  return th_keras_value(r, &v.shape, v.image >= 0 && v.shape.rank == 3 ? -1 : tensor, v.image >= 0 ? tensor : -1, out);
}

/* --- weights --- */

static const char *dims_text(const int64_t *dim, int rank, char *text, size_t size) {
  size_t at = 0;
  text[0] = 0;
  for (int i = 0; i < rank && at < size; i++)
    at += (size_t)snprintf(text + at, size - at, i ? "x%lld" : "%lld", (long long)dim[i]);
  return rank ? text : "a single value";
}

static th_status check_found(const kr_reader *r, const kr_layer *l, const kr_weight *want, int n, const kr_found *f) {
  char a[100], b[100];
  if (f->count != n)
    return th_keras_fail(r, l, "%d weight(s) are stored, expected %d as its settings say", f->count, n);
  bool same = f->rank == want->rank;
  for (int i = 0; i < want->rank && same; i++) same = f->dim[i] == want->dim[i];
  if (same) return TH_OK;
  return th_keras_fail(r, l, "weight %s is %s, expected %s", want->role, dims_text(f->dim, f->rank, a, sizeof a),
                       dims_text(want->dim, want->rank, b, sizeof b));
}

/* (outer, inner, block) to (inner, outer, block) */
static float *transposed(kr_reader *r, const float *from, size_t outer, size_t inner, size_t block) {
  float *to = TH_ARRAY(r->scratch, float, outer *inner *block);
  for (size_t o = 0; to && o < outer; o++)
    for (size_t i = 0; i < inner; i++)
      memcpy(to + (i * outer + o) * block, from + (o * inner + i) * block, block * sizeof(float));
  return to;
}

th_status th_keras_weight_data(kr_reader *r, const kr_layer *l, const kr_weight *want, int index, int n,
                               const float **data) {
  kr_found f = {0};
  int64_t elems = 1;
  for (int i = 0; i < want->rank; i++) {
    if (want->dim[i] < 1 || elems > MAX_WEIGHTS / want->dim[i])
      return th_keras_fail(r, l, "its weight %s would have more than %lld values", want->role, (long long)MAX_WEIGHTS);
    elems *= want->dim[i];
  }
  kr_found expected = {.count = n, .rank = want->rank};
  memcpy(expected.dim, want->dim, sizeof want->dim);
  TH_TRY(r->source.find(r->source.user, r, l, index, &expected, &f));
  TH_TRY(check_found(r, l, want, n, &f));
  *data = f.data;
  return TH_OK;
}

static th_status load_weight(kr_reader *r, const kr_call *c, const kr_weight *want, int index, int n, int *tensor) {
  const float *data;
  TH_TRY(th_keras_weight_data(r, c->layer, want, index, n, &data));
  th_arena_pos pos = th_arena_mark(r->scratch);
  if (want->outer)
    data = transposed(r, data, (size_t)want->outer, (size_t)want->inner, want->block ? (size_t)want->block : 1);
  th_status status = data ? th_keras_const(r, c, want->role, &want->shape, data, tensor) : TH_ERR_RESOURCE;
  th_arena_release(r->scratch, pos);
  return status;
}

th_status th_keras_weights(kr_reader *r, const kr_call *c, const kr_weight *want, int n, int form, int *tensors) {
  kr_layer *l = c->layer;
  if (!l->n_weights || l->weight_form != form)
    for (int i = 0; i < n; i++) TH_TRY(load_weight(r, c, &want[i], i, n, &l->weight[i]));
  for (int i = 0; i < n; i++) { /* a layer that is called for inputs of other sizes */
    if (!th_shape_eq(&r->g->tensors[l->weight[i]].shape, &want[i].shape))
      return th_keras_fail(r, l, "is used for inputs of different sizes");
    tensors[i] = l->weight[i];
  }
  l->n_weights = n;
  l->weight_form = form;
  return TH_OK;
}

/* --- asking the config --- */

const char *th_keras_text(const kr_layer *l, const char *key, const char *otherwise) {
  return th_json_string(th_json_get(l->config, key), otherwise);
}

bool th_keras_flag(const kr_layer *l, const char *key, bool otherwise) {
  return th_json_bool(th_json_get(l->config, key), otherwise);
}

double th_keras_real(const kr_layer *l, const char *key, double otherwise) {
  return th_json_number(th_json_get(l->config, key), otherwise);
}

/* One number for all, or a list of n. Absent or null: `values` stay as they are. */
th_status th_keras_ints(const kr_reader *r, const kr_layer *l, const char *key, int n, int lo, int hi, int *values) {
  const th_json *j = th_json_get(l->config, key);
  bool list = th_json_is_array(j);
  if (!list && !th_json_is_number(j)) {
    if (!j || (!th_json_is_string(j) && !th_json_is_object(j))) return TH_OK;
    return th_keras_fail(r, l, "%s is not a number", key);
  }
  if (list && th_json_count(j) != n)
    return th_keras_fail(r, l, "%s has %d numbers, expected %d", key, th_json_count(j), n);
  for (int i = 0; i < n; i++) {
    double v = th_json_number(list ? th_json_at(j, i) : j, (double)lo - 1);
    if (!(v >= lo && v <= hi) || v != (double)(int)v)
      return th_keras_fail(r, l, "%s is %g, expected a whole number of %d to %d", key, v, lo, hi);
    values[i] = (int)v;
  }
  return TH_OK;
}

th_status th_keras_rank(const kr_reader *r, const kr_call *c, int lo, int hi) {
  char text[TH_SHAPE_TEXT];
  const th_shape *s = th_keras_shape(r, c->arg[0].value);
  if (s->rank >= lo && s->rank <= hi) return TH_OK;
  if (lo == hi)
    return th_keras_fail(r, c->layer, "its input is %s, expected %d dimensions", th_shape_text(s, text), lo);
  return th_keras_fail(r, c->layer, "its input is %s, expected %d to %d dimensions", th_shape_text(s, text), lo, hi);
}

th_status th_keras_last_axis(const kr_reader *r, const kr_call *c, int rank) {
  const th_json *j = th_json_get(c->layer->config, "axis");
  if (th_json_is_array(j) && th_json_count(j) == 1) j = th_json_at(j, 0);
  double axis = th_json_number(j, th_json_is_array(j) ? -100 : -1);
  if (axis == -1 || axis == rank - 1) return TH_OK;
  return th_keras_fail(r, c->layer, "its axis is not the last one; only the last is supported");
}
