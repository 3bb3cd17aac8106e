/* Quantized models: QuantizeLinear and DequantizeLinear around operators (QDQ), and the QLinear operators.
 *
 * DequantizeLinear makes no node: its value is a view of the integers. An operator that stands between views and a
 * QuantizeLinear is made on the integers (th_onnx_try_integer); whoever needs the floats gets a dequantize node. uint8
 * becomes int8 by subtracting 128 from values and zero points, which is exact; inputs and outputs of the graph keep
 * their type. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <onnx.pb-c.h>
#include <string.h>

#include "base/str.h"
#include "read/onnx_internal.h"

/* --- grids --- */

enum { U8_SHIFT = 128 };

const onnx_value *th_onnx_input(const onnx_node *n, int i) {
  return i < n->n_in ? n->in[i] : NULL;
}

/* Scale and zero point from constant inputs. `of`: the dtype of the integers when there is no zero point. */
th_status th_onnx_grid(onnx_reader *r, const onnx_node *n, const onnx_value *s, const onnx_value *z, th_dtype of,
                       int axis, onnx_grid *g, bool *is_u8) {
  if (!s || s->kind != ONNX_CONST || s->dtype != TH_DTYPE_F32 || (z && z->kind != ONNX_CONST))
    return th_onnx_fail(r, n, "scale and zero point must be constants");
  const int64_t count = th_shape_elems(&s->shape);
  const th_dtype type = z ? z->dtype : of;
  if (s->shape.rank > 1 || count < 1) return th_onnx_fail(r, n, "scales in blocks are not supported");
  if (type != TH_DTYPE_S8 && type != TH_DTYPE_U8 && type != TH_DTYPE_S32)
    return th_onnx_fail(r, n, "quantizes to a type that is not supported; int8 and uint8 are");
  if (z && th_shape_elems(&z->shape) != count && th_shape_elems(&z->shape) != 1)
    return th_onnx_fail(r, n, "has %lld scales but %lld zero points", (long long)count,
                        (long long)th_shape_elems(&z->shape));
  float *scale = TH_ARRAY(r->arena, float, count);
  int32_t *zero = TH_ARRAY(r->arena, int32_t, count);
  if (!scale || !zero) return TH_ERR_RESOURCE;
  *is_u8 = type == TH_DTYPE_U8;
  for (int64_t i = 0; i < count; i++) {
    scale[i] = ((const float *)s->data)[i];
    zero[i] = z ? (int32_t)th_onnx_const_at(z, th_shape_elems(&z->shape) == 1 ? 0 : i) : 0;
    if (*is_u8) zero[i] -= U8_SHIFT;
    if (!(scale[i] > 1e-30f && scale[i] < 1e30f))
      return th_onnx_fail(r, n, "scale %lld is %g, expected a positive number", (long long)i, (double)scale[i]);
  }
  *g = (onnx_grid){(int)count, count > 1 ? axis : -1, scale, zero};
  return TH_OK;
}

static bool same_grid(const onnx_grid *a, const th_quant *b) {
  return a->count == 1 && b->count == 1 && a->scale[0] == b->scale[0] && a->zero[0] == (b->zero ? b->zero[0] : 0);
}

static th_status set_grid(onnx_reader *r, int tensor, const onnx_grid *g) {
  r->g->tensors[tensor].dtype = TH_DTYPE_S8;
  return th_graph_set_quant(r->g, tensor, -1, 1, g->scale, g->zero);
}

/* A quantize node from whatever the tensor is to int8 on the grid. */
static th_status quantize_node(onnx_reader *r, const onnx_node *n, const onnx_grid *g, int *tensor) {
  th_node *node;
  TH_TRY(th_onnx_node(r, n, TH_OP_QUANTIZE, tensor, 1, &node));
  TH_TRY(set_grid(r, node->out[0], g));
  return th_onnx_finish(r, n, tensor);
}

/* --- integers --- */

static int8_t to_s8(const onnx_value *v, int64_t i) {
  return v->dtype == TH_DTYPE_U8 ? (int8_t)(((const uint8_t *)v->data)[i] - U8_SHIFT) : ((const int8_t *)v->data)[i];
}

