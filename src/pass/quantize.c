/* Float graph to int8 graph, in this order: check, settle the activation grids, convert weights and biases, convert
 * the remaining constants, switch the activations' type. The graph changes in place; weights are in
 * quantize_weights.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/quantize.h"

#include <math.h>
#include <string.h>

#include "eval/eval.h"
#include "op/op.h"
#include "pass/calibrate.h"
#include "pass/edit.h"
#include "pass/quantize_weights.h"

/* --- checks --- */

static bool is_float_activation(const th_graph *g, int t) {
  return t >= 0 && !g->tensors[t].data && g->tensors[t].dtype == TH_DTYPE_F32;
}

static th_status check_node(const th_node *n) {
  th_act act = (th_act)n->attr[TH_ATTR_ACTIVATION].i;
  if (n->op == TH_OP_BATCH_NORM)
    return th_fail(TH_ERR_INPUT, "%s (batch_norm) cannot be quantized: run pass fold_bn before", n->name);
  if (n->op == TH_OP_QUANTIZE || n->op == TH_OP_DEQUANTIZE) return TH_OK;
  if (n->op == TH_OP_POW || n->op == TH_OP_REDUCE_PROD || n->op == TH_OP_CAST)
    return th_fail(TH_ERR_INPUT, "%s (%s): has no int8 form", n->name, th_op_name(n->op));
  if (n->op == TH_OP_LSTM || n->op == TH_OP_SVDF || n->op == TH_OP_READ_VARIABLE || n->op == TH_OP_ASSIGN_VARIABLE)
    return th_fail(TH_ERR_INPUT,
                   "%s (%s): has a state, which cannot be quantized here; an int8 .tflite with this layer is read and "
                   "compiled as it is",
                   n->name, th_op_name(n->op));
  if (act == TH_ACT_TANH)
    return th_fail(TH_ERR_INPUT, "%s (%s): a fused tanh has no int8 form", n->name, th_op_name(n->op));
  return TH_OK;
}

/* --- grids fixed by the specification --- */

static bool fixed_grid(th_dtype type, th_op_id op, float *scale, int32_t *zero) {
  const bool wide = type == TH_DTYPE_S16; /* what is fixed for 16 bits is -1 to 1, symmetric */
  switch (op) {
    case TH_OP_SOFTMAX:
    case TH_OP_SIGMOID:
      *scale = wide ? 1.0f / 32768 : 1.0f / 256;
      *zero = wide ? 0 : -128;
      return true;
    case TH_OP_TANH:
      *scale = wide ? 1.0f / 32768 : 1.0f / 128;
      *zero = 0;
      return true;
    case TH_OP_L2_NORMALIZATION:
      *scale = 1.0f / 128;
      *zero = 0;
      return !wide;
    case TH_OP_LOG_SOFTMAX:
      *scale = 16.0f / 256;
      *zero = 127;
      return !wide;
    default:
      return false;
  }
}

static bool shares_grid(th_op_id op) {
  switch (op) {
    case TH_OP_MAX_POOL2D:
    case TH_OP_AVG_POOL2D:
    case TH_OP_RESHAPE:
    case TH_OP_FLATTEN:
    case TH_OP_PAD:
    case TH_OP_CONCAT:
    case TH_OP_MINIMUM:
    case TH_OP_MAXIMUM:
    case TH_OP_REDUCE_MAX:
    case TH_OP_REDUCE_MIN:
    case TH_OP_DROPOUT:
    case TH_OP_RESIZE_NEAREST:
    case TH_OP_RESIZE_BILINEAR:
      return true;
    default:
      return th_op_get(op)->move != NULL;
  }
}

static bool same_quant(const th_quant *a, const th_quant *b) {
  return a->count == 1 && b->count == 1 && a->scale[0] == b->scale[0] && a->zero[0] == b->zero[0];
}

static bool is_fixed(const th_graph *g, int t) {
  float scale;
  int32_t zero;
  int p = th_graph_producer(g, t);
  return th_graph_is_input(g, t) || (p >= 0 && fixed_grid(TH_DTYPE_S8, g->nodes[p].op, &scale, &zero));
}

/* --- settling: which tensors must agree --- */

static th_status need_grid(const th_graph *g, int t) {
  if (g->tensors[t].quant.count == 1) return TH_OK;
  return th_fail(TH_ERR_INPUT, "tensor %s has no range: calibrate first", g->tensors[t].name);
}

static void range_of(th_dtype type, const th_quant *q, float *lo, float *hi) {
  const int32_t least = type == TH_DTYPE_S16 ? -32767 : -128, most = type == TH_DTYPE_S16 ? 32767 : 127;
  *lo = q->scale[0] * (float)(least - q->zero[0]);
  *hi = q->scale[0] * (float)(most - q->zero[0]);
}

