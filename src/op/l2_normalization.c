/* l2_normalization: x divided by the root of the sum of its squares over the last dimension, which counts as at least
 * 1e-6 (TensorFlow Lite's rule). SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/common.h"

static const float least = 1e-6f;

static th_status infer(th_graph *g, th_node *n) {
  char text[TH_SHAPE_TEXT];
  const th_tensor *t = th_node_in(g, n, 0);
  if (t->shape.rank < 1 || th_op_last_dim(g, n, 0) < 1)
    return th_op_fail(n, "input %s is %s: there is no last dimension", t->name, th_shape_text(&t->shape, text));
  return th_op_same_shape_infer(g, n);
}

static float norm(const float *x, int n) {
  float sum = 0;
  for (int i = 0; i < n; i++) sum += x[i] * x[i];
  return sqrtf(sum);
}

static void forward(const th_op_run *r) {
  int64_t n = th_op_elems_out(r->graph, r->node);
  int c = th_op_last_dim(r->graph, r->node, 0);
  for (int64_t at = r->begin * n; at < r->end * n; at += c) {
    const float size = fmaxf(norm(r->in[0] + at, c), least);
    for (int i = 0; i < c; i++) r->out[0][at + i] = r->in[0][at + i] / size;
  }
}

/* dx = (dy - y (y . dy)) / size; where the size is held at its least value, dy / size */
static void backward(const th_op_run *r) {
  int64_t n = th_op_elems_out(r->graph, r->node);
  int c = th_op_last_dim(r->graph, r->node, 0);
  if (!r->d_in[0]) return;
  for (int64_t at = r->begin * n; at < r->end * n; at += c) {
    const float *y = r->out[0] + at, *dy = r->d_out[0] + at, size = norm(r->in[0] + at, c);
    float *dx = r->d_in[0] + at, dot = 0;
    for (int i = 0; i < c && size > least; i++) dot += y[i] * dy[i];
    for (int i = 0; i < c; i++) {
      const float d = (dy[i] - y[i] * dot) / fmaxf(size, least);
      dx[i] = th_op_accumulates(r, 0) ? dx[i] + d : d;
    }
  }
}

const th_op th_op_l2_normalization = {.name = "l2_normalization",
                                      .attrs = th_op_no_attrs,
                                      .infer = infer,
                                      .forward = forward,
                                      .backward = backward,
                                      .cost = th_op_cost_none};