/* A constant of int8, uint8 or int32 on a grid; uint8 becomes int8. */
static th_status const_ints(onnx_reader *r, const onnx_node *n, const onnx_value *v, const onnx_grid *g,
                            onnx_value *out) {
  const int64_t elems = th_shape_elems(&v->shape);
  if (v->dtype != TH_DTYPE_S8 && v->dtype != TH_DTYPE_U8 && v->dtype != TH_DTYPE_S32)
    return th_onnx_fail(r, n, "constant %s is of a type that is not supported; int8, uint8 and int32 are", v->name);
  if (g->count > 1 && (g->axis < 0 || g->axis >= v->shape.rank || v->shape.dim[g->axis] != g->count))
    return th_onnx_fail(r, n, "%d scales do not fit %s", g->count, v->name);
  *out = *v;
  out->grid = *g;
  if (v->dtype != TH_DTYPE_U8) return TH_OK;
  TH_TRY(th_onnx_spend(r, elems));
  int8_t *data = TH_ARRAY(r->arena, int8_t, elems);
  if (!data) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; i++) data[i] = to_s8(v, i);
  out->data = data;
  out->dtype = TH_DTYPE_S8;
  out->is_u8 = true;
  return TH_OK;
}

/* scale * (q - zero) of each element. */
static th_status real_values(onnx_reader *r, const onnx_value *ints, const float **data) {
  const onnx_grid *g = &ints->grid;
  const int64_t elems = th_shape_elems(&ints->shape);
  int64_t inner = 1;
  for (int d = g->axis + 1; g->count > 1 && d < ints->shape.rank; d++) inner *= ints->shape.dim[d];
  TH_TRY(th_onnx_spend(r, elems));
  float *to = TH_ARRAY(r->arena, float, elems);
  if (!to) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; i++) {
    const int64_t c = g->count > 1 ? i / inner % g->count : 0;
    to[i] = (float)((th_onnx_const_at(ints, i) - g->zero[c]) * (double)g->scale[c]);
  }
  *data = to;
  return TH_OK;
}

/* Data that the file calls int8 or uint8, on this grid. An input of the graph gets it here. */
static th_status data_ints(onnx_reader *r, const onnx_node *n, onnx_value *v, const onnx_grid *g, bool is_u8) {
  th_tensor *t = &r->g->tensors[v->tensor];
  if (t->dtype != TH_DTYPE_S8 && t->dtype != TH_DTYPE_U8)
    return th_onnx_fail(r, n, "input %s is %s; int8 and uint8 are supported", v->name, th_dtype_name(t->dtype));
  if (g->count != 1) return th_onnx_fail(r, n, "data %s have several scales; only constants may", v->name);
  if (t->quant.count) {
    if (same_grid(g, &t->quant)) return TH_OK;
    return th_onnx_fail(r, n, "takes %s with another scale or zero point than it was made with", v->name);
  }
  const int32_t own_zero = g->zero[0] + (t->dtype == TH_DTYPE_U8 ? U8_SHIFT : 0);
  TH_TRY(th_graph_set_quant(r->g, v->tensor, -1, 1, g->scale, &own_zero));
  if (t->dtype == TH_DTYPE_S8) return TH_OK;
  TH_TRY(quantize_node(r, n, g, &v->tensor));
  v->dtype = TH_DTYPE_S8;
  v->is_u8 = is_u8;
  return TH_OK;
}

/* Input i as integers on the grid of inputs s and z. */
th_status th_onnx_ints_of(onnx_reader *r, const onnx_node *n, int i, int s, int z, int axis, onnx_value **out) {
  onnx_grid g;
  bool is_u8;
  if (!th_onnx_input(n, i)) return th_onnx_fail(r, n, "input %d is absent", i);
  onnx_value *v = n->in[i];
  if (v->view_of) return th_onnx_fail(r, n, "input %s is float; integers are expected", v->name);
  TH_TRY(th_onnx_grid(r, n, th_onnx_input(n, s), th_onnx_input(n, z), v->dtype, axis, &g, &is_u8));
  if (v->kind == ONNX_DATA) {
    *out = v;
    return data_ints(r, n, v, &g, is_u8);
  }
  *out = TH_NEW(r->arena, onnx_value);
  return *out ? const_ints(r, n, v, &g, *out) : TH_ERR_RESOURCE;
}

/* --- QuantizeLinear, DequantizeLinear --- */

static int logical_axis(int32_t axis, int rank) {
  return axis < 0 ? axis + rank : axis;
}

