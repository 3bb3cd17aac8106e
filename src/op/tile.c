/* tile: the input repeated in each dimension.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  th_shape s = th_node_in(g, n, 0)->shape;
  const int32_t *times;
  TH_TRY(th_op_need_s32(g, n, 1, "repetitions", s.rank, &times));
  for (int d = 0; d < s.rank; d++) {
    if (times[d] < 1 || times[d] > INT32_MAX / s.dim[d])
      return th_op_fail(n, "%d repetitions of dimension %d, which has %d values", times[d], d, s.dim[d]);
    s.dim[d] *= times[d];
  }
  return th_op_set_out(g, n, 0, &s);
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  const th_shape *in = &th_node_in(g, n, 0)->shape, *out = &th_node_out(g, n, 0)->shape;
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  if (i > 0) return false;
  th_move_steps(in, from);
  th_move_steps(out, to);
  *m = (th_move){0};
  for (int d = 0; d < in->rank; d++) {
    th_move_dim(m, out->dim[d] / in->dim[d], 0, in->dim[d] * to[d]);
    th_move_dim(m, in->dim[d], from[d], to[d]);
  }
  return true;
}

const th_op th_op_tile = {.name = "tile",
                          .attrs = th_op_no_attrs,
                          .infer = infer,
                          .forward = th_op_move_forward,
                          .backward = th_op_move_backward,
                          .cost = th_op_cost_none,
                          .move = move};
