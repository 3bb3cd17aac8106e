/* leaky_relu: x where it is positive, alpha x elsewhere.
 *
 * alpha must not be negative: the gradient is taken from the sign of the result.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  float alpha = n->attr[TH_ATTR_ALPHA].f;
  if (!(alpha >= 0)) return th_op_fail(n, "alpha is %g, must not be negative", (double)alpha);
  return th_op_same_shape_infer(g, n);
}

static void forward(const th_op_run *r) {
  th_op_unary_forward(r, TH_UNARY_LEAKY_RELU, r->node->attr[TH_ATTR_ALPHA].f);
}

static void backward(const th_op_run *r) {
  th_op_unary_backward(r, TH_UNARY_LEAKY_RELU, r->node->attr[TH_ATTR_ALPHA].f, r->out[0]);
}

static const th_attr_id attrs[] = {TH_ATTR_ALPHA, TH_ATTR_COUNT};

const th_op th_op_leaky_relu = {.name = "leaky_relu",
                                .attrs = attrs,
                                .infer = infer,
                                .forward = forward,
                                .backward = backward,
                                .cost = th_op_cost_none,
                                .in_place = true};