/* Puts a quantize node (float in, float out for now; both become integers on different grids) before input i of a node.
 */
static th_status insert_requantize(th_graph *g, int node, int input, const th_quant *grid) {
  int x = g->nodes[node].in[input], y, id;
  th_shape shape = g->tensors[x].shape;
  const char *name = th_arena_printf(g->arena, "%s_requantized", g->tensors[x].name);
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_graph_add_tensor(g, name, TH_DTYPE_F32, &shape, &y));
  TH_TRY(th_graph_set_quant(g, y, -1, 1, grid->scale, grid->zero));
  TH_TRY(th_graph_add_node(g, node, TH_OP_QUANTIZE, name, &x, 1, &y, 1, &id));
  g->nodes[node + 1].in[input] = y;
  return TH_OK;
}

/* A constant part has the range of its values. */
static th_status range_of_part(th_graph *g, th_dtype type, int t, float *lo, float *hi) {
  const float *x = th_const_f32(g, t);
  if (!x) {
    TH_TRY(need_grid(g, t));
    range_of(type, &g->tensors[t].quant, lo, hi);
    return TH_OK;
  }
  *lo = *hi = 0;
  for (int64_t i = 0; i < th_shape_elems(&g->tensors[t].shape); i++) {
    *lo = fminf(*lo, x[i]);
    *hi = fmaxf(*hi, x[i]);
  }
  return TH_OK;
}

/* concat, minimum, maximum: the hull of the parts. A part that cannot change (input, sigmoid, read by others too) is
 * requantized. */
static th_status settle_concat(th_graph *g, th_dtype type, int *node) {
  th_node n = g->nodes[*node];
  float lo = 0, hi = 0, scale;
  int32_t zero;
  for (int i = 0; i < n.n_in; i++) {
    float l, h;
    TH_TRY(range_of_part(g, type, n.in[i], &l, &h));
    lo = fminf(lo, l);
    hi = fmaxf(hi, h);
  }
  th_grid_of_range(type, lo, hi, &scale, &zero);
  const th_quant *first = &g->tensors[n.in[0]].quant;
  bool all_same = true;
  for (int i = 1; i < n.n_in; i++) all_same = all_same && same_quant(first, &g->tensors[n.in[i]].quant);
  if (all_same) {
    scale = first->scale[0];
    zero = first->zero[0];
  }
  TH_TRY(th_graph_set_quant(g, n.out[0], -1, 1, &scale, &zero));
  for (int i = 0; i < n.n_in; i++) {
    const th_quant *want = &g->tensors[n.out[0]].quant;
    if (same_quant(want, &g->tensors[n.in[i]].quant)) continue;
    int p = th_graph_producer(g, n.in[i]);
    bool movable = th_const_f32(g, n.in[i]) || (p >= 0 && !is_fixed(g, n.in[i]) && !shares_grid(g->nodes[p].op) &&
                                                th_graph_only_user(g, n.in[i]) == *node);
    if (movable) {
      TH_TRY(th_graph_set_quant(g, n.in[i], -1, 1, &scale, &zero));
    } else {
      TH_TRY(insert_requantize(g, *node, i, want));
      ++*node;
    }
  }
  return TH_OK;
}

/* relu6 as a node of its own clamps without rescaling: its input takes the range of its output when nobody else reads
 * it (values outside are clamped anyway), else the output takes the input's. */
static th_status settle_relu6(th_graph *g, int node) {
  int x = g->nodes[node].in[0], y = g->nodes[node].out[0];
  bool movable = th_graph_only_user(g, x) == node && !is_fixed(g, x);
  int p = th_graph_producer(g, x);
  movable = movable && p >= 0 && !shares_grid(g->nodes[p].op);
  int from = movable ? y : x, to = movable ? x : y;
  TH_TRY(need_grid(g, from));
  return th_graph_set_quant(g, to, -1, 1, g->tensors[from].quant.scale, g->tensors[from].quant.zero);
}

static th_status settle_node(th_graph *g, th_dtype type, int *node) {
  const th_node *n = &g->nodes[*node];
  float scale;
  int32_t zero;
  if (fixed_grid(type, n->op, &scale, &zero)) return th_graph_set_quant(g, n->out[0], -1, 1, &scale, &zero);
  if (n->op == TH_OP_CONCAT || n->op == TH_OP_PACK || n->op == TH_OP_MINIMUM || n->op == TH_OP_MAXIMUM)
    return settle_concat(g, type, node);
  if (n->op == TH_OP_RELU6) return settle_relu6(g, *node);
  if (!shares_grid(n->op)) return TH_OK;
  TH_TRY(need_grid(g, n->in[0]));
  const th_quant *q = &g->tensors[n->in[0]].quant;
  for (int i = 0; i < n->n_out; i++) TH_TRY(th_graph_set_quant(g, n->out[i], -1, 1, q->scale, q->zero));
  return TH_OK;
}

