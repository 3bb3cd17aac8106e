/* svdf: a low-rank filter over time (Nakkiran et al. 2015). Each filter takes a dot product of the input with its
 * feature weights, remembers the last m of them in `state`, and weighs those with its time weights; `rank` filters make
 * one output.
 *
 * The state is an input that forward changes: the only one of its kind beside lstm's. SPDX-License-Identifier:
 * Apache-2.0 */
#include "op/common.h"

enum { X, FEATURE, TIME, STATE, BIAS };

static th_status infer(th_graph *g, th_node *n) {
  const th_tensor *x = th_node_in(g, n, X), *w = th_node_in(g, n, FEATURE), *t = th_node_in(g, n, TIME);
  const th_tensor *b = th_node_in(g, n, BIAS), *state = th_node_in(g, n, STATE);
  const int rank = n->attr[TH_ATTR_RANK].i;
  TH_TRY(th_op_activation_check(n));
  if (w->shape.rank != 2 || t->shape.rank != 2 || w->shape.dim[0] != t->shape.dim[0] ||
      th_shape_elems(&x->shape) != w->shape.dim[1])
    return th_op_fail(n, "weights %s and %s fit neither each other nor input %s", w->name, t->name, x->name);
  const int32_t filters = w->shape.dim[0];
  if (rank < 1 || filters % rank != 0) return th_op_fail(n, "%d filters of rank %d", (int)filters, rank);
  if (th_shape_elems(&state->shape) != (int64_t)filters * t->shape.dim[1])
    return th_op_fail(n, "state %s has %lld values, expected %d x %d", state->name,
                      (long long)th_shape_elems(&state->shape), (int)filters, (int)t->shape.dim[1]);
  if (b && th_shape_elems(&b->shape) != filters / rank)
    return th_op_fail(n, "bias %s has %lld values, expected %d", b->name, (long long)th_shape_elems(&b->shape),
                      (int)(filters / rank));
  th_shape s = th_shape_make(2, 1, filters / rank);
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

static void run_sample(const th_op_run *r, const float *x, float *state, float *y) {
  const int32_t *w_dim = th_node_in(r->graph, r->node, FEATURE)->shape.dim;
  const int32_t filters = w_dim[0], in = w_dim[1], memory = th_node_in(r->graph, r->node, TIME)->shape.dim[1];
  const int32_t rank = r->node->attr[TH_ATTR_RANK].i;
  for (int32_t f = 0; f < filters; f++, state += memory) {
    const float *w = r->in[FEATURE] + (ptrdiff_t)f * in, *t = r->in[TIME] + (ptrdiff_t)f * memory;
    float feature = 0, sum = 0;
    for (int32_t i = 0; i < in; i++) feature += w[i] * x[i];
    memmove(state, state + 1, sizeof *state * (size_t)(memory - 1));
    state[memory - 1] = feature;
    for (int32_t i = 0; i < memory; i++) sum += t[i] * state[i];
    if (f % rank == 0) y[f / rank] = r->in[BIAS] ? r->in[BIAS][f / rank] : 0;
    y[f / rank] += sum;
  }
  th_op_activation_apply(r->node, y, filters / rank);
}

static void forward(const th_op_run *r) {
  const int64_t in = th_op_elems_in(r->graph, r->node, X), state = th_op_elems_in(r->graph, r->node, STATE);
  const int64_t out = th_op_elems_out(r->graph, r->node);
  for (int64_t n = r->begin; n < r->end; n++)
    run_sample(r, r->in[X] + n * in, (float *)(uintptr_t)(r->in[STATE] + n * state), r->out[0] + n * out);
}

static th_op_cost cost(const th_graph *g, const th_node *n) {
  th_op_cost c = {.macs = th_op_elems_in(g, n, FEATURE) + th_op_elems_in(g, n, TIME)};
  c.params = c.macs + (th_node_in(g, n, BIAS) ? th_op_elems_in(g, n, BIAS) : 0);
  return c;
}

static const th_attr_id attrs[] = {TH_ATTR_RANK, TH_ATTR_ACTIVATION, TH_ATTR_COUNT};

const th_op th_op_svdf = {.name = "svdf", .attrs = attrs, .infer = infer, .forward = forward, .cost = cost};
