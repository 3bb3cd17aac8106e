/* Takes out nodes that hand their input on unchanged: dropout (outside training), reshape and flatten to the same
 * shape, a reshape of a reshape, padding by nothing, moves to where the values are (whole slices, concat of one),
 * quantize to the same grid, and relu after relu. Moves that change nothing but the shape become a reshape.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "pass/edit.h"
#include "pass/pass.h"

static bool same_grid(const th_tensor *a, const th_tensor *b) {
  if (a->dtype != b->dtype || a->quant.count != b->quant.count || a->quant.axis != b->quant.axis) return false;
  for (int i = 0; i < a->quant.count; i++)
    if (a->quant.scale[i] != b->quant.scale[i] || a->quant.zero[i] != b->quant.zero[i]) return false;
  return true;
}

/* Float tensors may have a grid on one side only; integers must have the same on both. */
static bool moves_grid(const th_tensor *x, const th_tensor *y) {
  return x->dtype == TH_DTYPE_F32 ? y->dtype == TH_DTYPE_F32 : same_grid(x, y);
}

static bool pads_nothing(const th_graph *g, const th_node *n) {
  const th_tensor *p = th_node_in(g, n, 1);
  if (!p->data || p->dtype != TH_DTYPE_S32) return false;
  for (int64_t i = 0; i < th_shape_elems(&p->shape); i++)
    if (((const int32_t *)p->data)[i] != 0) return false;
  return true;
}

static bool already_relu(const th_graph *g, const th_node *n) {
  int p = th_graph_producer(g, n->in[0]);
  if (p < 0 || g->tensors[n->in[0]].dtype != TH_DTYPE_F32) return false;
  const th_node *before = &g->nodes[p];
  th_act act = before->op == TH_OP_RELU    ? TH_ACT_RELU
               : before->op == TH_OP_RELU6 ? TH_ACT_RELU6
                                           : (th_act)before->attr[TH_ATTR_ACTIVATION].i;
  return act == TH_ACT_RELU6 || (act == TH_ACT_RELU && n->op == TH_OP_RELU);
}

static bool is_identity(const th_graph *g, const th_node *n) {
  const th_tensor *x = th_node_in(g, n, 0), *y = th_node_out(g, n, 0);
  switch (n->op) {
    case TH_OP_DROPOUT:
      return true;
    case TH_OP_RESHAPE:
    case TH_OP_FLATTEN:
      return th_shape_eq(&x->shape, &y->shape);
    case TH_OP_PAD:
      return pads_nothing(g, n);
    case TH_OP_RESIZE_NEAREST:
    case TH_OP_RESIZE_BILINEAR:
      return th_shape_eq(&x->shape, &y->shape);
    case TH_OP_QUANTIZE:
      return same_grid(x, y);
    case TH_OP_RELU:
    case TH_OP_RELU6:
      return already_relu(g, n);
    default:
      return th_op_moves_nothing(g, n) && th_shape_eq(&x->shape, &y->shape) && moves_grid(x, y);
  }
}

/* Moves that leave all values where they are, but give them another shape. */
static void become_reshape(const th_graph *g, th_node *n) {
  if (!th_op_moves_nothing(g, n) || !moves_grid(th_node_in(g, n, 0), th_node_out(g, n, 0))) return;
  for (int a = 0; a < TH_ATTR_COUNT; a++) n->attr[a] = th_attr_default((th_attr_id)a);
  n->op = TH_OP_RESHAPE;
  n->n_in = 1;
}

static bool is_reshape(const th_node *n) {
  return !n->dead && (n->op == TH_OP_RESHAPE || n->op == TH_OP_FLATTEN);
}

/* reshape(reshape(x)) reads x directly; the first one goes with pass dead, or here when nobody else reads it. */
static void skip_reshape(th_graph *g, th_node *n) {
  int p = th_graph_producer(g, n->in[0]);
  if (p < 0 || !is_reshape(&g->nodes[p])) return;
  n->in[0] = g->nodes[p].in[0];
  if (th_graph_uses(g, g->nodes[p].out[0]) == 0) th_graph_remove_node(g, p);
}

th_status th_pass_drop_identity(th_graph *g, const th_pass_options *o) {
  for (int i = 0; i < g->n_nodes; i++) {
    if (g->nodes[i].dead) continue;
    if (!th_shape_eq(&th_node_in(g, &g->nodes[i], 0)->shape, &th_node_out(g, &g->nodes[i], 0)->shape))
      become_reshape(g, &g->nodes[i]);
    if (is_reshape(&g->nodes[i])) skip_reshape(g, &g->nodes[i]);
    if (is_identity(g, &g->nodes[i])) th_node_bypass(g, i);
  }
  return TH_OK;
}
