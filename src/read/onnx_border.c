/* Inputs and outputs of an ONNX graph: what they are in the file, and how the graph here has them.
 *
 * Who reads an input decides: in front of a convolution it is a picture, channels last, and its first dimension counts
 * samples; in front of a layer with constant weights its first dimension counts samples too; in front of an LSTM the
 * one that the LSTM says; all else is one sample as the file has it. SPDX-License-Identifier: Apache-2.0 */
#include <onnx.pb-c.h>
#include <string.h>

#include "base/str.h"
#include "read/onnx_internal.h"

static bool listed(const char *name, const char *const *list) {
  for (; *list; list++)
    if (th_str_eq(name, *list)) return true;
  return false;
}

static const char *const on_pictures[] = {"Conv",
                                          "ConvTranspose",
                                          "ConvInteger",
                                          "QLinearConv",
                                          "MaxPool",
                                          "AveragePool",
                                          "GlobalAveragePool",
                                          "GlobalMaxPool",
                                          "LpPool",
                                          "QLinearAveragePool",
                                          "QLinearGlobalAveragePool",
                                          "BatchNormalization",
                                          "InstanceNormalization",
                                          "DepthToSpace",
                                          "SpaceToDepth",
                                          NULL};
static const char *const on_rows[] = {"Gemm", "MatMul", "QLinearMatMul", "QGemm", NULL};
static const char *const renaming[] = {"Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", NULL};
static const char *const stopping[] = {"Concat", "Split", "Slice", "Gather", "Expand", "Tile", "Pad", NULL};

typedef struct role {
  bool picture; /* read as it is by an operator on pictures */
  bool samples; /* dimension `batch` counts samples */
  int batch;    /* 0; 1 in front of an LSTM over (time, batch, values) */
} role;

/* A layer's weights: one constant matrix for all rows. */
static bool has_weights(onnx_reader *r, const Onnx__NodeProto *p) {
  const size_t at = th_str_eq(p->op_type, "QGemm") || th_str_eq(p->op_type, "QLinearMatMul") ? 3 : 1;
  const onnx_value *v = at < p->n_input && *p->input[at] ? th_onnx_value(r, p->input[at]) : NULL;
  return v && v->kind == ONNX_CONST && v->shape.rank == 2;
}

/* (batch, time, values) made (time, batch, values) */
static bool swaps_time(const Onnx__NodeProto *p) {
  const Onnx__AttributeProto *perm = th_onnx_attr_of(p, "perm");
  return th_str_eq(p->op_type, "Transpose") && perm && perm->n_ints == 3 && perm->ints[0] == 1 && perm->ints[1] == 0;
}

/* Of a value that comes to an LSTM as it is, or with the first two dimensions swapped. */
static role before_lstm(const Onnx__NodeProto *lstm, bool swapped) {
  const Onnx__AttributeProto *layout = th_onnx_attr_of(lstm, "layout");
  const int batch = layout && layout->i == 1 ? 0 : 1;
  return (role){false, true, swapped ? 1 - batch : batch};
}

/* Follows the value through operators that do not care; past a layer, since an LSTM behind it knows better. */
static role role_of(onnx_reader *r, const onnx_value *v) {
  const Onnx__GraphProto *g = r->model->graph;
  bool renamed = false, swapped = false;
  role found = {false, false, 0};
  for (int last = -1; v && v->reader > last;) {
    const Onnx__NodeProto *p = g->node[last = v->reader];
    if (listed(p->op_type, on_pictures)) return found.samples ? found : (role){!renamed, true, 0};
    if (th_str_eq(p->op_type, "LSTM")) return renamed && !swapped ? found : before_lstm(p, swapped);
    if (listed(p->op_type, on_rows)) {
      const Onnx__AttributeProto *flipped = th_onnx_attr_of(p, "transA");
      if (!has_weights(r, p) || (flipped && flipped->i)) break;
      found.samples = true;
    }
    if (listed(p->op_type, stopping) || p->n_output < 1) break;
    swapped = !renamed && swaps_time(p) ? true : swapped && !listed(p->op_type, renaming);
    renamed = renamed || listed(p->op_type, renaming);
    v = th_onnx_value(r, p->output[0]);
  }
  return found;
}

