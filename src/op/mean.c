/* mean: the mean over the dimensions named by axes_mask (not the batch).
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_shape *in = &th_node_in(g, n, 0)->shape;
  int32_t mask = n->attr[TH_ATTR_AXES_MASK].i;
  th_shape s = {.rank = 0};
  if (mask <= 0 || mask >> in->rank || (mask & 1))
    return th_op_fail(n, "axes_mask is %d; bits 1 to %d name dimensions of the input, bit 0 (the batch) must be 0",
                      mask, in->rank - 1);
  for (int i = 0; i < in->rank; i++) {
    if (!(mask >> i & 1))
      s.dim[s.rank++] = in->dim[i];
    else if (n->attr[TH_ATTR_KEEP_DIMS].i)
      s.dim[s.rank++] = 1;
  }
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

/* Output element of each input row (all dimensions but the last), and how it moves along the last dimension. */
static int64_t row_target(const th_shape *in, int32_t mask, int64_t row, int64_t *step) {
  int last = in->rank - 1;
  bool reduced = mask >> last & 1;
  int64_t at = 0, size = reduced ? 1 : in->dim[last];
  *step = reduced ? 0 : 1;
  for (int i = last - 1; i >= 0; i--) {
    if (!(mask >> i & 1)) {
      at += row % in->dim[i] * size;
      size *= in->dim[i];
    }
    row /= in->dim[i];
  }
  return at;
}

static void forward(const th_op_run *r) {
  const th_shape *in = &th_node_in(r->graph, r->node, 0)->shape;
  int32_t mask = r->node->attr[TH_ATTR_AXES_MASK].i, width = in->dim[in->rank - 1];
  int64_t n_in = th_shape_elems(in), n_out = th_op_elems_out(r->graph, r->node), step;
  for (int i = r->begin; i < r->end; i++) {
    float *y = r->out[0] + i * n_out;
    const float *x = r->in[0] + i * n_in;
    memset(y, 0, sizeof(float) * (size_t)n_out);
    for (int64_t row = 0; row < n_in / width; row++, x += width) {
      float *to = y + row_target(in, mask, row, &step);
      for (int k = 0; k < width; k++) to[k * step] += x[k];
    }
    th_math_get()->scale(y, (float)n_out / (float)n_in, y, n_out);
  }
}

static void backward(const th_op_run *r) {
  const th_shape *in = &th_node_in(r->graph, r->node, 0)->shape;
  int32_t mask = r->node->attr[TH_ATTR_AXES_MASK].i, width = in->dim[in->rank - 1];
  int64_t n_in = th_shape_elems(in), n_out = th_op_elems_out(r->graph, r->node), step;
  float share = (float)n_out / (float)n_in;
  if (!r->d_in[0]) return;
  for (int i = r->begin; i < r->end; i++) {
    float *dx = r->d_in[0] + i * n_in;
    for (int64_t row = 0; row < n_in / width; row++, dx += width) {
      const float *dy = r->d_out[0] + i * n_out + row_target(in, mask, row, &step);
      for (int k = 0; k < width; k++) {
        float v = dy[k * step] * share;
        dx[k] = th_op_accumulates(r, 0) ? dx[k] + v : v;
      }
    }
  }
}

static const th_attr_id attrs[] = {TH_ATTR_AXES_MASK, TH_ATTR_KEEP_DIMS, TH_ATTR_COUNT};

const th_op th_op_mean = {
    .name = "mean", .attrs = attrs, .infer = infer, .forward = forward, .backward = backward, .cost = th_op_cost_none};