static th_status quantize_const(onnx_reader *r, const onnx_node *n, const onnx_value *v, const onnx_grid *g, bool is_u8,
                                onnx_value *out) {
  const float *from;
  const int64_t elems = th_shape_elems(&v->shape);
  int64_t inner = 1;
  if (g->count > 1 && (g->axis < 0 || g->axis >= v->shape.rank || v->shape.dim[g->axis] != g->count))
    return th_onnx_fail(r, n, "%d scales do not fit %s", g->count, v->name);
  for (int d = g->axis + 1; g->count > 1 && d < v->shape.rank; d++) inner *= v->shape.dim[d];
  TH_TRY(th_onnx_floats(r, n, v, &from));
  TH_TRY(th_onnx_spend(r, elems));
  int8_t *data = TH_ARRAY(r->arena, int8_t, elems);
  if (!data) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; i++) {
    const int64_t c = g->count > 1 ? i / inner % g->count : 0;
    const double q = rint((double)(from[i] / g->scale[c])) + g->zero[c];
    data[i] = (int8_t)(q > 127 ? 127 : q > -128 ? q : -128);
  }
  *out = *v;
  out->view_of = NULL;
  out->dtype = TH_DTYPE_S8;
  out->data = data;
  out->grid = *g;
  out->is_u8 = is_u8;
  return TH_OK;
}

th_status th_onnx_op_quantize_linear(onnx_reader *r, onnx_node *n) {
  onnx_value v, out;
  onnx_grid g;
  bool is_u8;
  int32_t axis, type;
  const onnx_value *x = th_onnx_input(n, 0);
  if (!x) return th_onnx_fail(r, n, "input 0 is absent");
  TH_TRY(th_onnx_attr_int(r, n, "axis", 1, &axis));
  TH_TRY(th_onnx_attr_int(r, n, "output_dtype", 0, &type));
  const th_dtype of = type ? th_onnx_type(type) : TH_DTYPE_U8;
  TH_TRY(
      th_onnx_grid(r, n, th_onnx_input(n, 1), th_onnx_input(n, 2), of, logical_axis(axis, x->shape.rank), &g, &is_u8));
  if (x->kind == ONNX_CONST) {
    TH_TRY(quantize_const(r, n, x, &g, is_u8, &out));
    th_onnx_rename(n, 0, &out);
    return TH_OK;
  }
  if (g.count != 1) return th_onnx_fail(r, n, "data have several scales; only constants may");
  if (x->view_of)
    v = *x->view_of;
  else
    TH_TRY(th_onnx_to_float(r, n, x, &v));
  if (!x->view_of || !same_grid(&g, &r->g->tensors[v.tensor].quant)) TH_TRY(quantize_node(r, n, &g, &v.tensor));
  v.dtype = TH_DTYPE_S8;
  v.is_u8 = is_u8;
  v.view_of = NULL;
  th_onnx_rename(n, 0, &v);
  return TH_OK;
}

th_status th_onnx_regrid(onnx_reader *r, const onnx_node *n, onnx_value *v, const onnx_grid *g) {
  if (v->kind == ONNX_DATA) {
    if (same_grid(g, &r->g->tensors[v->tensor].quant)) return TH_OK;
    return quantize_node(r, n, g, &v->tensor);
  }
  const float *real;
  onnx_value as_float = *v;
  TH_TRY(real_values(r, v, &real));
  as_float.data = real;
  as_float.dtype = TH_DTYPE_F32;
  as_float.grid.count = 0;
  return quantize_const(r, n, &as_float, g, v->is_u8, v);
}

/* `ints`, which lives as long as the reading, seen as floats. */
static th_status give_view(onnx_reader *r, onnx_node *n, int k, const onnx_value *ints) {
  onnx_value out = *ints;
  out.view_of = ints;
  out.dtype = TH_DTYPE_F32;
  out.is_u8 = false;
  out.grid = (onnx_grid){.count = 0};
  if (ints->kind == ONNX_CONST) {
    const float *data;
    TH_TRY(real_values(r, ints, &data));
    out.data = data;
  }
  th_onnx_rename(n, k, &out);
  return TH_OK;
}

th_status th_onnx_op_dequantize_linear(onnx_reader *r, onnx_node *n) {
  onnx_value *ints;
  int32_t axis;
  if (!th_onnx_input(n, 0)) return th_onnx_fail(r, n, "input 0 is absent");
  TH_TRY(th_onnx_attr_int(r, n, "axis", 1, &axis));
  TH_TRY(th_onnx_ints_of(r, n, 0, 1, 2, logical_axis(axis, n->in[0]->shape.rank), &ints));
  return give_view(r, n, 0, ints);
}

