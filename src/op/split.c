/* split: the input cut along `axis` into one part per output, of the given sizes or evenly.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status part_sizes(const th_graph *g, const th_node *n, int32_t size, int32_t *part) {
  const int32_t *sizes = NULL;
  int64_t sum = 0;
  if (n->n_in > 1 && n->in[1] != TH_NO_TENSOR) TH_TRY(th_op_need_s32(g, n, 1, "sizes", n->n_out, &sizes));
  if (!sizes && size % n->n_out) return th_op_fail(n, "%d values do not split into %d equal parts", size, n->n_out);
  for (int i = 0; i < n->n_out; i++) {
    part[i] = sizes ? sizes[i] : size / n->n_out;
    if (part[i] < 1) return th_op_fail(n, "part %d has the size %d, must be at least 1", i, part[i]);
    sum += part[i];
  }
  return sum == size ? TH_OK : th_op_fail(n, "the parts have %lld values, the input %d", (long long)sum, size);
}

static th_status infer(th_graph *g, th_node *n) {
  th_shape s = th_node_in(g, n, 0)->shape;
  int32_t part[TH_MAX_OUTPUTS];
  const int axis = th_op_axis(n, s.rank);
  if (axis < 0) return th_op_fail(n, "axis %d of %d dimensions", n->attr[TH_ATTR_AXIS].i, s.rank);
  TH_TRY(part_sizes(g, n, s.dim[axis], part));
  for (int i = 0; i < n->n_out; i++) {
    s.dim[axis] = part[i];
    TH_TRY(th_op_set_out(g, n, i, &s));
  }
  return TH_OK;
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  if (i >= n->n_out) return false;
  const th_shape *in = &th_node_in(g, n, 0)->shape, *out = &th_node_out(g, n, i)->shape;
  const int axis = th_op_axis(n, in->rank);
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  th_move_steps(in, from);
  th_move_steps(out, to);
  *m = (th_move){.out = i};
  for (int k = 0; k < i; k++) m->in_at += th_node_out(g, n, k)->shape.dim[axis] * from[axis];
  for (int d = 0; d < in->rank; d++) th_move_dim(m, out->dim[d], from[d], to[d]);
  return true;
}

static const th_attr_id attrs[] = {TH_ATTR_AXIS, TH_ATTR_COUNT};

const th_op th_op_split = {.name = "split",
                           .attrs = attrs,
                           .infer = infer,
                           .forward = th_op_move_forward,
                           .backward = th_op_move_backward,
                           .cost = th_op_cost_none,
                           .max_out = TH_MAX_OUTPUTS,
                           .move = move};
