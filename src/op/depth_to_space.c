/* depth_to_space: each pixel of b * b * c channels becomes a block of b x b pixels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  TH_TRY(th_op_need_image(g, n, 0));
  TH_TRY(th_op_need_one(n, TH_ATTR_BLOCK));
  th_shape s = th_node_in(g, n, 0)->shape;
  const int64_t b = n->attr[TH_ATTR_BLOCK].i;
  if (s.dim[3] % (b * b))
    return th_op_fail(n, "%d channels do not divide into blocks of %d x %d", s.dim[3], (int)b, (int)b);
  s.dim[1] *= (int32_t)b; /* b * b divides the channels, so the number of elements stays */
  s.dim[2] *= (int32_t)b;
  s.dim[3] /= (int32_t)(b * b);
  return th_op_set_out(g, n, 0, &s);
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  const th_shape *in = &th_node_in(g, n, 0)->shape, *out = &th_node_out(g, n, 0)->shape;
  const int32_t b = n->attr[TH_ATTR_BLOCK].i, c = out->dim[3];
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  if (i > 0) return false;
  th_move_steps(in, from);
  th_move_steps(out, to);
  *m = (th_move){0};
  th_move_dim(m, in->dim[0], from[0], to[0]);
  th_move_dim(m, in->dim[1], from[1], b * to[1]);
  th_move_dim(m, in->dim[2], from[2], b * to[2]);
  th_move_dim(m, b, b * c, to[1]);
  th_move_dim(m, b, c, to[2]);
  th_move_dim(m, c, 1, 1);
  return true;
}

static const th_attr_id attrs[] = {TH_ATTR_BLOCK, TH_ATTR_COUNT};

const th_op th_op_depth_to_space = {.name = "depth_to_space",
                                    .attrs = attrs,
                                    .infer = infer,
                                    .forward = th_op_move_forward,
                                    .backward = th_op_move_backward,
                                    .cost = th_op_cost_none,
                                    .move = move};