th_status th_onnx_to_float(onnx_reader *r, const onnx_node *n, const onnx_value *v, onnx_value *out) {
  th_node *node;
  *out = *v;
  out->view_of = NULL;
  if (v->kind != ONNX_DATA) {
    if (v->kind == ONNX_CONST && v->grid.count && v->dtype != TH_DTYPE_F32)
      return th_onnx_fail(r, n, "takes float numbers, constant %s is quantized", v->name);
    return v->kind == ONNX_CONST ? TH_OK : th_onnx_fail(r, n, "input %s is not known", v->name);
  }
  if (!v->view_of) {
    if (v->dtype == TH_DTYPE_F32) return TH_OK;
    return th_onnx_fail(r, n, "takes float numbers, input %s is %s", v->name,
                        v->is_u8 ? "u8" : th_dtype_name(v->dtype));
  }
  TH_TRY(th_onnx_node(r, n, TH_OP_DEQUANTIZE, &out->tensor, 1, &node));
  r->g->tensors[node->out[0]].dtype = TH_DTYPE_F32;
  r->g->tensors[node->out[0]].quant = (th_quant){.axis = -1};
  return th_onnx_finish(r, n, &out->tensor);
}

/* --- an operator on integers --- */

/* Softmax, sigmoid and the like have grids of their own; averages and extremes keep that of their input. */
static bool own_grid(const onnx_reader *r, const th_node *node, onnx_grid *g) {
  static const float scales[] = {1.0f / 256, 1.0f / 128, 16.0f / 256};
  static const int32_t zeros[] = {-128, 0, 127};
  const th_tensor *in = &r->g->tensors[node->in[0]];
  switch (node->op) {
    case TH_OP_SOFTMAX:
    case TH_OP_SIGMOID:
      *g = (onnx_grid){1, -1, &scales[0], &zeros[0]};
      return true;
    case TH_OP_TANH:
      *g = (onnx_grid){1, -1, &scales[1], &zeros[1]};
      return true;
    case TH_OP_LOG_SOFTMAX:
      *g = (onnx_grid){1, -1, &scales[2], &zeros[2]};
      return true;
    case TH_OP_AVG_POOL2D:
    case TH_OP_MINIMUM:
    case TH_OP_MAXIMUM:
    case TH_OP_REDUCE_MIN:
    case TH_OP_REDUCE_MAX:
      *g = (onnx_grid){1, -1, in->quant.scale, in->quant.zero};
      return true;
    default:
      return false;
  }
}

static bool only_shows(th_op_id op) {
  return op == TH_OP_RESHAPE || op == TH_OP_TRANSPOSE;
}

/* The node's result, and what only shows it in another shape, lie on the grid. */
static th_status put_on_grid(onnx_reader *r, int tensor, int first_node, const onnx_grid *wanted, th_act act,
                             bool *differs) {
  onnx_grid g = *wanted;
  int at = th_graph_producer(r->g, tensor);
  int core = at;
  while (core >= first_node && only_shows(r->g->nodes[core].op))
    core = th_graph_producer(r->g, r->g->nodes[core].in[0]);
  if (core < first_node) core = at;
  *differs = own_grid(r, &r->g->nodes[core], &g) && (g.scale[0] != wanted->scale[0] || g.zero[0] != wanted->zero[0]);
  for (;; at = th_graph_producer(r->g, r->g->nodes[at].in[0])) {
    TH_TRY(set_grid(r, r->g->nodes[at].out[0], &g));
    if (at == core) break;
  }
  if (act != TH_ACT_NONE) r->g->nodes[core].attr[TH_ATTR_ACTIVATION].i = act;
  return TH_OK;
}

/* Runs the row on n's inputs, which are integers; output 0 becomes the result on the grid. */
th_status th_onnx_run_integer(onnx_reader *r, onnx_node *n, const onnx_target *t) {
  const int first = r->g->n_nodes;
  bool differs = false;
  n->integer = true;
  n->grid = &t->grid;
  TH_TRY(n->row->read(r, n));
  onnx_value *out = n->out[0];
  if (!out || out->kind != ONNX_DATA) return th_onnx_fail(r, n, "does not compute anything on integers");
  if (r->g->n_nodes == first) /* only another name */
    differs = !same_grid(&t->grid, &r->g->tensors[out->tensor].quant);
  else
    TH_TRY(put_on_grid(r, out->tensor, first, &t->grid, t->act, &differs));
  if (differs) TH_TRY(quantize_node(r, n, &t->grid, &out->tensor));
  out->dtype = TH_DTYPE_S8;
  out->is_u8 = t->is_u8;
  out->view_of = NULL;
  return TH_OK;
}

/* --- between DequantizeLinear and QuantizeLinear --- */

