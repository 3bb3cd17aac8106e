/* global_avg_pool: the mean of each channel, (1, y, x, c) to (1, c).
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  TH_TRY(th_op_need_image(g, n, 0));
  th_shape s = th_shape_make(2, 1, th_op_last_dim(g, n, 0));
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

static void forward(const th_op_run *r) {
  const th_math *m = th_math_get();
  int c = (int)th_op_elems_out(r->graph, r->node);
  int64_t in_elems = th_op_elems_in(r->graph, r->node, 0), pixels = in_elems / c;
  for (int i = r->begin; i < r->end; i++) {
    float *y = r->out[0] + (ptrdiff_t)i * c;
    memset(y, 0, sizeof(float) * (size_t)c);
    m->column_sums(r->in[0] + i * in_elems, pixels, c, y);
    m->scale(y, 1.0f / (float)pixels, y, c);
  }
}

static void backward(const th_op_run *r) {
  const th_math *m = th_math_get();
  int c = (int)th_op_elems_out(r->graph, r->node);
  int64_t in_elems = th_op_elems_in(r->graph, r->node, 0), pixels = in_elems / c;
  float share = 1.0f / (float)pixels;
  if (!r->d_in[0]) return;
  for (int i = r->begin; i < r->end; i++) {
    const float *dy = r->d_out[0] + (ptrdiff_t)i * c;
    float *dx = r->d_in[0] + i * in_elems;
    for (int64_t p = 0; p < pixels; p++, dx += c) {
      if (th_op_accumulates(r, 0))
        m->axpy(dx, share, dy, c);
      else
        m->scale(dx, share, dy, c);
    }
  }
}

const th_op th_op_global_avg_pool = {.name = "global_avg_pool",
                                     .attrs = th_op_no_attrs,
                                     .infer = infer,
                                     .forward = forward,
                                     .backward = backward,
                                     .cost = th_op_cost_none};
