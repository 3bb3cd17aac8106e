/* flatten: all values of a sample in one dimension, (1, ...) to (1, n).
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  int64_t elems = th_op_elems_in(g, n, 0);
  if (elems > INT32_MAX) return th_op_fail(n, "%lld values do not fit one dimension", (long long)elems);
  th_shape s = th_shape_make(2, 1, (int32_t)elems);
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

static void forward(const th_op_run *r) {
  th_op_copy(r->out[0], r->in[0], th_op_elems_out(r->graph, r->node), r, false);
}

static void backward(const th_op_run *r) {
  if (r->d_in[0]) th_op_copy(r->d_in[0], r->d_out[0], th_op_elems_out(r->graph, r->node), r, th_op_accumulates(r, 0));
}

const th_op th_op_flatten = {.name = "flatten",
                             .attrs = th_op_no_attrs,
                             .infer = infer,
                             .forward = forward,
                             .backward = backward,
                             .cost = th_op_cost_none};
