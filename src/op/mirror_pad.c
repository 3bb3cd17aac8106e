/* mirror_pad: a border that mirrors the input, with (symmetric) or without its outermost values.
 *
 * Each dimension has a part before, the middle, and a part after; every combination of them is one move.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  th_shape s = th_node_in(g, n, 0)->shape;
  const int32_t keep = n->attr[TH_ATTR_SYMMETRIC].i ? 0 : 1, *pads;
  TH_TRY(th_op_need_s32(g, n, 1, "paddings", 2 * s.rank, &pads));
  for (int d = 0; d < s.rank; d++) {
    const int32_t before = pads[2 * d], after = pads[2 * d + 1], most = s.dim[d] - keep;
    if (before < 0 || after < 0 || before > most || after > most)
      return th_op_fail(n, "padding of dimension %d is %d, %d; %d values can be mirrored", d, before, after, most);
    if (s.dim[d] > INT32_MAX / 3) return th_op_fail(n, "dimension %d has %d values", d, s.dim[d]);
    s.dim[d] += before + after;
  }
  return th_op_set_out(g, n, 0, &s);
}

static const th_attr_id attrs[] = {TH_ATTR_SYMMETRIC, TH_ATTR_COUNT};

typedef struct part { /* of one dimension: where it begins on both sides, and which way the input goes */
  int32_t size, in, out, step;
} part;

static part part_of(int which, int32_t size, int32_t before, int32_t after, int32_t keep) {
  switch (which) {
    case 1:
      return (part){before, before - 1 + keep, 0, -1};
    case 2:
      return (part){after, size - 1 - keep, before + size, -1};
    default:
      return (part){size, 0, before, 1};
  }
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  const th_shape *in = &th_node_in(g, n, 0)->shape, *out = &th_node_out(g, n, 0)->shape;
  const int32_t *pads = th_node_in(g, n, 1)->data, keep = n->attr[TH_ATTR_SYMMETRIC].i ? 0 : 1;
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  th_move_steps(in, from);
  th_move_steps(out, to);
  *m = (th_move){0};
  for (int d = 0; d < in->rank; d++, i /= 3) {
    const part p = part_of(i % 3, in->dim[d], pads[2 * d], pads[2 * d + 1], keep);
    if (p.size == 0) { /* nothing here: a move of no values */
      m->dim[m->rank++] = 0;
      continue;
    }
    m->in_at += p.in * from[d];
    m->out_at += p.out * to[d];
    th_move_dim(m, p.size, p.size > 1 ? p.step * from[d] : 0, to[d]);
  }
  return i == 0;
}

const th_op th_op_mirror_pad = {.name = "mirror_pad",
                                .attrs = attrs,
                                .infer = infer,
                                .forward = th_op_move_forward,
                                .backward = th_op_move_backward,
                                .cost = th_op_cost_none,
                                .move = move};
