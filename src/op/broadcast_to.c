/* broadcast_to: dimensions of size 1 repeated, and new ones put in front, until the input has the given shape.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_shape in = th_node_in(g, n, 0)->shape;
  const int64_t rank = th_shape_elems(&th_node_in(g, n, 1)->shape);
  char text[TH_SHAPE_TEXT], wanted[TH_SHAPE_TEXT];
  const int32_t *size;
  if (rank < in.rank || rank > TH_MAX_RANK)
    return th_op_fail(n, "its target has %lld dimensions, expected %d to %d", (long long)rank, in.rank, TH_MAX_RANK);
  TH_TRY(th_op_need_s32(g, n, 1, "sizes", (int)rank, &size));
  th_shape out = {.rank = (int)rank};
  memcpy(out.dim, size, sizeof *size * (size_t)rank);
  for (int d = 0; d < in.rank; d++)
    if (in.dim[d] != 1 && in.dim[d] != out.dim[out.rank - in.rank + d])
      return th_op_fail(n, "input %s cannot be repeated to %s", th_shape_text(&in, text), th_shape_text(&out, wanted));
  return th_op_set_out(g, n, 0, &out);
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  const th_shape *in = &th_node_in(g, n, 0)->shape, *out = &th_node_out(g, n, 0)->shape;
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  if (i > 0) return false;
  th_move_steps(in, from);
  th_move_steps(out, to);
  *m = (th_move){0};
  for (int d = 0; d < out->rank; d++) {
    const int k = d - (out->rank - in->rank);
    th_move_dim(m, out->dim[d], k < 0 || in->dim[k] == 1 ? 0 : from[k], to[d]);
  }
  return true;
}

const th_op th_op_broadcast_to = {.name = "broadcast_to",
                                  .attrs = th_op_no_attrs,
                                  .infer = infer,
                                  .forward = th_op_move_forward,
                                  .backward = th_op_move_backward,
                                  .cost = th_op_cost_none,
                                  .move = move};
