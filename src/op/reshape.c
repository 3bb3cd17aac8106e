/* reshape: the same values in the shape that the output tensor was given.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_shape *in = &th_node_in(g, n, 0)->shape, *out = &th_node_out(g, n, 0)->shape;
  char text[TH_SHAPE_TEXT], text_out[TH_SHAPE_TEXT];
  if (th_shape_elems(in) != th_shape_elems(out))
    return th_op_fail(n, "%s has %lld values, its new shape %s has %lld", th_shape_text(in, text),
                      (long long)th_shape_elems(in), th_shape_text(out, text_out), (long long)th_shape_elems(out));
  return TH_OK;
}

static void forward(const th_op_run *r) {
  th_op_copy(r->out[0], r->in[0], th_op_elems_out(r->graph, r->node), r, false);
}

static void backward(const th_op_run *r) {
  if (r->d_in[0]) th_op_copy(r->d_in[0], r->d_out[0], th_op_elems_out(r->graph, r->node), r, th_op_accumulates(r, 0));
}

const th_op th_op_reshape = {.name = "reshape",
                             .attrs = th_op_no_attrs,
                             .infer = infer,
                             .forward = forward,
                             .backward = backward,
                             .cost = th_op_cost_none};
