/* space_to_depth: each block of b x b pixels becomes one pixel of b * b * c channels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  TH_TRY(th_op_need_image(g, n, 0));
  TH_TRY(th_op_need_one(n, TH_ATTR_BLOCK));
  th_shape s = th_node_in(g, n, 0)->shape;
  const int32_t b = n->attr[TH_ATTR_BLOCK].i;
  if (s.dim[1] % b || s.dim[2] % b)
    return th_op_fail(n, "an input of %d x %d does not divide into blocks of %d x %d", s.dim[1], s.dim[2], b, b);
  s.dim[1] /= b;
  s.dim[2] /= b;
  s.dim[3] *= b * b; /* the number of elements stays */
  return th_op_set_out(g, n, 0, &s);
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  const th_shape *in = &th_node_in(g, n, 0)->shape, *out = &th_node_out(g, n, 0)->shape;
  const int32_t b = n->attr[TH_ATTR_BLOCK].i, c = in->dim[3];
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  if (i > 0) return false;
  th_move_steps(in, from);
  th_move_steps(out, to);
  *m = (th_move){0};
  th_move_dim(m, in->dim[0], from[0], to[0]);
  th_move_dim(m, out->dim[1], b * from[1], to[1]);
  th_move_dim(m, out->dim[2], b * from[2], to[2]);
  th_move_dim(m, b, from[1], b * c);
  th_move_dim(m, b, from[2], c);
  th_move_dim(m, c, 1, 1);
  return true;
}

static const th_attr_id attrs[] = {TH_ATTR_BLOCK, TH_ATTR_COUNT};

const th_op th_op_space_to_depth = {.name = "space_to_depth",
                                    .attrs = attrs,
                                    .infer = infer,
                                    .forward = th_op_move_forward,
                                    .backward = th_op_move_backward,
                                    .cost = th_op_cost_none,
                                    .move = move};
