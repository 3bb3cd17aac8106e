/* The uint8 models of TensorFlow Lite before 2020: activations become int8 by subtracting 128 from elements and zero
 * points, which changes no result; at the graph's borders they stay uint8, behind a quantize node. Weights keep type u8
 * and their zero point, by which lowering knows the arithmetic of that time. SPDX-License-Identifier: Apache-2.0 */
#include "op/op.h"
#include "read/tflite_internal.h"

static bool is_weights(const th_graph *g, int tensor) {
  for (int i = 0; i < g->n_nodes; ++i) {
    const int w = th_op_weight_input(g->nodes[i].op);
    if (!g->nodes[i].dead && w >= 0 && w < g->nodes[i].n_in && g->nodes[i].in[w] == tensor) return true;
  }
  return false;
}

static bool is_from_or_to_int8(const th_graph *g, const th_node *n) {
  return n->op == TH_OP_QUANTIZE &&
         (th_node_in(g, n, 0)->dtype == TH_DTYPE_S8 || th_node_out(g, n, 0)->dtype == TH_DTYPE_S8);
}

/* A border between uint8 and int8, as in int8 models with uint8 outside: it is what it should be already. */
static bool is_plain_border(const th_graph *g, int tensor) {
  const int producer = th_graph_producer(g, tensor);
  if (producer < 0 ? !th_graph_is_input(g, tensor) : !is_from_or_to_int8(g, &g->nodes[producer])) return false;
  if (producer >= 0 && !th_graph_is_output(g, tensor)) return false;
  for (int i = 0; i < g->n_nodes; ++i)
    for (int k = 0; k < g->nodes[i].n_in; ++k)
      if (!g->nodes[i].dead && g->nodes[i].in[k] == tensor && !is_from_or_to_int8(g, &g->nodes[i])) return false;
  return true;
}

static th_status shift_constant(tfl_reader *r, int tensor) {
  const th_tensor *t = &r->g->tensors[tensor];
  const int64_t n = th_shape_elems(&t->shape);
  const uint8_t *from = t->data;
  int8_t *to = TH_ARRAY(r->g->arena, int8_t, n + 1);
  if (!to) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < n; ++i) to[i] = (int8_t)(from[i] - 128);
  r->g->tensors[tensor].data = to;
  return TH_OK;
}

/* A new s8 tensor takes the place of `tensor` in all nodes. */
static th_status take_over(tfl_reader *r, int tensor, int *id) {
  th_graph *g = r->g;
  const th_shape shape = g->tensors[tensor].shape;
  const th_quant q = g->tensors[tensor].quant;
  const int32_t zero = q.zero[0] - 128;
  TH_TRY(th_graph_add_tensor(g, g->tensors[tensor].name, TH_DTYPE_S8, &shape, id));
  TH_TRY(th_graph_set_quant(g, *id, -1, 1, q.scale, &zero));
  for (int i = 0; i < g->n_nodes; ++i) {
    for (int k = 0; k < g->nodes[i].n_in; ++k)
      if (g->nodes[i].in[k] == tensor) g->nodes[i].in[k] = *id;
    for (int k = 0; k < g->nodes[i].n_out; ++k)
      if (g->nodes[i].out[k] == tensor) g->nodes[i].out[k] = *id;
  }
  return TH_OK;
}

static th_status change_activation(tfl_reader *r, int tensor) {
  th_graph *g = r->g;
  const bool in = th_graph_is_input(g, tensor), out = th_graph_is_output(g, tensor);
  int inside, node;
  TH_TRY(take_over(r, tensor, &inside));
  if (in) return th_graph_add_node(g, 0, TH_OP_QUANTIZE, "from_uint8", &tensor, 1, &inside, 1, &node);
  if (out) return th_graph_add_node(g, g->n_nodes, TH_OP_QUANTIZE, "to_uint8", &inside, 1, &tensor, 1, &node);
  g->tensors[tensor].dead = true;
  return TH_OK;
}

static th_status change(tfl_reader *r, int tensor) {
  const th_tensor *t = &r->g->tensors[tensor];
  if (!t->data) return change_activation(r, tensor);
  TH_TRY(shift_constant(r, tensor));
  const int32_t zero = t->quant.zero[0] - 128;
  r->g->tensors[tensor].dtype = TH_DTYPE_S8;
  return th_graph_set_quant(r->g, tensor, -1, 1, t->quant.scale, &zero);
}

/* Where uint8 kernels of TFLite round otherwise than int8 ones. */
static th_status settle_rounding(const tfl_reader *r, th_node *n) {
  const th_tensor *x = th_node_in(r->g, n, 0);
  if (!x || x->dtype != TH_DTYPE_U8 || x->quant.count != 1) return TH_OK;
  if (n->op == TH_OP_AVG_POOL2D) n->attr[TH_ATTR_HALVES_UP].i = 1;
  if (n->op == TH_OP_L2_NORMALIZATION || n->op == TH_OP_RESIZE_BILINEAR)
    return th_fail(TH_ERR_INPUT, "%s: %s (%s): not supported for uint8; convert the model to int8", r->fb.what, n->name,
                   th_op_name(n->op));
  return TH_OK;
}

th_status th_tfl_from_uint8(tfl_reader *r) {
  const th_graph *g = r->g;
  const int n_tensors = g->n_tensors;
  for (int i = 0; i < g->n_nodes; ++i)
    if (!g->nodes[i].dead) TH_TRY(settle_rounding(r, &g->nodes[i]));
  for (int t = 0; t < n_tensors; ++t) {
    if (g->tensors[t].dead || g->tensors[t].dtype != TH_DTYPE_U8 || g->tensors[t].quant.count != 1) continue;
    if (g->tensors[t].data ? is_weights(g, t) : is_plain_border(g, t)) continue;
    TH_TRY(change(r, t));
  }
  return TH_OK;
}