static th_status settle_grids(th_graph *g, th_dtype type) {
  for (int i = 0; i < g->n_nodes; i++) {
    if (g->nodes[i].dead) continue;
    TH_TRY(check_node(&g->nodes[i]));
    for (int k = 0; k < g->nodes[i].n_in; k++)
      if (is_float_activation(g, g->nodes[i].in[k])) TH_TRY(need_grid(g, g->nodes[i].in[k]));
    TH_TRY(settle_node(g, type, &i));
    for (int k = 0; k < g->nodes[i].n_out; k++)
      if (is_float_activation(g, g->nodes[i].out[k])) TH_TRY(need_grid(g, g->nodes[i].out[k]));
  }
  return TH_OK;
}

/* --- converting --- */

/* A float constant operand of add, sub, mul: a grid with its own range. Of pad: the grid of the input. */
static th_status convert_operand(th_graph *g, th_dtype type, int node, int input) {
  const th_node *n = &g->nodes[node];
  const float *x = th_const_f32(g, n->in[input]);
  if (!x) return TH_OK;
  const th_tensor t = g->tensors[n->in[input]];
  int64_t elems = th_shape_elems(&t.shape);
  float lo = 0, hi = 0, scale;
  int32_t zero;
  for (int64_t i = 0; i < elems; i++) {
    lo = fminf(lo, x[i]);
    hi = fmaxf(hi, x[i]);
  }
  th_grid_of_range(type, lo, hi, &scale, &zero);
  const th_quant *given = n->op == TH_OP_PAD ? &g->tensors[n->in[0]].quant : &t.quant;
  if (given->count == 1) {
    scale = given->scale[0];
    zero = given->zero[0];
  }
  void *q = th_arena_array(g->arena, (size_t)elems, th_dtype_bytes(type));
  if (!q) return TH_ERR_RESOURCE;
  th_quantize_f32(x, elems, scale, zero, type, q);
  TH_TRY(th_node_set_const(g, node, input, type, &t.shape, q));
  return th_graph_set_quant(g, n->in[input], -1, 1, &scale, &zero);
}

static th_status convert_constants(th_graph *g, th_dtype type, const th_quantize_options *o) {
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (n->dead) continue;
    if (th_op_weight_input(n->op) == 1) {
      TH_TRY(th_quantize_layer(g, i, o));
    } else {
      for (int k = 0; k < n->n_in; k++)
        if (n->in[k] >= 0 && !(n->op == TH_OP_PAD && k == 1)) TH_TRY(convert_operand(g, type, i, k));
    }
  }
  return TH_OK;
}

/* --- the border --- */

static th_status float_input(th_graph *g, int i) {
  int q = g->inputs[i], x, id;
  th_shape shape = g->tensors[q].shape;
  const char *name = th_arena_printf(g->arena, "%s_float", g->tensors[q].name);
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_graph_add_tensor(g, name, TH_DTYPE_F32, &shape, &x));
  TH_TRY(th_graph_add_node(g, 0, TH_OP_QUANTIZE, name, &x, 1, &q, 1, &id));
  g->inputs[i] = x;
  return TH_OK;
}

static th_status float_output(th_graph *g, int i) {
  int q = g->outputs[i], y, id;
  if (g->tensors[q].dtype == TH_DTYPE_S32) return TH_OK; /* an index stays what it is */
  th_shape shape = g->tensors[q].shape;
  const char *name = th_arena_printf(g->arena, "%s_float", g->tensors[q].name);
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_graph_add_tensor(g, name, TH_DTYPE_F32, &shape, &y));
  TH_TRY(th_graph_add_node(g, g->n_nodes, TH_OP_DEQUANTIZE, name, &q, 1, &y, 1, &id));
  g->outputs[i] = y;
  return TH_OK;
}

static void switch_type(th_graph *g, th_dtype type) {
  for (int t = 0; t < g->n_tensors; t++)
    if (!g->tensors[t].dead && is_float_activation(g, t) && g->tensors[t].quant.count == 1) g->tensors[t].dtype = type;
}

th_status th_quantize(th_graph *g, const th_quantize_options *options) {
  const th_dtype type = options->activation == TH_DTYPE_S16 ? TH_DTYPE_S16 : TH_DTYPE_S8;
  for (int i = 0; i < g->n_inputs; i++) TH_TRY(need_grid(g, g->inputs[i]));
  TH_TRY(settle_grids(g, type));
  TH_TRY(convert_constants(g, type, options));
  switch_type(g, type);
  for (int i = 0; i < g->n_inputs && options->float_io; i++) TH_TRY(float_input(g, i));
  for (int i = 0; i < g->n_outputs && options->float_io; i++) TH_TRY(float_output(g, i));
  TH_TRY(th_graph_compact(g));
  return th_graph_verify(g);
}
