/* softmax: exp(beta x) over the last dimension, divided by its sum.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  char text[TH_SHAPE_TEXT];
  const th_tensor *t = th_node_in(g, n, 0);
  if (t->shape.rank < 1 || th_op_last_dim(g, n, 0) < 1)
    return th_op_fail(n, "input %s is %s: there is no last dimension", t->name, th_shape_text(&t->shape, text));
  return th_op_same_shape_infer(g, n);
}

static void forward(const th_op_run *r) {
  int64_t n = th_op_elems_out(r->graph, r->node), at = r->begin * n;
  int c = th_op_last_dim(r->graph, r->node, 0);
  th_math_get()->softmax(r->node->attr[TH_ATTR_BETA].f, r->in[0] + at, r->out[0] + at, th_op_samples(r) * n / c, c);
}

static void backward(const th_op_run *r) {
  int64_t n = th_op_elems_out(r->graph, r->node), at = r->begin * n;
  int c = th_op_last_dim(r->graph, r->node, 0);
  if (!r->d_in[0]) return;
  th_math_get()->softmax_grad(r->node->attr[TH_ATTR_BETA].f, r->out[0] + at, r->d_out[0] + at, r->d_in[0] + at,
                              th_op_samples(r) * n / c, c, th_op_accumulates(r, 0));
}

static const th_attr_id attrs[] = {TH_ATTR_BETA, TH_ATTR_COUNT};

const th_op th_op_softmax = {.name = "softmax",
                             .attrs = attrs,
                             .infer = infer,
                             .forward = forward,
                             .backward = backward,
                             .cost = th_op_cost_none};
