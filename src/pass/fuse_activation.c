/* Fuses relu and relu6 into the node that computes their input, where that operator has an activation of its own.
 * In integer arithmetic a fused activation is only a tighter clamp, so it costs nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/edit.h"
#include "pass/pass.h"

static th_act activation_of(th_op_id op) {
  return op == TH_OP_RELU ? TH_ACT_RELU : op == TH_OP_RELU6 ? TH_ACT_RELU6 : TH_ACT_NONE;
}

/* The node the activation can join, or -1. */
static int host_node(const th_graph *g, int activation) {
  int x = g->nodes[activation].in[0], p = th_graph_producer(g, x);
  if (p < 0 || th_graph_only_user(g, x) != activation) return -1;
  const th_node *n = &g->nodes[p];
  if (!th_op_uses(n->op, TH_ATTR_ACTIVATION) || n->attr[TH_ATTR_ACTIVATION].i != TH_ACT_NONE) return -1;
  /* Integer tensors with different scales: the activation node rescales, the host would not. */
  if (g->tensors[x].dtype != TH_DTYPE_F32) return -1;
  return p;
}

th_status th_pass_fuse_activation(th_graph *g, const th_pass_options *o) {
  for (int i = 0; i < g->n_nodes; i++) {
    th_node *n = &g->nodes[i];
    th_act act = n->dead ? TH_ACT_NONE : activation_of(n->op);
    if (act == TH_ACT_NONE) continue;
    int p = host_node(g, i);
    if (p < 0) continue;
    int x = n->in[0];
    g->nodes[p].attr[TH_ATTR_ACTIVATION].i = act;
    g->nodes[p].out[0] = n->out[0];
    n->dead = true;
    g->tensors[x].dead = true;
  }
  return TH_OK;
}
