/* log_softmax: x minus the logarithm of the sum of exp(x), over the last dimension.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  char text[TH_SHAPE_TEXT];
  const th_tensor *t = th_node_in(g, n, 0);
  if (t->shape.rank < 1 || th_op_last_dim(g, n, 0) < 1)
    return th_op_fail(n, "input %s is %s: there is no last dimension", t->name, th_shape_text(&t->shape, text));
  return th_op_same_shape_infer(g, n);
}

static void forward(const th_op_run *r) {
  int64_t n = th_op_elems_out(r->graph, r->node);
  int c = th_op_last_dim(r->graph, r->node, 0);
  const float *x = r->in[0] + r->begin * n;
  float *y = r->out[0] + r->begin * n;
  for (int64_t row = 0; row < th_op_samples(r) * n / c; row++, x += c, y += c) {
    float top = x[0], sum = 0;
    for (int i = 1; i < c; i++) top = x[i] > top ? x[i] : top;
    for (int i = 0; i < c; i++) sum += expf(x[i] - top);
    const float log_sum = logf(sum);
    for (int i = 0; i < c; i++) y[i] = x[i] - top - log_sum;
  }
}

/* dx = dy - softmax(x) * sum of dy */
static void backward(const th_op_run *r) {
  int64_t n = th_op_elems_out(r->graph, r->node);
  int c = th_op_last_dim(r->graph, r->node, 0);
  if (!r->d_in[0]) return;
  for (int64_t at = r->begin * n; at < r->end * n; at += c) {
    const float *y = r->out[0] + at, *dy = r->d_out[0] + at;
    float *dx = r->d_in[0] + at, sum = 0;
    for (int i = 0; i < c; i++) sum += dy[i];
    for (int i = 0; i < c; i++) {
      const float d = dy[i] - expf(y[i]) * sum;
      dx[i] = th_op_accumulates(r, 0) ? dx[i] + d : d;
    }
  }
}

const th_op th_op_log_softmax = {.name = "log_softmax",
                                 .attrs = th_op_no_attrs,
                                 .infer = infer,
                                 .forward = forward,
                                 .backward = backward,
                                 .cost = th_op_cost_none};