static bool is_int_data(const onnx_value *v) {
  return v && v->view_of && v->kind == ONNX_DATA;
}
static bool is_int_const(const onnx_value *v, th_dtype dtype) {
  return v && v->view_of && v->kind == ONNX_CONST && v->view_of->dtype == dtype;
}

static bool is_layer(const onnx_node *n) {
  return th_str_eq(n->row->name, "Conv") || th_str_eq(n->row->name, "Gemm") || th_str_eq(n->row->name, "MatMul") ||
         th_str_eq(n->row->name, "ConvTranspose");
}

static bool is_one(const Onnx__AttributeProto *a) {
  if (!a) return true;
  for (size_t i = 0; i < a->n_ints; i++)
    if (a->ints[i] != 1) return false;
  return (!a->has_i || a->i == 1) && (!a->has_f || a->f == 1);
}

static bool layer_fits(const onnx_node *n) {
  const onnx_value *b = th_onnx_input(n, 2);
  const bool transposed = th_str_eq(n->row->name, "ConvTranspose");
  if (!is_one(th_onnx_attr(n, "alpha")) || !is_one(th_onnx_attr(n, "beta"))) return false;
  if (transposed && (!is_one(th_onnx_attr(n, "group")) || !is_one(th_onnx_attr(n, "dilations")))) return false;
  if (transposed && is_int_const(th_onnx_input(n, 1), TH_DTYPE_S8)) {
    const onnx_grid *g = &n->in[1]->view_of->grid; /* no kernel for weights with a zero point */
    for (int i = 0; i < g->count; i++)
      if (g->zero[i] != 0) return false;
  }
  if (th_str_eq(n->row->name, "MatMul") && is_int_data(th_onnx_input(n, 0)) && is_int_data(th_onnx_input(n, 1)))
    return true;
  return is_int_data(th_onnx_input(n, 0)) && is_int_const(th_onnx_input(n, 1), TH_DTYPE_S8) &&
         (!b || is_int_const(b, TH_DTYPE_S32) || (b->kind == ONNX_CONST && b->dtype == TH_DTYPE_F32));
}

/* Does a value lie on the grid of another? Both are views. */
static bool shares_grid(const onnx_reader *r, const onnx_value *a, const onnx_value *b) {
  const onnx_value *ints[2] = {a->view_of, b->view_of};
  onnx_grid g[2];
  for (int i = 0; i < 2; i++) {
    const th_quant *q = ints[i]->kind == ONNX_DATA ? &r->g->tensors[ints[i]->tensor].quant : NULL;
    g[i] = q ? (onnx_grid){q->count, -1, q->scale, q->zero} : ints[i]->grid;
  }
  return g[0].count == 1 && g[1].count == 1 && g[0].scale[0] == g[1].scale[0] && g[0].zero[0] == g[1].zero[0];
}

/* Are the inputs what the integer operator takes? */
static bool inputs_fit(const onnx_reader *r, const onnx_node *n) {
  if (is_layer(n)) return layer_fits(n);
  const bool extreme = n->row->op == TH_OP_MINIMUM || n->row->op == TH_OP_MAXIMUM;
  const bool all = extreme || th_str_eq(n->row->name, "Concat") || n->row->min_in == 2;
  bool any = false;
  for (int i = 0; i < (all ? n->n_in : 1); i++) {
    const onnx_value *v = th_onnx_input(n, i);
    const bool constant = is_int_const(v, TH_DTYPE_S8) && v->view_of->grid.count == 1;
    if (!is_int_data(v) && !constant) return false;
    any = any || !constant;
  }
  if (extreme) any = any && n->n_in == 2 && shares_grid(r, n->in[0], n->in[1]);
  return any;
}

/* The constant inputs of a node that has not been read yet; NULL where they are not known. */
static const onnx_value *known(onnx_reader *r, const Onnx__NodeProto *p, size_t i) {
  const onnx_value *v = i < p->n_input && *p->input[i] ? th_onnx_value(r, p->input[i]) : NULL;
  return v && v->kind == ONNX_CONST ? v : NULL;
}

