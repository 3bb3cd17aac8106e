/* strided_slice: of each dimension the values begin, begin + step, ... before end (after it when step is negative).
 *
 * Everything is resolved: 0 <= begin < size; end up to size, or down to -1 for a negative step, which then means "past
 * the first value", never "counted from the end". Dimensions are kept; a reshape removes those of size 1.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status slice_of(const th_node *n, int d, int32_t size, const int32_t *s, int32_t *count) {
  const int32_t begin = s[0], end = s[1], step = s[2];
  const bool forward = step > 0;
  if (step == 0 || begin < 0 || begin >= size || (forward ? end <= begin || end > size : end >= begin || end < -1))
    return th_op_fail(n, "slice %d:%d:%d of dimension %d is empty or leaves its %d values", begin, end, step, d, size);
  const int64_t length = forward ? (int64_t)end - begin : (int64_t)begin - end,
                stride = forward ? step : -(int64_t)step;
  *count = (int32_t)((length + stride - 1) / stride);
  return TH_OK;
}

static th_status infer(th_graph *g, th_node *n) {
  const th_shape in = th_node_in(g, n, 0)->shape;
  th_shape out = {.rank = in.rank};
  const int32_t *slices;
  TH_TRY(th_op_need_s32(g, n, 1, "slices", 3 * in.rank, &slices));
  for (int d = 0; d < in.rank; d++) TH_TRY(slice_of(n, d, in.dim[d], slices + 3 * d, &out.dim[d]));
  return th_op_set_out(g, n, 0, &out);
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  const th_shape *in = &th_node_in(g, n, 0)->shape, *out = &th_node_out(g, n, 0)->shape;
  const int32_t *slices = th_node_in(g, n, 1)->data;
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  if (i > 0) return false;
  th_move_steps(in, from);
  th_move_steps(out, to);
  *m = (th_move){0};
  for (int d = 0; d < out->rank; d++) {
    m->in_at += slices[3 * d] * from[d];
    th_move_dim(m, out->dim[d], out->dim[d] > 1 ? slices[3 * d + 2] * from[d] : 0, to[d]);
  }
  return true;
}

const th_op th_op_strided_slice = {.name = "strided_slice",
                                   .attrs = th_op_no_attrs,
                                   .infer = infer,
                                   .forward = th_op_move_forward,
                                   .backward = th_op_move_backward,
                                   .cost = th_op_cost_none,
                                   .move = move};
