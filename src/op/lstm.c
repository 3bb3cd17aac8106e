/* lstm: a sequence through long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates), without
 * peepholes and projection. Per time step, with the gates i, f, o and the candidate g of all units:
 *
 *   i, f, o = sigmoid(W x + R h + b)    g = act(W x + R h + b)    c = clip(f c + i g)    h = o act(c)
 *
 * h and c are inputs that forward changes, so that a sequence may come in pieces; with `restart` it may not: both begin
 * as zero. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "op/common.h"

enum { X, W = 1, R = 5, B = 9, HIDDEN = 13, CELL = 14, GATES = 4, CANDIDATE = 2 };

typedef struct sizes {
  int32_t time, in, units;
} sizes;

static sizes sizes_of(const th_graph *g, const th_node *n) {
  const th_shape *x = &th_node_in(g, n, X)->shape;
  const int32_t in = x->dim[x->rank - 1];
  return (sizes){(int32_t)(th_shape_elems(x) / in), in, (int32_t)th_op_elems_in(g, n, HIDDEN)};
}

static th_status infer(th_graph *g, th_node *n) {
  char text[TH_SHAPE_TEXT];
  for (int i = 0; i < n->n_in; i++)
    if (!th_node_in(g, n, i)) return th_op_fail(n, "input %d is absent", i);
  const th_shape *x = &th_node_in(g, n, X)->shape;
  if (x->rank != 3 || (x->dim[0] != 1 && x->dim[1] != 1))
    return th_op_fail(n, "input %s is %s, expected 1 x time x values", th_node_in(g, n, X)->name,
                      th_shape_text(x, text));
  TH_TRY(th_op_activation_check(n));
  const sizes s = sizes_of(g, n);
  for (int k = 0; k < GATES; k++) {
    const th_tensor *w = th_node_in(g, n, W + k), *r = th_node_in(g, n, R + k), *b = th_node_in(g, n, B + k);
    if (w->shape.rank != 2 || w->shape.dim[0] != s.units || w->shape.dim[1] != s.in || r->shape.rank != 2 ||
        r->shape.dim[0] != s.units || r->shape.dim[1] != s.units || th_shape_elems(&b->shape) != s.units)
      return th_op_fail(n, "weights %s, %s and bias %s do not fit %d inputs and %d units", w->name, r->name, b->name,
                        (int)s.in, (int)s.units);
  }
  if (th_op_elems_in(g, n, CELL) != s.units) return th_op_fail(n, "the two states differ in size");
  th_shape out = *x;
  out.dim[2] = s.units;
  return th_op_set_out(g, n, 0, &out);
}

static float sigmoid(float v) {
  return 1.0f / (1.0f + expf(-v));
}

/* Gate k of all units for one time step. */
static void run_gate(const th_op_run *r, int k, const float *x, const float *hidden, sizes s, float *gate) {
  for (int32_t u = 0; u < s.units; u++) {
    const float *w = r->in[W + k] + (ptrdiff_t)u * s.in, *v = r->in[R + k] + (ptrdiff_t)u * s.units;
    float sum = r->in[B + k][u];
    for (int32_t i = 0; i < s.in; i++) sum += w[i] * x[i];
    for (int32_t i = 0; i < s.units; i++) sum += v[i] * hidden[i];
    gate[u] = k == CANDIDATE ? sum : sigmoid(sum);
  }
  if (k == CANDIDATE) th_op_activation_apply(r->node, gate, s.units);
}

static void run_sample(const th_op_run *r, const float *x, float *hidden, float *cell, float *y) {
  const sizes s = sizes_of(r->graph, r->node);
  const float clip = r->node->attr[TH_ATTR_CLIP].f;
  float *gate = r->scratch;
  if (r->node->attr[TH_ATTR_RESTART].i) {
    memset(hidden, 0, sizeof *hidden * (size_t)s.units);
    memset(cell, 0, sizeof *cell * (size_t)s.units);
  }
  for (int32_t t = 0; t < s.time; t++, x += s.in, y += s.units) {
    for (int k = 0; k < GATES; k++) run_gate(r, k, x, hidden, s, gate + (ptrdiff_t)k * s.units);
    for (int32_t u = 0; u < s.units; u++) {
      const float c = gate[s.units + u] * cell[u] + gate[u] * gate[2 * s.units + u];
      hidden[u] = cell[u] = clip > 0 ? fminf(fmaxf(c, -clip), clip) : c;
    }
    th_op_activation_apply(r->node, hidden, s.units);
    for (int32_t u = 0; u < s.units; u++) y[u] = hidden[u] *= gate[3 * s.units + u];
  }
}

static void forward(const th_op_run *r) {
  const int64_t in = th_op_elems_in(r->graph, r->node, X), units = th_op_elems_in(r->graph, r->node, HIDDEN);
  const int64_t out = th_op_elems_out(r->graph, r->node);
  for (int64_t n = r->begin; n < r->end; n++)
    run_sample(r, r->in[X] + n * in, (float *)(uintptr_t)(r->in[HIDDEN] + n * units),
               (float *)(uintptr_t)(r->in[CELL] + n * units), r->out[0] + n * out);
}

static size_t scratch_elems(const th_graph *g, const th_node *n, int samples) {
  (void)samples;
  return (size_t)GATES * (size_t)th_op_elems_in(g, n, HIDDEN);
}

static th_op_cost cost(const th_graph *g, const th_node *n) {
  const sizes s = sizes_of(g, n);
  const int64_t weights = (int64_t)GATES * s.units * (s.in + s.units);
  return (th_op_cost){.macs = weights * s.time, .params = weights + (int64_t)GATES * s.units};
}

static const th_attr_id attrs[] = {TH_ATTR_ACTIVATION, TH_ATTR_CLIP, TH_ATTR_RESTART, TH_ATTR_COUNT};

const th_op th_op_lstm = {
    .name = "lstm", .attrs = attrs, .infer = infer, .forward = forward, .cost = cost, .scratch_elems = scratch_elems};
