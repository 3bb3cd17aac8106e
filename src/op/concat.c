/* concat: inputs one after the other along `axis`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static int axis_of(const th_graph *g, const th_node *n) {
  int32_t axis = n->attr[TH_ATTR_AXIS].i;
  return axis < 0 ? axis + th_node_in(g, n, 0)->shape.rank : axis;
}

static th_status infer(th_graph *g, th_node *n) {
  th_shape s = th_node_in(g, n, 0)->shape;
  char text[TH_SHAPE_TEXT], text_first[TH_SHAPE_TEXT];
  int axis = axis_of(g, n);
  if (axis < 0 || axis >= s.rank)
    return th_op_fail(n, "axis is %d, expected 0 to %d (or -1 for the last)", n->attr[TH_ATTR_AXIS].i, s.rank - 1);
  for (int i = 1; i < n->n_in; i++) {
    if (n->in[i] == TH_NO_TENSOR) return th_op_fail(n, "input %d is missing", i);
    const th_shape *t = &th_node_in(g, n, i)->shape;
    bool fits = t->rank == s.rank;
    for (int d = 0; fits && d < s.rank; d++) fits = d == axis || t->dim[d] == s.dim[d];
    if (!fits)
      return th_op_fail(n, "input %d is %s, which does not match %s outside axis %d", i, th_shape_text(t, text),
                        th_shape_text(&th_node_in(g, n, 0)->shape, text_first), axis);
    s.dim[axis] += t->dim[axis];
  }
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

/* Floats of one input that lie together: its part of one index of the dimensions before the axis. */
static int64_t block(const th_graph *g, const th_node *n, int input) {
  const th_shape *s = &th_node_in(g, n, input)->shape;
  int64_t size = 1;
  for (int d = axis_of(g, n); d < s->rank; d++) size *= s->dim[d];
  return size;
}

static bool move(const th_graph *g, const th_node *n, int i, th_move *m) {
  if (i >= n->n_in) return false;
  const int64_t part = block(g, n, i);
  int64_t whole = 0;
  *m = (th_move){.in = i};
  for (int k = 0; k < n->n_in; whole += block(g, n, k), k++)
    if (k == i) m->out_at = (int32_t)whole;
  th_move_dim(m, (int32_t)(th_op_elems_in(g, n, i) / part), (int32_t)part, (int32_t)whole);
  th_move_dim(m, (int32_t)part, 1, 1);
  return true;
}

static void forward(const th_op_run *r) {
  const th_graph *g = r->graph;
  const th_node *n = r->node;
  int64_t elems = th_op_elems_out(g, n), whole = 0;
  for (int k = 0; k < n->n_in; k++) whole += block(g, n, k);
  for (int i = r->begin; i < r->end; i++) {
    float *to = r->out[0] + i * elems;
    for (int k = 0; k < n->n_in; k++) {
      int64_t part = block(g, n, k);
      const float *from = r->in[k] + (th_op_is_const(g, n, k) ? 0 : i * th_op_elems_in(g, n, k));
      for (int64_t b = 0; b < elems / whole; b++) memcpy(to + b * whole, from + b * part, sizeof(float) * (size_t)part);
      to += part;
    }
  }
}

static void backward(const th_op_run *r) {
  const th_graph *g = r->graph;
  const th_node *n = r->node;
  int64_t elems = th_op_elems_out(g, n), whole = 0;
  for (int k = 0; k < n->n_in; k++) whole += block(g, n, k);
  for (int i = r->begin; i < r->end; i++) {
    const float *from = r->d_out[0] + i * elems;
    for (int k = 0; k < n->n_in; from += block(g, n, k), k++) {
      bool is_const = th_op_is_const(g, n, k);
      int64_t part = block(g, n, k);
      if (!r->d_in[k]) continue;
      float *to = r->d_in[k] + (is_const ? 0 : i * th_op_elems_in(g, n, k));
      for (int64_t b = 0; b < elems / whole; b++) {
        if (is_const || th_op_accumulates(r, k))
          th_math_get()->add(to + b * part, from + b * whole, part);
        else
          memcpy(to + b * part, from + b * whole, sizeof(float) * (size_t)part);
      }
    }
  }
}

static const th_attr_id attrs[] = {TH_ATTR_AXIS, TH_ATTR_COUNT};

const th_op th_op_concat = {.name = "concat",
                            .attrs = attrs,
                            .infer = infer,
                            .forward = forward,
                            .backward = backward,
                            .cost = th_op_cost_none,
                            .move = move};
