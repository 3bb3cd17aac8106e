/* unpack: one output for each index of `axis`, without that dimension.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_shape s = th_node_in(g, n, 0)->shape;
  const int axis = th_op_axis(n, s.rank);
  th_shape out = {.rank = s.rank - 1};
  if (axis < 0) return th_op_fail(n, "axis %d of %d dimensions", n->attr[TH_ATTR_AXIS].i, s.rank);
  if (s.dim[axis] != n->n_out)
    return th_op_fail(n, "has %d outputs, dimension %d has %d values", n->n_out, axis, s.dim[axis]);
  for (int d = 0; d < out.rank; d++) out.dim[d] = s.dim[d < axis ? d : d + 1];
  for (int i = 0; i < n->n_out; i++) TH_TRY(th_op_set_out(g, n, i, &out));
  return TH_OK;
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  if (i >= n->n_out) return false;
  const th_shape *in = &th_node_in(g, n, 0)->shape, *out = &th_node_out(g, n, i)->shape;
  const int axis = th_op_axis(n, in->rank);
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  th_move_steps(in, from);
  th_move_steps(out, to);
  *m = (th_move){.out = i, .in_at = i * from[axis]};
  for (int d = 0; d < out->rank; d++) th_move_dim(m, out->dim[d], from[d < axis ? d : d + 1], to[d]);
  return true;
}

static const th_attr_id attrs[] = {TH_ATTR_AXIS, TH_ATTR_COUNT};

const th_op th_op_unpack = {.name = "unpack",
                            .attrs = attrs,
                            .infer = infer,
                            .forward = th_op_move_forward,
                            .backward = th_op_move_backward,
                            .cost = th_op_cost_none,
                            .max_out = TH_MAX_OUTPUTS,
                            .move = move};
