/* mean, sum, reduce_max, reduce_min, reduce_prod: over the dimensions named by axes_mask (bit i: dimension i).
 *
 * The input is walked row by row (all dimensions but the last); each row adds to one output element, or to a row of
 * them where the last dimension stays. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_shape *in = &th_node_in(g, n, 0)->shape;
  int32_t mask = n->attr[TH_ATTR_AXES_MASK].i;
  th_shape s = {.rank = 0};
  if (mask <= 0 || mask >> in->rank)
    return th_op_fail(n, "axes_mask is %d; bits 0 to %d name dimensions of the input", mask, in->rank - 1);
  for (int i = 0; i < in->rank; i++) {
    if (in->dim[i] < 1) return th_op_fail(n, "dimension %d of the input is %d, must be at least 1", i, in->dim[i]);
    if (!(mask >> i & 1))
      s.dim[s.rank++] = in->dim[i];
    else if (n->attr[TH_ATTR_KEEP_DIMS].i)
      s.dim[s.rank++] = 1;
  }
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

/* Output element of each input row, and how it moves along the last dimension. */
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

typedef void take_row(float *to, int64_t step, const float *x, int n);

static void take_sum(float *to, int64_t step, const float *x, int n) {
  for (int k = 0; k < n; k++) to[k * step] += x[k];
}
static void take_max(float *to, int64_t step, const float *x, int n) {
  for (int k = 0; k < n; k++) to[k * step] = x[k] > to[k * step] ? x[k] : to[k * step];
}
static void take_min(float *to, int64_t step, const float *x, int n) {
  for (int k = 0; k < n; k++) to[k * step] = x[k] < to[k * step] ? x[k] : to[k * step];
}
static void take_prod(float *to, int64_t step, const float *x, int n) {
  for (int k = 0; k < n; k++) to[k * step] *= x[k];
}

static void walk(const th_op_run *r, take_row *take, float start) {
  const th_shape *in = &th_node_in(r->graph, r->node, 0)->shape;
  int32_t mask = r->node->attr[TH_ATTR_AXES_MASK].i, width = in->dim[in->rank - 1];
  int64_t n_in = th_shape_elems(in), n_out = th_op_elems_out(r->graph, r->node), step;
  for (int i = r->begin; i < r->end; i++) {
    float *y = r->out[0] + i * n_out;
    const float *x = r->in[0] + i * n_in;
    for (int64_t k = 0; k < n_out; k++) y[k] = start;
    for (int64_t row = 0; row < n_in / width; row++, x += width) {
      float *to = y + row_target(in, mask, row, &step);
      take(to, step, x, width);
    }
  }
}

/* --- mean and sum --- */

static float share_of(const th_op_run *r) {
  return (float)th_op_elems_out(r->graph, r->node) / (float)th_op_elems_in(r->graph, r->node, 0);
}

static void sum_forward(const th_op_run *r) {
  walk(r, take_sum, 0);
}

static void mean_forward(const th_op_run *r) {
  const int64_t n = th_op_elems_out(r->graph, r->node);
  sum_forward(r);
  th_math_get()->scale(r->out[0] + r->begin * n, share_of(r), r->out[0] + r->begin * n, th_op_samples(r) * n);
}

static void spread(const th_op_run *r, float share) {
  const th_shape *in = &th_node_in(r->graph, r->node, 0)->shape;
  int32_t mask = r->node->attr[TH_ATTR_AXES_MASK].i, width = in->dim[in->rank - 1];
  int64_t n_in = th_shape_elems(in), n_out = th_op_elems_out(r->graph, r->node), step;
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

static void sum_backward(const th_op_run *r) {
  spread(r, 1);
}
static void mean_backward(const th_op_run *r) {
  spread(r, share_of(r));
}

/* --- extremes and product --- */

static void max_forward(const th_op_run *r) {
  walk(r, take_max, -INFINITY);
}
static void min_forward(const th_op_run *r) {
  walk(r, take_min, INFINITY);
}
static void prod_forward(const th_op_run *r) {
  walk(r, take_prod, 1);
}

/* The gradient goes to the first element that equals the result; scratch tells which results have found theirs. */
static void extreme_backward(const th_op_run *r) {
  const th_shape *in = &th_node_in(r->graph, r->node, 0)->shape;
  int32_t mask = r->node->attr[TH_ATTR_AXES_MASK].i, width = in->dim[in->rank - 1];
  int64_t n_in = th_shape_elems(in), n_out = th_op_elems_out(r->graph, r->node), step;
  if (!r->d_in[0]) return;
  for (int i = r->begin; i < r->end; i++) {
    const float *x = r->in[0] + i * n_in;
    float *dx = r->d_in[0] + i * n_in;
    memset(r->scratch, 0, sizeof(float) * (size_t)n_out);
    for (int64_t row = 0; row < n_in / width; row++, x += width, dx += width) {
      const int64_t at = row_target(in, mask, row, &step), to = i * n_out + at;
      for (int k = 0; k < width; k++) {
        float *found = &r->scratch[at + k * step];
        const bool takes = *found == 0 && x[k] == r->out[0][to + k * step];
        const float v = takes ? r->d_out[0][to + k * step] : 0;
        if (takes) *found = 1;
        dx[k] = th_op_accumulates(r, 0) ? dx[k] + v : v;
      }
    }
  }
}

static size_t extreme_scratch(const th_graph *g, const th_node *n, int samples) {
  return (size_t)th_op_elems_out(g, n);
}

/* --- the operators --- */

static const th_attr_id attrs[] = {TH_ATTR_AXES_MASK, TH_ATTR_KEEP_DIMS, TH_ATTR_COUNT};

#define REDUCTION(NAME, FORWARD, BACKWARD, SCRATCH)    \
  const th_op th_op_##NAME = {.name = #NAME,           \
                              .attrs = attrs,          \
                              .infer = infer,          \
                              .forward = FORWARD,      \
                              .backward = BACKWARD,    \
                              .cost = th_op_cost_none, \
                              .scratch_elems = SCRATCH};
REDUCTION(mean, mean_forward, mean_backward, NULL)
REDUCTION(sum, sum_forward, sum_backward, NULL)
REDUCTION(reduce_max, max_forward, extreme_backward, extreme_scratch)
REDUCTION(reduce_min, min_forward, extreme_backward, extreme_scratch)
REDUCTION(reduce_prod, prod_forward, NULL, NULL)
