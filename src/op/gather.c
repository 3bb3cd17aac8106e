/* gather: the slices of the input along `axis` that constant indices name; their shape takes the axis' place.
 *
 * Each index is one move; runs of evenly spaced indices are found by whoever makes steps of the moves.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_shape s = th_node_in(g, n, 0)->shape, which = th_node_in(g, n, 1)->shape;
  const int axis = th_op_axis(n, s.rank);
  const int32_t *index;
  const int64_t count = th_shape_elems(&which);
  th_shape out = {.rank = 0};
  if (axis < 0) return th_op_fail(n, "axis %d of %d dimensions", n->attr[TH_ATTR_AXIS].i, s.rank);
  if (count < 1 || count > 1 << 20) return th_op_fail(n, "has %lld indices, expected 1 to 1048576", (long long)count);
  TH_TRY(th_op_need_s32(g, n, 1, "indices", (int)count, &index));
  for (int64_t i = 0; i < count; i++)
    if (index[i] < 0 || index[i] >= s.dim[axis])
      return th_op_fail(n, "index %d of dimension %d, which has %d values", index[i], axis, s.dim[axis]);
  if (s.rank - 1 + which.rank > TH_MAX_RANK)
    return th_op_fail(n, "its output would have %d dimensions, at most %d are possible", s.rank - 1 + which.rank,
                      TH_MAX_RANK);
  for (int d = 0; d < axis; d++) out.dim[out.rank++] = s.dim[d];
  for (int d = 0; d < which.rank; d++) out.dim[out.rank++] = which.dim[d];
  for (int d = axis + 1; d < s.rank; d++) out.dim[out.rank++] = s.dim[d];
  return th_op_set_out(g, n, 0, &out);
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  const th_tensor *x = th_node_in(g, n, 0), *which = th_node_in(g, n, 1);
  const int64_t count = th_shape_elems(&which->shape);
  const int axis = th_op_axis(n, x->shape.rank);
  int32_t from[TH_MAX_RANK], outer = 1;
  if (i >= count) return false;
  th_move_steps(&x->shape, from);
  for (int d = 0; d < axis; d++) outer *= x->shape.dim[d];
  const int32_t block = from[axis];
  *m = (th_move){.in_at = ((const int32_t *)which->data)[i] * block, .out_at = i * block};
  th_move_dim(m, outer, x->shape.dim[axis] * block, (int32_t)count * block);
  th_move_dim(m, block, 1, 1);
  return true;
}

static const th_attr_id attrs[] = {TH_ATTR_AXIS, TH_ATTR_COUNT};

const th_op th_op_gather = {.name = "gather",
                            .attrs = attrs,
                            .infer = infer,
                            .forward = th_op_move_forward,
                            .backward = th_op_move_backward,
                            .cost = th_op_cost_none,
                            .move = move};
