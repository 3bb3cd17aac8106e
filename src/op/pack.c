/* pack: tensors of equal shape one after the other along a new dimension, `axis` of the output.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_shape s = th_node_in(g, n, 0)->shape;
  char text[TH_SHAPE_TEXT], first[TH_SHAPE_TEXT];
  const int axis = th_op_axis(n, s.rank + 1);
  th_shape out = {.rank = s.rank + 1};
  if (axis < 0) return th_op_fail(n, "axis %d of %d dimensions", n->attr[TH_ATTR_AXIS].i, s.rank + 1);
  if (out.rank > TH_MAX_RANK)
    return th_op_fail(n, "its output would have %d dimensions, at most %d are possible", out.rank, TH_MAX_RANK);
  for (int i = 0; i < n->n_in; i++) {
    if (n->in[i] == TH_NO_TENSOR) return th_op_fail(n, "input %d is missing", i);
    const th_shape *t = &th_node_in(g, n, i)->shape;
    if (!th_shape_eq(t, &s))
      return th_op_fail(n, "input %d is %s, the first is %s", i, th_shape_text(t, text), th_shape_text(&s, first));
  }
  for (int d = 0; d < out.rank; d++) out.dim[d] = d == axis ? n->n_in : s.dim[d < axis ? d : d - 1];
  return th_op_set_out(g, n, 0, &out);
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  if (i >= n->n_in) return false;
  const th_shape *in = &th_node_in(g, n, i)->shape, *out = &th_node_out(g, n, 0)->shape;
  const int axis = th_op_axis(n, out->rank);
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  th_move_steps(in, from);
  th_move_steps(out, to);
  *m = (th_move){.in = i, .out_at = i * to[axis]};
  for (int d = 0; d < in->rank; d++) th_move_dim(m, in->dim[d], from[d], to[d < axis ? d : d + 1]);
  return true;
}

static const th_attr_id attrs[] = {TH_ATTR_AXIS, TH_ATTR_COUNT};

const th_op th_op_pack = {.name = "pack",
                          .attrs = attrs,
                          .infer = infer,
                          .forward = th_op_move_forward,
                          .backward = th_op_move_backward,
                          .cost = th_op_cost_none,
                          .move = move};
