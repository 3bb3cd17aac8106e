/* read_variable: the value that a variable has when a run begins, in the shape that the output tensor was given.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_tensor *x = th_node_in(g, n, 0), *y = th_node_out(g, n, 0);
  if (!x->is_variable) return th_op_fail(n, "%s is not a variable", x->name);
  if (x->dtype != y->dtype || th_shape_elems(&x->shape) != th_shape_elems(&y->shape))
    return th_op_fail(n, "variable %s and its value %s differ in type or size", x->name, y->name);
  return TH_OK;
}

static void forward(const th_op_run *r) {
  th_op_copy(r->out[0], r->in[0], th_op_elems_out(r->graph, r->node), r, false);
}

const th_op th_op_read_variable = {
    .name = "read_variable", .attrs = th_op_no_attrs, .infer = infer, .forward = forward, .cost = th_op_cost_none};
