/* Elementwise functions of constants, with NumPy's broadcasting, in double.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <onnx.pb-c.h>

#include "base/str.h"
#include "read/onnx_internal.h"

typedef struct function {
  const char *name;
  double (*one)(double);
  double (*two)(double, double);
} function;

static double f_neg(double a) {
  return -a;
}
static double f_reciprocal(double a) {
  return 1 / a;
}
static double f_relu(double a) {
  return a > 0 ? a : 0;
}
static double f_sigmoid(double a) {
  return 1 / (1 + exp(-a));
}
static double f_not(double a) {
  return a == 0;
}
static double f_sign(double a) {
  return (a > 0) - (a < 0);
}
static double f_add(double a, double b) {
  return a + b;
}
static double f_sub(double a, double b) {
  return a - b;
}
static double f_mul(double a, double b) {
  return a * b;
}
static double f_div(double a, double b) {
  return a / b;
}
static double f_min(double a, double b) {
  return a < b ? a : b;
}
static double f_max(double a, double b) {
  return a > b ? a : b;
}
static double f_equal(double a, double b) {
  return a == b;
}
static double f_less(double a, double b) {
  return a < b;
}
static double f_greater(double a, double b) {
  return a > b;
}

static const function functions[] = {
    {"Neg", f_neg, NULL},   {"Abs", fabs, NULL},      {"Sqrt", sqrt, NULL},   {"Reciprocal", f_reciprocal, NULL},
    {"Exp", exp, NULL},     {"Log", log, NULL},       {"Floor", floor, NULL}, {"Ceil", ceil, NULL},
    {"Relu", f_relu, NULL}, {"Tanh", tanh, NULL},     {"Not", f_not, NULL},   {"Sigmoid", f_sigmoid, NULL},
    {"Sign", f_sign, NULL}, {"Add", NULL, f_add},     {"Sub", NULL, f_sub},   {"Mul", NULL, f_mul},
    {"Div", NULL, f_div},   {"Pow", NULL, pow},       {"Min", NULL, f_min},   {"Max", NULL, f_max},
    {"Mod", NULL, fmod},    {"Equal", NULL, f_equal}, {"Less", NULL, f_less}, {"Greater", NULL, f_greater},
};

static const function *function_of(const char *name) {
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
    if (th_str_eq(functions[i].name, name)) return &functions[i];
  return NULL;
}

static bool gives_bool(const char *name) {
  return th_str_eq(name, "Equal") || th_str_eq(name, "Less") || th_str_eq(name, "Greater") || th_str_eq(name, "Not");
}

/* NumPy's broadcasting; steps of each operand over the result. */
th_status th_onnx_broadcast(onnx_reader *r, const onnx_node *n, th_shape *out, int64_t step[][TH_MAX_RANK]) {
  out->rank = 0;
  for (int k = 0; k < n->n_in; k++)
    if (n->in[k]->shape.rank > out->rank) out->rank = n->in[k]->shape.rank;
  for (int d = 0; d < out->rank; d++) out->dim[d] = 1;
  for (int k = 0; k < n->n_in; k++) {
    const th_shape *s = &n->in[k]->shape;
    int64_t size = 1;
    for (int d = out->rank - 1; d >= 0; d--) {
      const int at = d - (out->rank - s->rank);
      const int32_t dim = at < 0 ? 1 : s->dim[at];
      if (dim != 1 && out->dim[d] != 1 && dim != out->dim[d])
        return th_onnx_fail(r, n, "the shapes of its constants do not match");
      if (dim != 1) out->dim[d] = dim;
      step[k][d] = dim == 1 ? 0 : size;
      size *= dim;
    }
  }
  return TH_OK;
}

int64_t th_onnx_offset(const th_shape *shape, const int64_t *step, int64_t i) {
  int64_t at = 0;
  for (int d = shape->rank - 1; d >= 0; d--) {
    at += i % shape->dim[d] * step[d];
    i /= shape->dim[d];
  }
  return at;
}

static double clean(const function *f, bool whole, double a, double b) {
  const double v = f->two(a, b);
  return whole ? trunc(v) : v;
}

static th_status compute(onnx_reader *r, onnx_node *n, const function *f) {
  int64_t step[ONNX_MAX_IN][TH_MAX_RANK];
  th_shape shape;
  void *data;
  const th_dtype dtype = n->in[0]->dtype;
  TH_TRY(th_onnx_broadcast(r, n, &shape, step));
  TH_TRY(th_onnx_result(r, n, gives_bool(f->name) ? TH_DTYPE_BOOL : dtype, &shape, &data));
  const int64_t elems = th_shape_elems(&shape);
  for (int64_t i = 0; i < elems; i++) {
    double v = th_onnx_const_at(n->in[0], th_onnx_offset(&shape, step[0], i));
    if (f->one) v = f->one(v);
    for (int k = 1; k < n->n_in; k++)
      v = clean(f, dtype != TH_DTYPE_F32, v, th_onnx_const_at(n->in[k], th_onnx_offset(&shape, step[k], i)));
    th_onnx_store(gives_bool(f->name) ? TH_DTYPE_BOOL : dtype, data, i, v);
  }
  return TH_OK;
}

th_status th_onnx_fold_elementwise(onnx_reader *r, onnx_node *n, bool *folded) {
  const function *f = n->n_in > 0 ? function_of(n->proto->op_type) : NULL;
  *folded = f && (f->one ? n->n_in == 1 : n->n_in >= 2);
  return *folded ? compute(r, n, f) : TH_OK;
}
