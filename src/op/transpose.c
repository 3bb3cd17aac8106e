/* transpose: dimension i of the output is dimension perm[i] of the input.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_shape in = th_node_in(g, n, 0)->shape;
  th_shape out = {.rank = in.rank};
  const int32_t *perm;
  unsigned seen = 0;
  TH_TRY(th_op_need_s32(g, n, 1, "the permutation's entries", in.rank, &perm));
  for (int i = 0; i < in.rank; i++) {
    if (perm[i] < 0 || perm[i] >= in.rank || (seen >> perm[i] & 1))
      return th_op_fail(n, "entry %d of the permutation is %d; each of 0 to %d must appear once", i, perm[i],
                        in.rank - 1);
    seen |= 1u << perm[i];
    out.dim[i] = in.dim[perm[i]];
  }
  return th_op_set_out(g, n, 0, &out);
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  const th_shape *in = &th_node_in(g, n, 0)->shape, *out = &th_node_out(g, n, 0)->shape;
  const int32_t *perm = th_node_in(g, n, 1)->data;
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  if (i > 0) return false;
  th_move_steps(in, from);
  th_move_steps(out, to);
  *m = (th_move){0};
  for (int d = 0; d < out->rank; d++) th_move_dim(m, out->dim[d], from[perm[d]], to[d]);
  return true;
}

const th_op th_op_transpose = {.name = "transpose",
                               .attrs = th_op_no_attrs,
                               .infer = infer,
                               .forward = th_op_move_forward,
                               .backward = th_op_move_backward,
                               .cost = th_op_cost_none,
                               .move = move};