/* Relu, or Clip from 0 to 6, right behind v: taken into the operator. */
static th_act following_act(onnx_reader *r, const onnx_value *v, int *index) {
  const Onnx__NodeProto *p = th_onnx_only_reader(r, v, "Relu", index);
  if (p) return p->n_output == 1 ? TH_ACT_RELU : TH_ACT_NONE;
  p = th_onnx_only_reader(r, v, "Clip", index);
  if (!p || p->n_output != 1 || !th_str_eq(p->input[0], v->name)) return TH_ACT_NONE;
  const onnx_value *lo = known(r, p, 1), *hi = known(r, p, 2);
  const Onnx__AttributeProto *min = th_onnx_attr_of(p, "min"), *max = th_onnx_attr_of(p, "max");
  const double from = lo && th_shape_elems(&lo->shape) == 1 ? th_onnx_const_at(lo, 0) : min ? (double)min->f : -1;
  const double to = hi && th_shape_elems(&hi->shape) == 1 ? th_onnx_const_at(hi, 0) : max ? (double)max->f : -1;
  return from == 0 && to == 6 ? TH_ACT_RELU6 : TH_ACT_NONE;
}

static bool takes_act(const onnx_node *n) {
  return is_layer(n) || th_str_eq(n->row->name, "Add") || th_str_eq(n->row->name, "Sub") ||
         th_str_eq(n->row->name, "Mul");
}

static th_status target_behind(onnx_reader *r, const onnx_node *n, const Onnx__NodeProto *q, onnx_target *t) {
  onnx_node reader = {.proto = q, .index = n->index};
  const onnx_value *s = known(r, q, 1), *z = known(r, q, 2);
  return th_onnx_grid(r, &reader, s, z, TH_DTYPE_U8, -1, &t->grid, &t->is_u8);
}

static th_status between(onnx_reader *r, onnx_node *n, bool *done) {
  int act_index = -1, q_index;
  onnx_target t = {.act = TH_ACT_NONE};
  const onnx_value *last = n->out[0];
  *done = false;
  if (!last || n->n_out != 1 || !inputs_fit(r, n)) return TH_OK;
  if (takes_act(n) && (t.act = following_act(r, last, &act_index)) != TH_ACT_NONE)
    last = th_onnx_value(r, r->model->graph->node[act_index]->output[0]);
  const Onnx__NodeProto *q = last ? th_onnx_only_reader(r, last, "QuantizeLinear", &q_index) : NULL;
  if (!q || q->n_output != 1 || q->n_input < 2 || !th_str_eq(q->input[0], last->name) || !known(r, q, 1)) return TH_OK;
  if (q->n_input > 2 && *q->input[2] && !known(r, q, 2)) return TH_OK;
  TH_TRY(target_behind(r, n, q, &t));
  if (t.grid.count != 1) return TH_OK;
  onnx_value *result = th_onnx_value(r, q->output[0]);
  if (!result) return TH_ERR_RESOURCE;
  if (result->kind != ONNX_UNSET) return TH_OK;
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] && n->in[i]->view_of) n->in[i] = (onnx_value *)n->in[i]->view_of;
  n->out[0] = result;
  TH_TRY(th_onnx_run_integer(r, n, &t));
  r->done[q_index] = true;
  if (act_index >= 0 && t.act != TH_ACT_NONE) r->done[act_index] = true;
  *done = true;
  return TH_OK;
}

/* Moves of integers: what went in as a view comes out as views. */
static th_status move_ints(onnx_reader *r, onnx_node *n) {
  const bool views = n->in[0]->view_of != NULL;
  if (views) n->in[0] = (onnx_value *)n->in[0]->view_of;
  const bool is_u8 = n->in[0]->is_u8;
  n->integer = true;
  TH_TRY(n->row->read(r, n));
  for (int k = 0; k < n->n_out; k++) {
    if (!n->out[k] || n->out[k]->kind != ONNX_DATA) continue;
    n->out[k]->is_u8 = is_u8;
    if (!views) continue;
    onnx_value *ints = TH_NEW(r->arena, onnx_value);
    if (!ints) return TH_ERR_RESOURCE;
    *ints = *n->out[k];
    TH_TRY(give_view(r, n, k, ints));
  }
  return TH_OK;
}

static bool is_on_grid(const onnx_reader *r, const onnx_value *v) {
  return v && !v->view_of && v->kind == ONNX_DATA && v->dtype == TH_DTYPE_S8 &&
         r->g->tensors[v->tensor].quant.count == 1;
}

th_status th_onnx_try_integer(onnx_reader *r, onnx_node *n, bool *done) {
  *done = false;
  if (n->row->integer == ONNX_INTEGER) return between(r, n, done);
  if (n->row->integer != ONNX_MOVES || !(is_int_data(th_onnx_input(n, 0)) || is_on_grid(r, th_onnx_input(n, 0))))
    return TH_OK;
  *done = true;
  return move_ints(r, n);
}
