/* Element-wise functions of two tensors: a row each (docs/design/0007-tables-of-functions.md), with broadcasting
 * (dimensions aligned at the last one, 1 matches anything) and, where formats have it, a fused activation.
 *
 * Per sample, each operand is a view of the output's shape in which broadcast dimensions have stride 0. A constant
 * operand is the same for all samples.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/common.h"

typedef struct view {
  int rank;
  int32_t dim[TH_MAX_RANK];
  int64_t step[2][TH_MAX_RANK]; /* of the operands; 0 where broadcast */
} view;

/* A row of elements: operand k of element i at in[k][i * step[k]]. */
typedef struct operands {
  const float *in[2];
  int64_t step[2];
  int n;
} operands;

typedef struct function {
  void (*row)(const operands *o, float *y);
  void (*row_grad)(const operands *o, int k, const float *dy, float *d); /* adds to operand k's gradient */
  int vector;    /* th_binary of math/ for rows without broadcasting, or -1 */
  float sign[2]; /* the gradient is this times dy; 0: it depends on the operands */
} function;

/* --- shapes --- */

static th_status infer(th_graph *g, th_node *n) {
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

static th_status prelu_infer(th_graph *g, th_node *n) {
  const th_tensor *x = th_node_in(g, n, 0), *alpha = th_node_in(g, n, 1);
  char text_x[TH_SHAPE_TEXT], text_alpha[TH_SHAPE_TEXT];
  TH_TRY(infer(g, n));
  if (th_shape_eq(&th_node_out(g, n, 0)->shape, &x->shape)) return TH_OK;
  return th_op_fail(n, "alpha %s is %s, which is more than the input's %s", alpha->name,
                    th_shape_text(&alpha->shape, text_alpha), th_shape_text(&x->shape, text_x));
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

static operands row_of(const view *v, const float *const in[2], int64_t row, int64_t at[2]) {
  const int last = v->rank - 1;
  row_offsets(v, row, at);
  return (operands){{in[0] + at[0], in[1] + at[1]}, {v->step[0][last], v->step[1][last]}, v->dim[last]};
}

static bool same_shapes(const th_op_run *r) {
  return th_op_elems_in(r->graph, r->node, 0) == th_op_elems_out(r->graph, r->node) &&
         th_op_elems_in(r->graph, r->node, 1) == th_op_elems_out(r->graph, r->node);
}

/* --- walking --- */

static const float *operand(const th_op_run *r, int k, int sample) {
  int64_t elems = th_op_elems_in(r->graph, r->node, k);
  return r->in[k] + (th_op_is_const(r->graph, r->node, k) ? 0 : sample * elems);
}

static void forward_rows(const view *v, const function *f, const float *const in[2], float *y, int64_t rows) {
  int64_t at[2];
  for (int64_t row = 0; row < rows; row++) {
    const operands o = row_of(v, in, row, at);
    if (f->vector >= 0 && o.step[0] == 1 && o.step[1] == 1)
      th_math_get()->binary((th_binary)f->vector, o.in[0], o.in[1], y, o.n);
    else
      f->row(&o, y);
    y += o.n;
  }
}

static void forward(const th_op_run *r, const function *f) {
  view v = view_of(r);
  int64_t n = th_op_elems_out(r->graph, r->node);
  if (same_shapes(r)) { /* one long row */
    v = (view){.rank = 1, .dim = {(int32_t)n}, .step = {{1}, {1}}};
  }
  for (int i = r->begin; i < r->end; i++) {
    const float *const in[2] = {operand(r, 0, i), operand(r, 1, i)};
    float *y = r->out[0] + i * n;
    forward_rows(&v, f, in, y, n / v.dim[v.rank - 1]);
    th_op_activation_apply(r->node, y, n);
  }
}

/* d (one sample's operand k, or the constant) += its part of dy, summed where broadcast. */
static void add_gradient(const view *v, const function *f, int k, const float *const in[2], const float *dy, float *d,
                         int64_t rows) {
  int64_t at[2];
  for (int64_t row = 0; row < rows; row++) {
    const operands o = row_of(v, in, row, at);
    f->row_grad(&o, k, dy, d + at[k]);
    dy += o.n;
  }
}

static void backward(const th_op_run *r, const function *f) {
  view v = view_of(r);
  int64_t n = th_op_elems_out(r->graph, r->node);
  for (int i = r->begin; i < r->end; i++) {
    const float *dy = th_op_activation_undo(r->node, r->out[0] + i * n, r->d_out[0] + i * n, r->scratch, n);
    const float *const in[2] = {operand(r, 0, i), operand(r, 1, i)};
    for (int k = 0; k < 2; k++) {
      if (!r->d_in[k]) continue;
      bool is_const = th_op_is_const(r->graph, r->node, k), add = is_const || th_op_accumulates(r, k);
      int64_t elems = th_op_elems_in(r->graph, r->node, k);
      float *d = r->d_in[k] + (is_const ? 0 : i * elems);
      if (f->sign[k] != 0 && elems == n) {
        if (add)
          th_math_get()->axpy(d, f->sign[k], dy, n);
        else
          th_math_get()->scale(d, f->sign[k], dy, n);
        continue;
      }
      if (!add) memset(d, 0, sizeof(float) * (size_t)elems);
      add_gradient(&v, f, k, in, dy, d, n / v.dim[v.rank - 1]);
    }
  }
}

static size_t scratch(const th_graph *g, const th_node *n, int samples) {
  return th_op_has_activation(n) ? (size_t)th_op_elems_out(g, n) : 0;
}

static th_op_cost cost(const th_graph *g, const th_node *n) {
  th_op_cost c = {0, 0};
  for (int k = 0; k < 2; k++)
    if (th_op_is_const(g, n, k)) c.params += th_op_elems_in(g, n, k);
  return c;
}

/* --- the table --- */

static const th_attr_id activation[] = {TH_ATTR_ACTIVATION, TH_ATTR_COUNT};

/* SIGN_A, SIGN_B: slopes that are one number for all operands, else 0. */
#define ROW(NAME, ATTRS, INFER, VECTOR, SIGN_A, SIGN_B, VALUE, SLOPE_A, SLOPE_B)                   \
  static void NAME##_row(const operands *o, float *y) {                                            \
    for (int i = 0; i < o->n; i++) {                                                               \
      const float a = o->in[0][i * o->step[0]], b = o->in[1][i * o->step[1]];                      \
      y[i] = (VALUE);                                                                              \
    }                                                                                              \
  }                                                                                                \
  static void NAME##_row_grad(const operands *o, int k, const float *dy, float *d) {               \
    for (int i = 0; i < o->n; i++) {                                                               \
      const float a = o->in[0][i * o->step[0]], b = o->in[1][i * o->step[1]];                      \
      (void)a;                                                                                     \
      (void)b;                                                                                     \
      d[i * o->step[k]] += dy[i] * (k == 0 ? (SLOPE_A) : (SLOPE_B));                               \
    }                                                                                              \
  }                                                                                                \
  static const function NAME##_function = {NAME##_row, NAME##_row_grad, VECTOR, {SIGN_A, SIGN_B}}; \
  static void NAME##_forward(const th_op_run *r) {                                                 \
    forward(r, &NAME##_function);                                                                  \
  }                                                                                                \
  static void NAME##_backward(const th_op_run *r) {                                                \
    backward(r, &NAME##_function);                                                                 \
  }                                                                                                \
  const th_op th_op_##NAME = {.name = #NAME,                                                       \
                              .attrs = ATTRS,                                                      \
                              .infer = INFER,                                                      \
                              .forward = NAME##_forward,                                           \
                              .backward = NAME##_backward,                                         \
                              .cost = cost,                                                        \
                              .scratch_elems = scratch};

