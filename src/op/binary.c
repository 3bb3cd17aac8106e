/* What add, sub and mul share: broadcasting (dimensions aligned at the last one, 1 matches anything), fused activation.
 *
 * Per sample, each operand is a view of the output's shape in which broadcast dimensions have stride 0. A constant
 * operand is the same for all samples.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

const th_attr_id th_op_binary_attrs[] = {TH_ATTR_ACTIVATION, TH_ATTR_COUNT};

typedef struct view {
  int rank;
  int32_t dim[TH_MAX_RANK];
  int64_t step[2][TH_MAX_RANK]; /* of the operands; 0 where broadcast */
} view;

th_status th_op_binary_infer(th_graph *g, th_node *n) {
  const th_shape *a = &th_node_in(g, n, 0)->shape, *b = &th_node_in(g, n, 1)->shape;
  char text_a[TH_SHAPE_TEXT], text_b[TH_SHAPE_TEXT];
  th_shape s = {.rank = a->rank > b->rank ? a->rank : b->rank};
  TH_TRY(th_op_activation_check(n));
  for (int i = 1; i <= s.rank; i++) {
    int32_t da = i <= a->rank ? a->dim[a->rank - i] : 1, db = i <= b->rank ? b->dim[b->rank - i] : 1;
    if (da != db && da != 1 && db != 1)
      return th_op_fail(n, "inputs are %s and %s, which do not match", th_shape_text(a, text_a),
                        th_shape_text(b, text_b));
    s.dim[s.rank - i] = da == 1 ? db : da;
  }
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

static view view_of(const th_op_run *r) {
  const th_shape *out = &th_node_out(r->graph, r->node, 0)->shape;
  view v = {.rank = out->rank};
  memcpy(v.dim, out->dim, sizeof v.dim);
  for (int k = 0; k < 2; k++) {
    const th_shape *s = &th_node_in(r->graph, r->node, k)->shape;
    int64_t step = 1;
    for (int i = 1; i <= s->rank; i++) {
      int32_t d = s->dim[s->rank - i];
      v.step[k][out->rank - i] = d == 1 ? 0 : step;
      step *= d;
    }
  }
  if (!v.rank) v.rank = 1, v.dim[0] = 1;
  return v;
}

/* Offsets of the operands' `row`-th row (all dimensions but the last). */
static void row_offsets(const view *v, int64_t row, int64_t at[2]) {
  at[0] = at[1] = 0;
  for (int i = v->rank - 2; i >= 0; i--) {
    int64_t index = row % v->dim[i];
    row /= v->dim[i];
    at[0] += index * v->step[0][i];
    at[1] += index * v->step[1][i];
  }
}

static bool same_shapes(const th_op_run *r) {
  return th_op_elems_in(r->graph, r->node, 0) == th_op_elems_out(r->graph, r->node) &&
         th_op_elems_in(r->graph, r->node, 1) == th_op_elems_out(r->graph, r->node);
}

static const float *operand(const th_op_run *r, int k, int sample) {
  int64_t elems = th_op_elems_in(r->graph, r->node, k);
  return r->in[k] + (th_op_is_const(r->graph, r->node, k) ? 0 : sample * elems);
}

static float apply(th_binary f, float a, float b) {
  return f == TH_BINARY_ADD ? a + b : f == TH_BINARY_SUB ? a - b : a * b;
}

static void forward_rows(const view *v, th_binary f, const float *a, const float *b, float *y, int64_t rows) {
  int last = v->rank - 1, width = v->dim[last];
  int64_t step_a = v->step[0][last], step_b = v->step[1][last], at[2];
  for (int64_t row = 0; row < rows; row++, y += width) {
    row_offsets(v, row, at);
    if (step_a == 1 && step_b == 1)
      th_math_get()->binary(f, a + at[0], b + at[1], y, width);
    else
      for (int i = 0; i < width; i++) y[i] = apply(f, a[at[0] + i * step_a], b[at[1] + i * step_b]);
  }
}

void th_op_binary_forward(const th_op_run *r, th_binary f) {
  view v = view_of(r);
  int64_t n = th_op_elems_out(r->graph, r->node);
  for (int i = r->begin; i < r->end; i++) {
    const float *a = operand(r, 0, i), *b = operand(r, 1, i);
    float *y = r->out[0] + i * n;
    if (same_shapes(r))
      th_math_get()->binary(f, a, b, y, n);
    else
      forward_rows(&v, f, a, b, y, n / v.dim[v.rank - 1]);
    th_op_activation_apply(r->node, y, n);
  }
}

/* d_operand (one sample's, or the constant's) += dy times the other operand (mul) or a sign, summed where broadcast. */
static void add_gradient(const view *v, int k, const float *other, float sign, const float *dy, float *d,
                         int64_t rows) {
  int last = v->rank - 1, width = v->dim[last];
  int64_t step = v->step[k][last], other_step = v->step[!k][last], at[2];
  for (int64_t row = 0; row < rows; row++, dy += width) {
    row_offsets(v, row, at);
    float *to = d + at[k];
    for (int i = 0; i < width; i++) to[i * step] += dy[i] * (other ? other[at[!k] + i * other_step] : sign);
  }
}

void th_op_binary_backward(const th_op_run *r, th_binary f) {
  view v = view_of(r);
  int64_t n = th_op_elems_out(r->graph, r->node);
  for (int i = r->begin; i < r->end; i++) {
    const float *dy = th_op_activation_undo(r->node, r->out[0] + i * n, r->d_out[0] + i * n, r->scratch, n);
    for (int k = 0; k < 2; k++) {
      if (!r->d_in[k]) continue;
      bool is_const = th_op_is_const(r->graph, r->node, k);
      int64_t elems = th_op_elems_in(r->graph, r->node, k);
      float *d = r->d_in[k] + (is_const ? 0 : i * elems), sign = f == TH_BINARY_SUB && k == 1 ? -1.0f : 1.0f;
      bool add = is_const || th_op_accumulates(r, k);
      if (f != TH_BINARY_MUL && elems == n) {
        if (add)
          th_math_get()->axpy(d, sign, dy, n);
        else
          th_math_get()->scale(d, sign, dy, n);
        continue;
      }
      if (!add) memset(d, 0, sizeof(float) * (size_t)elems);
      add_gradient(&v, k, f == TH_BINARY_MUL ? operand(r, !k, i) : NULL, sign, dy, d, n / v.dim[v.rank - 1]);
    }
  }
}

size_t th_op_binary_scratch(const th_graph *g, const th_node *n, int samples) {
  return th_op_has_activation(n) ? (size_t)th_op_elems_out(g, n) : 0;
}

th_op_cost th_op_binary_cost(const th_graph *g, const th_node *n) {
  th_op_cost c = {0, 0};
  for (int k = 0; k < 2; k++)
    if (th_op_is_const(g, n, k)) c.params += th_op_elems_in(g, n, k);
  return c;
}
