/* dropout: in training, sets a random fraction `rate` to zero and scales the rest by 1 / (1 - rate); else the identity
 * (Srivastava et al. 2014, in the "inverted" form).
 *
 * Which elements stay is drawn again in the backward pass, from the same stream, so nothing is kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  float rate = n->attr[TH_ATTR_RATE].f;
  if (!(rate >= 0 && rate < 1)) return th_op_fail(n, "rate is %g, must be at least 0 and below 1", (double)rate);
  return th_op_same_shape_infer(g, n);
}

/* to = or += from, masked and scaled, for one sample. */
static void drop(const th_op_run *r, int sample, const float *from, float *to, bool accumulate) {
  int64_t n = th_op_elems_out(r->graph, r->node);
  float rate = r->node->attr[TH_ATTR_RATE].f, keep = 1.0f / (1.0f - rate);
  th_rng rng = th_rng_init(r->rng.s[0] ^ r->rng.s[3], (uint64_t)sample);
  for (int64_t i = 0; i < n; i++) {
    float v = th_rng_uniform(&rng) >= rate ? from[i] * keep : 0;
    to[i] = accumulate ? to[i] + v : v;
  }
}

static void forward(const th_op_run *r) {
  int64_t n = th_op_elems_out(r->graph, r->node);
  if (!r->training)
    th_op_copy(r->out[0], r->in[0], n, r, false);
  else
    for (int i = r->begin; i < r->end; i++) drop(r, i, r->in[0] + i * n, r->out[0] + i * n, false);
}

static void backward(const th_op_run *r) {
  int64_t n = th_op_elems_out(r->graph, r->node);
  bool accumulate = th_op_accumulates(r, 0);
  if (!r->d_in[0]) return;
  if (!r->training)
    th_op_copy(r->d_in[0], r->d_out[0], n, r, accumulate);
  else
    for (int i = r->begin; i < r->end; i++) drop(r, i, r->d_out[0] + i * n, r->d_in[0] + i * n, accumulate);
}

static const th_attr_id attrs[] = {TH_ATTR_RATE, TH_ATTR_COUNT};

const th_op th_op_dropout = {.name = "dropout",
                             .attrs = attrs,
                             .infer = infer,
                             .forward = forward,
                             .backward = backward,
                             .cost = th_op_cost_none,
                             .in_place = true};
