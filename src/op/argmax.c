/* argmax, argmin: the index of the largest or smallest element along an axis, the first of equal ones (or the last, by
 * select_last). The output is s32, in a float graph too: a run writes integers into its buffer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_shape *in = &th_node_in(g, n, 0)->shape;
  const th_tensor *out = th_node_out(g, n, 0);
  int axis = n->attr[TH_ATTR_AXIS].i;
  th_shape s = {.rank = 0};
  if (axis < -in->rank || axis >= in->rank || in->rank < 1)
    return th_op_fail(n, "axis %d of %d dimensions", axis, in->rank);
  if (axis < 0) axis += in->rank;
  if (in->dim[axis] < 1) return th_op_fail(n, "dimension %d of the input is %d", axis, in->dim[axis]);
  if (out->dtype != TH_DTYPE_S32)
    return th_op_fail(n, "output %s is %s, an index is s32", out->name, th_dtype_name(out->dtype));
  for (int i = 0; i < in->rank; i++) {
    if (i != axis)
      s.dim[s.rank++] = in->dim[i];
    else if (n->attr[TH_ATTR_KEEP_DIMS].i)
      s.dim[s.rank++] = 1;
  }
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

/* The best of `n` elements that lie `step` apart; sign -1 looks for the smallest. */
static int32_t best_of(const float *x, int64_t step, int n, float sign, bool last) {
  int32_t best = 0;
  for (int i = 1; i < n; i++) {
    const float v = sign * x[i * step], top = sign * x[best * step];
    if (v > top || (last && v == top)) best = i;
  }
  return best;
}

static void run(const th_op_run *r, float sign) {
  const th_shape *in = &th_node_in(r->graph, r->node, 0)->shape;
  const bool last = r->node->attr[TH_ATTR_SELECT_LAST].i != 0;
  int axis = r->node->attr[TH_ATTR_AXIS].i;
  int64_t inner = 1, n_in = th_shape_elems(in), n_out = th_op_elems_out(r->graph, r->node);
  if (axis < 0) axis += in->rank;
  for (int i = axis + 1; i < in->rank; i++) inner *= in->dim[i];
  int32_t *y = (int32_t *)(void *)r->out[0];
  for (int s = r->begin; s < r->end; s++) {
    for (int64_t e = 0; e < n_out; e++) {
      const float *x = r->in[0] + s * n_in + e / inner * inner * in->dim[axis] + e % inner;
      y[s * n_out + e] = best_of(x, inner, in->dim[axis], sign, last);
    }
  }
}

static void max_forward(const th_op_run *r) {
  run(r, 1);
}
static void min_forward(const th_op_run *r) {
  run(r, -1);
}

static const th_attr_id attrs[] = {TH_ATTR_AXIS, TH_ATTR_KEEP_DIMS, TH_ATTR_SELECT_LAST, TH_ATTR_COUNT};

const th_op th_op_argmax = {.name = "argmax",
                            .attrs = attrs,
                            .infer = infer,
                            .forward = max_forward,
                            .cost = th_op_cost_none,
                            .makes_index = true};
const th_op th_op_argmin = {.name = "argmin",
                            .attrs = attrs,
                            .infer = infer,
                            .forward = min_forward,
                            .cost = th_op_cost_none,
                            .makes_index = true};
