/* Elementwise operators: functions of one value, and of two with NumPy's broadcasting.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "read/onnx_internal.h"

/* --- of one value --- */

/* Input 0, a pending reshape included: elementwise operators do not care. */
static th_status take_any(onnx_reader *r, const onnx_node *n, onnx_value *v) {
  if (n->n_in < 1 || !n->in[0]) return th_onnx_fail(r, n, "input 0 is absent");
  *v = *n->in[0];
  if (!n->integer) TH_TRY(th_onnx_to_float(r, n, n->in[0], v));
  return v->kind == ONNX_DATA ? TH_OK : th_onnx_fail(r, n, "of the constant %s is not computed while reading", v->name);
}

/* The node made last yields output 0, which lies like v. */
static th_status give_like(onnx_reader *r, onnx_node *n, const onnx_value *v) {
  onnx_value out = *v;
  TH_TRY(th_onnx_finish(r, n, &out.tensor));
  out.dtype = r->g->tensors[out.tensor].dtype;
  out.grid.count = 0;
  out.view_of = NULL;
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}

static th_status one(onnx_reader *r, onnx_node *n, th_op_id op, onnx_value *v, th_node **node) {
  TH_TRY(take_any(r, n, v));
  return th_onnx_node(r, n, op, &v->tensor, 1, node);
}

th_status th_onnx_op_unary(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_node *node;
  TH_TRY(one(r, n, n->row->op, &v, &node));
  return give_like(r, n, &v);
}

th_status th_onnx_op_identity(onnx_reader *r, onnx_node *n) {
  if (n->n_in < 1 || !n->in[0]) return th_onnx_fail(r, n, "input 0 is absent");
  th_onnx_rename(n, 0, n->in[0]);
  return TH_OK;
}

/* Kept, so that the model can be trained further; it does nothing otherwise. */
th_status th_onnx_op_dropout(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_node *node;
  float rate;
  if (n->n_out > 1 && n->out[1]) return th_onnx_fail(r, n, "its second output, the mask, is not supported");
  if (n->n_in > 2 && n->in[2] && (n->in[2]->kind != ONNX_CONST || th_onnx_const_at(n->in[2], 0) != 0))
    return th_onnx_fail(r, n, "is in training mode; export the model for inference");
  if (n->integer || (n->in[0] && n->in[0]->kind == ONNX_CONST)) return th_onnx_op_identity(r, n);
  TH_TRY(th_onnx_attr_float(r, n, "ratio", 0.5f, &rate));
  if (n->n_in > 1 && n->in[1]) TH_TRY(th_onnx_in_float(r, n, 1, 0.5f, &rate));
  if (!(rate >= 0 && rate < 1)) return th_onnx_fail(r, n, "ratio is %g, expected 0 to 1", (double)rate);
  TH_TRY(one(r, n, TH_OP_DROPOUT, &v, &node));
  node->attr[TH_ATTR_RATE].f = rate;
  return give_like(r, n, &v);
}

th_status th_onnx_op_leaky_relu(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_node *node;
  float alpha;
  TH_TRY(th_onnx_attr_float(r, n, "alpha", n->row->op == TH_OP_ELU ? 1 : 0.01f, &alpha));
  TH_TRY(one(r, n, n->row->op, &v, &node));
  node->attr[TH_ATTR_ALPHA].f = alpha;
  return give_like(r, n, &v);
}

th_status th_onnx_op_selu(onnx_reader *r, onnx_node *n) {
  float alpha, gamma;
  TH_TRY(th_onnx_attr_float(r, n, "alpha", 1.67326319f, &alpha));
  TH_TRY(th_onnx_attr_float(r, n, "gamma", 1.05070102f, &gamma));
  if (fabsf(alpha - 1.6732632f) < 1e-4f && fabsf(gamma - 1.0507010f) < 1e-4f) return th_onnx_op_unary(r, n);
  onnx_value v;
  th_node *node;
  int in[2];
  const th_shape scalar = th_shape_make(1, 1);
  TH_TRY(one(r, n, TH_OP_ELU, &v, &node));
  node->attr[TH_ATTR_ALPHA].f = alpha;
  TH_TRY(th_onnx_finish(r, n, &in[0]));
  TH_TRY(th_onnx_const(r, "gamma", TH_DTYPE_F32, &scalar, &gamma, &in[1]));
  TH_TRY(th_onnx_node(r, n, TH_OP_MUL, in, 2, &node));
  return give_like(r, n, &v);
}