static th_status read_dim(onnx_reader *r, const Onnx__TensorShapeProto__Dimension *d, const char *name, size_t i,
                          bool batch, int32_t *size) {
  if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) {
    if (d->dim_value < 1 && batch && d->dim_value >= -1) {
      *size = 1; /* a batch of any size */
      return TH_OK;
    }
    *size = d->dim_value > INT32_MAX ? -1 : (int32_t)d->dim_value;
    if (d->dim_value >= 1 && d->dim_value <= INT32_MAX) return TH_OK;
    return th_fail(TH_ERR_INPUT, "%s: input %.80s: dimension %zu is %lld", r->what, name, i, (long long)d->dim_value);
  }
  const bool named = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && d->dim_param;
  *size = 1;
  if (batch) return TH_OK;
  return th_fail(TH_ERR_INPUT,
                 "%s: input %.80s: dimension %zu is open ('%.60s'); sizes other than the batch must be known: export "
                 "the model with fixed sizes",
                 r->what, name, i, named ? d->dim_param : "?");
}

static th_status read_shape(onnx_reader *r, const Onnx__ValueInfoProto *p, int batch, th_shape *shape) {
  const Onnx__TensorShapeProto *s = p->type->tensor_type->shape;
  int64_t elems = 1;
  if (!s) return th_fail(TH_ERR_INPUT, "%s: input %.80s: its shape is not known", r->what, p->name);
  if (s->n_dim > TH_MAX_RANK)
    return th_fail(TH_ERR_INPUT, "%s: input %.80s: %zu dimensions, at most %d are supported", r->what, p->name,
                   s->n_dim, TH_MAX_RANK);
  shape->rank = (int)s->n_dim;
  for (size_t i = 0; i < s->n_dim; i++) {
    TH_TRY(read_dim(r, s->dim[i], p->name, i, i == (size_t)batch, &shape->dim[i]));
    if (shape->dim[i] > INT32_MAX / 4 / elems)
      return th_fail(TH_ERR_INPUT, "%s: input %.80s: too many elements", r->what, p->name);
    elems *= shape->dim[i];
  }
  return TH_OK;
}

static th_status input_type(onnx_reader *r, const Onnx__ValueInfoProto *p, th_dtype *dtype) {
  if (!p->type || p->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
    return th_fail(TH_ERR_INPUT, "%s: input %.80s is not a tensor", r->what, p->name);
  const int type = p->type->tensor_type->elem_type;
  *dtype = th_onnx_type(type);
  if (*dtype == TH_DTYPE_F32 || *dtype == TH_DTYPE_S8 || *dtype == TH_DTYPE_U8 || *dtype == TH_DTYPE_S32) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: input %.80s is of type %s; float, int8, uint8 and int32 are supported", r->what,
                 p->name, th_onnx_type_name(type));
}

static th_status add_input(onnx_reader *r, const Onnx__ValueInfoProto *p, onnx_value *v, int *tensor) {
  const char *word = th_onnx_word(r, p->name, "input");
  TH_TRY(input_type(r, p, &v->dtype));
  const role is = role_of(r, v);
  TH_TRY(read_shape(r, p, is.batch, &v->shape));
  if (is.samples && v->shape.rank > is.batch && v->shape.dim[is.batch] > 1) {
    r->old_batch = v->shape.dim[is.batch];
    v->shape.dim[is.batch] = 1;
  }
  v->image = is.picture && v->shape.rank >= 3 && v->shape.rank <= 4;
  v->layout = v->image ? th_onnx_channels_last(v->shape.rank) : th_onnx_as_is(&v->shape);
  v->base = v->shape;
  v->kind = ONNX_DATA;
  v->is_u8 = v->dtype == TH_DTYPE_U8;
  const th_shape shape = th_onnx_physical(&v->shape, &v->layout);
  if (!word) return TH_ERR_RESOURCE;
  if (th_shape_elems(&shape) != th_shape_elems(&v->shape))
    return th_fail(TH_ERR_INPUT, "%s: input %.80s has too many dimensions", r->what, p->name);
  TH_TRY(th_graph_add_tensor(r->g, word, v->dtype, &shape, &v->tensor));
  *tensor = v->tensor;
  return TH_OK;
}

enum { MOST_BORDERS = 16 };

th_status th_onnx_inputs(onnx_reader *r) {
  const Onnx__GraphProto *g = r->model->graph;
  int ids[MOST_BORDERS], n = 0;
  for (size_t i = 0; i < g->n_input; i++) {
    if (!g->input[i]->name || !*g->input[i]->name)
      return th_fail(TH_ERR_INPUT, "%s: input %zu has no name", r->what, i);
    onnx_value *v = th_onnx_value(r, g->input[i]->name);
    if (!v) return TH_ERR_RESOURCE;
    if (v->kind == ONNX_CONST) continue; /* older files list constants too */
    if (v->kind != ONNX_UNSET) return th_fail(TH_ERR_INPUT, "%s: input %.80s occurs twice", r->what, v->name);
    if (n == MOST_BORDERS) return th_fail(TH_ERR_INPUT, "%s: has more than %d inputs", r->what, MOST_BORDERS);
    TH_TRY(add_input(r, g->input[i], v, &ids[n++]));
  }
  if (n == 0) return th_fail(TH_ERR_INPUT, "%s: has no input: there is nothing to compute from", r->what);
  return th_graph_set_inputs(r->g, ids, n);
}

