/* cast: the same numbers in the output's type; scales and zero points take no part. A run reads and writes elements of
 * the tensors' own types. Float to integer cuts off the fraction; what the integer type cannot hold becomes its nearest
 * value, and not-a-number 0 (formats leave both open). To bool: whether it is other than 0.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static bool is_possible(th_dtype t) {
  return t == TH_DTYPE_F32 || t == TH_DTYPE_S8 || t == TH_DTYPE_U8 || t == TH_DTYPE_S16 || t == TH_DTYPE_S32 ||
         t == TH_DTYPE_BOOL;
}

static th_status infer(th_graph *g, th_node *n) {
  const th_tensor *x = th_node_in(g, n, 0), *y = th_node_out(g, n, 0);
  if (!is_possible(x->dtype) || !is_possible(y->dtype))
    return th_op_fail(n, "from %s to %s is not possible", th_dtype_name(x->dtype), th_dtype_name(y->dtype));
  return th_op_same_shape_infer(g, n);
}

static double load(const void *x, th_dtype type, int64_t i) {
  switch (type) {
    case TH_DTYPE_F32:
      return (double)((const float *)x)[i];
    case TH_DTYPE_S32:
      return ((const int32_t *)x)[i];
    case TH_DTYPE_S16:
      return ((const int16_t *)x)[i];
    case TH_DTYPE_S8:
      return ((const int8_t *)x)[i];
    default:
      return ((const uint8_t *)x)[i];
  }
}

static int32_t to_integer(double v, th_dtype type) {
  const double lo = th_dtype_lo(type), hi = th_dtype_hi(type);
  return v <= lo ? (int32_t)lo : v >= hi ? (int32_t)hi : v == v ? (int32_t)v : 0;
}

static void store(void *y, th_dtype type, int64_t i, double v) {
  switch (type) {
    case TH_DTYPE_F32:
      ((float *)y)[i] = (float)v;
      break;
    case TH_DTYPE_S32:
      ((int32_t *)y)[i] = to_integer(v, type);
      break;
    case TH_DTYPE_S16:
      ((int16_t *)y)[i] = (int16_t)to_integer(v, type);
      break;
    case TH_DTYPE_S8:
      ((int8_t *)y)[i] = (int8_t)to_integer(v, type);
      break;
    case TH_DTYPE_BOOL:
      ((uint8_t *)y)[i] = v != 0;
      break;
    default:
      ((uint8_t *)y)[i] = (uint8_t)to_integer(v, type);
  }
}

static void forward(const th_op_run *r) {
  const int64_t n = th_op_elems_out(r->graph, r->node);
  const th_dtype from = th_node_in(r->graph, r->node, 0)->dtype, to = th_node_out(r->graph, r->node, 0)->dtype;
  for (int64_t i = r->begin * n; i < r->end * n; i++) store(r->out[0], to, i, load(r->in[0], from, i));
}

const th_op th_op_cast = {.name = "cast",
                          .attrs = th_op_no_attrs,
                          .infer = infer,
                          .forward = forward,
                          .cost = th_op_cost_none,
                          .typed = true};