th_status th_onnx_op_hard_sigmoid(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_node *node;
  float alpha, beta;
  TH_TRY(th_onnx_attr_float(r, n, "alpha", 0.2f, &alpha));
  TH_TRY(th_onnx_attr_float(r, n, "beta", 0.5f, &beta));
  TH_TRY(one(r, n, TH_OP_HARD_SIGMOID, &v, &node));
  node->attr[TH_ATTR_ALPHA].f = alpha;
  node->attr[TH_ATTR_BETA].f = beta;
  return give_like(r, n, &v);
}

th_status th_onnx_op_gelu(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_node *node;
  const char *mode;
  TH_TRY(th_onnx_attr_text(r, n, "approximate", "none", &mode));
  TH_TRY(one(r, n, TH_OP_GELU, &v, &node));
  node->attr[TH_ATTR_APPROXIMATE].i = th_str_eq(mode, "tanh");
  return give_like(r, n, &v);
}

th_status th_onnx_op_clip(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_node *node;
  float lo = -INFINITY, hi = INFINITY;
  if (th_onnx_attr(n, "min")) TH_TRY(th_onnx_attr_float(r, n, "min", lo, &lo));
  if (th_onnx_attr(n, "max")) TH_TRY(th_onnx_attr_float(r, n, "max", hi, &hi));
  TH_TRY(th_onnx_in_float(r, n, 1, lo, &lo));
  TH_TRY(th_onnx_in_float(r, n, 2, hi, &hi));
  if (lo < -3.4e38f) lo = -3.40282347e38f;
  if (hi > 3.4e38f) hi = 3.40282347e38f;
  if (!(lo <= 3.4e38f && hi >= -3.4e38f)) return th_onnx_fail(r, n, "its limits are %g and %g", (double)lo, (double)hi);
  if (lo > hi) lo = hi; /* as ONNX has it: all become max */
  const bool relu = lo == 0 && hi > 3.4e38f, relu6 = lo == 0 && hi == 6;
  TH_TRY(one(r, n, relu ? TH_OP_RELU : relu6 ? TH_OP_RELU6 : TH_OP_CLIP, &v, &node));
  if (node->op == TH_OP_CLIP) {
    node->attr[TH_ATTR_LO].f = lo;
    node->attr[TH_ATTR_HI].f = hi;
  }
  return give_like(r, n, &v);
}

/* To bool, integers and back is not supported for data; between float types nothing happens. */
th_status th_onnx_op_cast(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_node *node;
  int32_t to;
  TH_TRY(th_onnx_attr_int(r, n, "to", 0, &to));
  const th_dtype dtype = th_onnx_type(to);
  if (n->n_in < 1 || !n->in[0]) return th_onnx_fail(r, n, "input 0 is absent");
  const onnx_value *x = n->in[0];
  if (dtype != TH_DTYPE_F32 || th_str_eq(th_onnx_type_name(to), "bfloat16"))
    return th_onnx_fail(r, n, "data cannot be cast to %s; only to float types", th_onnx_type_name(to));
  if (x->kind == ONNX_DATA && x->dtype == TH_DTYPE_F32) return th_onnx_op_identity(r, n);
  v = *x;
  if (v.kind != ONNX_DATA) return th_onnx_fail(r, n, "of the constant %s is not computed while reading", v.name);
  TH_TRY(th_onnx_node(r, n, TH_OP_CAST, &v.tensor, 1, &node));
  r->g->tensors[node->out[0]].dtype = dtype;
  r->g->tensors[node->out[0]].quant = (th_quant){.axis = -1};
  return give_like(r, n, &v);
}

/* --- of two --- */

/* The value with ones in front of its logical shape. */
static onnx_value of_rank(const onnx_value *v, int rank) {
  onnx_value to = *v;
  const int more = rank - v->shape.rank;
  to.shape = (th_shape){.rank = rank};
  for (int i = 0; i < rank; i++) to.shape.dim[i] = i < more ? 1 : v->shape.dim[i - more];
  to.base = to.shape;
  for (int i = 0; i < to.layout.rank; i++)
    if (to.layout.dim[i] >= 0) to.layout.dim[i] += more;
  if (to.grid.count > 1) to.grid.axis += more;
  return to;
}