/* --- the rows: a and b are the operands --- */

ROW(add, activation, infer, TH_BINARY_ADD, 1, 1, a + b, 1, 1)
ROW(sub, activation, infer, TH_BINARY_SUB, 1, -1, a - b, 1, -1)
ROW(mul, activation, infer, TH_BINARY_MUL, 0, 0, (a * b), b, a)
ROW(div, activation, infer, -1, 0, 0, a / b, 1 / b, -a / (b * b))
ROW(minimum, th_op_no_attrs, infer, -1, 0, 0, a < b ? a : b, a < b ? 1 : 0, a < b ? 0 : 1)
ROW(maximum, th_op_no_attrs, infer, -1, 0, 0, a > b ? a : b, a > b ? 1 : 0, a > b ? 0 : 1)
ROW(squared_difference, th_op_no_attrs, infer, -1, 0, 0, (a - b) * (a - b), 2 * (a - b), 2 * (b - a))
ROW(pow, th_op_no_attrs, infer, -1, 0, 0, powf(a, b), (b * powf(a, b - 1)), a > 0 ? powf(a, b) * logf(a) : 0)
ROW(prelu, th_op_no_attrs, prelu_infer, -1, 0, 0, a > 0 ? a : a * b, a > 0 ? 1 : b, a > 0 ? 0 : a)