/* --- outputs --- */

/* uint8 in the file: 128 is added again, by a quantize node to uint8. */
static th_status as_u8(onnx_reader *r, const onnx_node *n, int *tensor) {
  const th_quant q = r->g->tensors[*tensor].quant;
  const int32_t zero = q.zero[0] + 128;
  th_node *node;
  TH_TRY(th_onnx_node(r, n, TH_OP_QUANTIZE, tensor, 1, &node));
  const int out = node->out[0];
  r->g->tensors[out].dtype = TH_DTYPE_U8;
  TH_TRY(th_graph_set_quant(r->g, out, -1, 1, q.scale, &zero));
  return th_onnx_finish(r, n, tensor);
}

/* An output is a tensor that some node makes and that is no other output. */
static th_status own_tensor(onnx_reader *r, const onnx_node *n, const int *ids, int count, int *tensor) {
  bool taken = th_graph_producer(r->g, *tensor) < 0;
  th_node *node;
  for (int i = 0; i < count; i++) taken = taken || ids[i] == *tensor;
  if (!taken) return TH_OK;
  const th_shape shape = r->g->tensors[*tensor].shape;
  TH_TRY(th_onnx_node(r, n, TH_OP_RESHAPE, tensor, 1, &node));
  r->g->tensors[node->out[0]].shape = shape;
  return th_onnx_finish(r, n, tensor);
}

static th_status rename_tensor(onnx_reader *r, int tensor, const char *name) {
  const char *word = th_onnx_word(r, name, "output");
  if (!word) return TH_ERR_RESOURCE;
  if (th_graph_find_tensor(r->g, word) >= 0) return TH_OK;
  r->g->tensors[tensor].name = th_arena_strdup(r->g->arena, word);
  return r->g->tensors[tensor].name ? TH_OK : TH_ERR_RESOURCE;
}

static th_status give_output(onnx_reader *r, const onnx_value *v, const int *ids, int count, int *tensor) {
  char *names[] = {(char *)v->name};
  Onnx__NodeProto proto = ONNX__NODE_PROTO__INIT;
  onnx_value out;
  proto.op_type = "output";
  proto.n_output = 1;
  proto.output = names;
  const onnx_node n = {.proto = &proto, .index = (int)r->model->graph->n_node};
  if (v->kind == ONNX_CONST)
    return th_fail(TH_ERR_INPUT, "%s: output %.80s is a constant: it does not depend on any input", r->what, v->name);
  if (v->kind != ONNX_DATA) return th_fail(TH_ERR_INPUT, "%s: output %.80s is made by no node", r->what, v->name);
  out = *v;
  if (v->view_of) TH_TRY(th_onnx_to_float(r, &n, v, &out));
  TH_TRY(th_onnx_settle(r, &n, &out, &out));
  const bool picture = out.image && out.shape.rank >= 3 && out.shape.rank <= 4 && out.shape.dim[0] == 1;
  const onnx_layout l = picture ? th_onnx_channels_last(out.shape.rank) : th_onnx_as_is(&out.shape);
  TH_TRY(th_onnx_arrange(r, &n, &out, &l, tensor));
  if (out.is_u8 && r->g->tensors[*tensor].dtype == TH_DTYPE_S8) TH_TRY(as_u8(r, &n, tensor));
  TH_TRY(own_tensor(r, &n, ids, count, tensor));
  return rename_tensor(r, *tensor, v->name);
}

th_status th_onnx_outputs(onnx_reader *r) {
  const Onnx__GraphProto *g = r->model->graph;
  int ids[MOST_BORDERS];
  if (g->n_output < 1 || g->n_output > MOST_BORDERS)
    return th_fail(TH_ERR_INPUT, "%s: has %zu outputs, expected 1 to %d", r->what, g->n_output, MOST_BORDERS);
  for (size_t i = 0; i < g->n_output; i++) {
    const onnx_value *v = th_onnx_value(r, g->output[i]->name);
    if (!v) return TH_ERR_RESOURCE;
    TH_TRY(give_output(r, v, ids, (int)i, &ids[i]));
  }
  return th_graph_set_outputs(r->g, ids, (int)g->n_output);
}