static th_status broadcast_shape(onnx_reader *r, const onnx_node *n, const th_shape *a, const th_shape *b,
                                 th_shape *out) {
  char text_a[TH_SHAPE_TEXT], text_b[TH_SHAPE_TEXT];
  *out = *a;
  for (int i = 0; i < a->rank; i++) {
    if (a->dim[i] != b->dim[i] && a->dim[i] != 1 && b->dim[i] != 1)
      return th_onnx_fail(r, n, "inputs are %s and %s, which do not match", th_shape_text(a, text_a),
                          th_shape_text(b, text_b));
    out->dim[i] = a->dim[i] == 1 ? b->dim[i] : a->dim[i];
  }
  return TH_OK;
}

/* The order of the operand that has more values, where it has a place for all dimensions of the result. */
static onnx_layout common_layout(const onnx_value *lead, const th_shape *out) {
  const onnx_layout *l = &lead->layout;
  bool fits = lead->kind == ONNX_DATA && l->rank > 0 && (l->dim[0] < 0 || out->dim[l->dim[0]] == 1);
  for (int i = 0; fits && i < out->rank; i++) fits = out->dim[i] == 1 || th_onnx_place(l, i) >= 0;
  return fits ? *l : th_onnx_as_is(out);
}

static th_status operand(onnx_reader *r, const onnx_node *n, const onnx_value *in, onnx_value *v) {
  *v = *in;
  if (!n->integer) {
    TH_TRY(th_onnx_to_float(r, n, in, v));
    if (v->dtype != TH_DTYPE_F32) return th_onnx_fail(r, n, "input %s is not of a float type", in->name);
  }
  return v->kind == ONNX_DATA ? th_onnx_settle(r, n, v, v) : TH_OK;
}

th_status th_onnx_two(onnx_reader *r, onnx_node *n, th_op_id op, const onnx_value *left, const onnx_value *right,
                      onnx_value *out) {
  onnx_value a, b;
  th_shape shape;
  int in[2];
  th_node *node;
  TH_TRY(operand(r, n, left, &a));
  TH_TRY(operand(r, n, right, &b));
  if (a.kind != ONNX_DATA && b.kind != ONNX_DATA)
    return th_onnx_fail(r, n, "of constants is not computed while reading");
  const int rank = a.shape.rank > b.shape.rank ? a.shape.rank : b.shape.rank;
  a = of_rank(&a, rank);
  b = of_rank(&b, rank);
  TH_TRY(broadcast_shape(r, n, &a.shape, &b.shape, &shape));
  const bool b_leads =
      a.kind != ONNX_DATA || (b.kind == ONNX_DATA && th_shape_elems(&b.shape) > th_shape_elems(&a.shape));
  const onnx_value *lead = b_leads ? &b : &a;
  const onnx_layout layout = common_layout(lead, &shape);
  TH_TRY(th_onnx_arrange(r, n, &a, &layout, &in[0]));
  TH_TRY(th_onnx_arrange(r, n, &b, &layout, &in[1]));
  TH_TRY(th_onnx_node(r, n, op, in, 2, &node));
  if (!n->integer) r->g->tensors[node->out[0]].dtype = TH_DTYPE_F32;
  *out = (onnx_value){.name = lead->name, .kind = ONNX_DATA, .shape = shape, .base = shape, .layout = layout};
  TH_TRY(th_onnx_finish(r, n, &out->tensor));
  out->dtype = r->g->tensors[out->tensor].dtype;
  out->image = lead->image;
  return TH_OK;
}

/* x * sigmoid(x) and x * hard_sigmoid(x), as exporters spell silu and hard swish: the operator, and x's tensor. */
static th_op_id gate_of(const onnx_reader *r, const onnx_value *x, const onnx_value *gate) {
  const th_graph *g = r->g;
  if (x->kind != ONNX_DATA || gate->kind != ONNX_DATA || x->view_of || gate->view_of) return TH_OP_NONE;
  const int at = th_graph_producer(g, gate->tensor);
  if (at < 0 || g->nodes[at].in[0] != x->tensor || x->dtype != TH_DTYPE_F32) return TH_OP_NONE;
  const th_node *n = &g->nodes[at];
  const float alpha = n->attr[TH_ATTR_ALPHA].f, beta = n->attr[TH_ATTR_BETA].f;
  if (n->op == TH_OP_SIGMOID) return TH_OP_SILU;
  return n->op == TH_OP_HARD_SIGMOID && fabsf(alpha - 1.0f / 6) < 1e-6f && beta == 0.5f ? TH_OP_HARD_SWISH : TH_OP_NONE;
}

static th_status gated(onnx_reader *r, onnx_node *n, bool *done) {
  const onnx_value *a = n->in[0], *b = n->in[1];
  th_op_id op = gate_of(r, a, b);
  *done = false;
  if (op == TH_OP_NONE && (op = gate_of(r, b, a)) != TH_OP_NONE) a = b;
  if (op == TH_OP_NONE || n->integer) return TH_OK;
  onnx_value out;
  TH_TRY(th_onnx_one(r, n, op, a, &out));
  th_onnx_rename(n, 0, &out);
  *done = true;
  return TH_OK;
}

/* Before opset 7: b lies against a from dimension `axis` on. The ones that follow are written out. */
static th_status old_broadcast(onnx_reader *r, const onnx_node *n, const onnx_value *a, onnx_value *b) {
  int32_t on, axis;
  TH_TRY(th_onnx_attr_int(r, n, "broadcast", 0, &on));
  TH_TRY(th_onnx_attr_int(r, n, "axis", a->shape.rank - b->shape.rank, &axis));
  if (r->opset >= 7 || !on) return TH_OK;
  if (axis < 0) axis += a->shape.rank;
  const int more = a->shape.rank - b->shape.rank - axis;
  if (axis < 0 || more < 0) return th_onnx_fail(r, n, "axis is %d", (int)axis);
  for (int i = 0; i < more; i++) b->shape.dim[b->shape.rank++] = 1;
  b->base = b->pending ? b->base : b->shape;
  return TH_OK;
}

/* Before opset 7 a slope per channel is a plain list. */
static void old_slope(const onnx_reader *r, const onnx_node *n, const onnx_value *a, onnx_value *b) {
  if (r->opset >= 7 || n->row->op != TH_OP_PRELU || b->shape.rank != 1 || a->shape.rank < 2) return;
  if (b->shape.dim[0] != a->shape.dim[1]) return;
  while (b->shape.rank < a->shape.rank - 1) b->shape.dim[b->shape.rank++] = 1;
  b->base = b->shape;
}

th_status th_onnx_op_binary(onnx_reader *r, onnx_node *n) {
  onnx_value b, out;
  bool done = false;
  if (!n->in[0] || !n->in[1]) return th_onnx_fail(r, n, "an input is absent");
  if (n->row->op == TH_OP_MUL) TH_TRY(gated(r, n, &done));
  if (done) return TH_OK;
  b = *n->in[1];
  TH_TRY(old_broadcast(r, n, n->in[0], &b));
  old_slope(r, n, n->in[0], &b);
  TH_TRY(th_onnx_two(r, n, n->row->op, n->in[0], &b, &out));
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}

/* Max, Min, Sum, Mean of any number of inputs. */
th_status th_onnx_op_variadic(onnx_reader *r, onnx_node *n) {
  onnx_value sum = *n->in[0];
  if (n->n_in == 1) return th_onnx_op_identity(r, n);
  for (int i = 0; i < n->n_in; i++)
    if (!n->in[i]) return th_onnx_fail(r, n, "input %d is absent", i);
  for (int i = 1; i < n->n_in; i++) {
    const onnx_value left = sum;
    TH_TRY(th_onnx_two(r, n, n->row->op, &left, n->in[i], &sum));
  }
  th_onnx_rename(n, 0, &sum);
  return TH_OK;
}

th_status th_onnx_two_number(onnx_reader *r, onnx_node *n, th_op_id op, const onnx_value *a, float b, onnx_value *out) {
  const onnx_value number = {.name = "number", .kind = ONNX_CONST, .dtype = TH_DTYPE_F32, .data = &b};
  return th_onnx_two(r, n, op, a, &number, out);
}

th_status th_onnx_one(onnx_reader *r, onnx_node *n, th_op_id op, const onnx_value *v, onnx_value *out) {
  th_node *node;
  onnx_value result = *v;
  TH_TRY(th_onnx_node(r, n, op, &v->tensor, 1, &node));
  TH_TRY(th_onnx_finish(r, n, &result.tensor));
  *out = result;
  return TH_OK;
}

th_status th_onnx_op_mean_of(onnx_reader *r, onnx_node *n) {
  onnx_value sum, out;
  TH_TRY(th_onnx_op_variadic(r, n));
  if (n->n_in == 1 || !n->out[0]) return TH_OK;
  sum = *n->out[0];
  TH_TRY(th_onnx_two_number(r, n, TH_OP_MUL, &sum, 1.0f / (float)n->n_in, &out));
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}
