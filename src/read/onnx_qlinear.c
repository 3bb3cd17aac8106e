/* QLinearConv and its like: the same rows as of float operators, run on integers whose grids come as inputs.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "read/onnx_internal.h"

static th_status run_as(onnx_reader *r, onnx_node *n, const char *name, onnx_value *const *in, int n_in, int s, int z) {
  onnx_target t = {.act = TH_ACT_NONE};
  onnx_node sub = {.proto = n->proto, .row = th_onnx_row_find(name), .index = n->index, .n_in = n_in, .n_out = 1};
  TH_TRY(th_onnx_grid(r, n, th_onnx_input(n, s), th_onnx_input(n, z), TH_DTYPE_U8, -1, &t.grid, &t.is_u8));
  if (t.grid.count != 1) return th_onnx_fail(r, n, "its result has several scales");
  memcpy(sub.in, in, sizeof *in * (size_t)n_in);
  sub.out[0] = n->out[0];
  return th_onnx_run_integer(r, &sub, &t);
}

th_status th_onnx_op_qlinear_conv(onnx_reader *r, onnx_node *n) {
  onnx_value *in[3] = {NULL, NULL, n->n_in > 8 ? n->in[8] : NULL};
  TH_TRY(th_onnx_ints_of(r, n, 0, 1, 2, -1, &in[0]));
  TH_TRY(th_onnx_ints_of(r, n, 3, 4, 5, 0, &in[1]));
  if (in[1]->kind != ONNX_CONST) return th_onnx_fail(r, n, "weights depend on the data; they must be a constant");
  if (in[0]->kind != ONNX_DATA) return th_onnx_fail(r, n, "its data are a constant");
  return run_as(r, n, "Conv", in, 3, 6, 7);
}

th_status th_onnx_op_qlinear_mat_mul(onnx_reader *r, onnx_node *n) {
  onnx_value *in[2];
  TH_TRY(th_onnx_ints_of(r, n, 0, 1, 2, -1, &in[0]));
  TH_TRY(th_onnx_ints_of(r, n, 3, 4, 5, 1, &in[1]));
  if (in[0]->kind != ONNX_DATA) return th_onnx_fail(r, n, "its data are a constant");
  return run_as(r, n, "MatMul", in, 2, 6, 7);
}

th_status th_onnx_op_qgemm(onnx_reader *r, onnx_node *n) {
  onnx_value *in[3] = {NULL, NULL, n->in[6]};
  int32_t swapped;
  float alpha;
  TH_TRY(th_onnx_attr_int(r, n, "transB", 0, &swapped));
  TH_TRY(th_onnx_attr_float(r, n, "alpha", 1, &alpha));
  if (alpha != 1) return th_onnx_fail(r, n, "alpha is %g, expected 1", (double)alpha);
  if (!th_onnx_input(n, 7)) return th_onnx_fail(r, n, "gives float numbers, which is not supported");
  TH_TRY(th_onnx_ints_of(r, n, 0, 1, 2, -1, &in[0]));
  TH_TRY(th_onnx_ints_of(r, n, 3, 4, 5, swapped ? 0 : 1, &in[1]));
  if (in[1]->kind != ONNX_CONST || in[0]->kind != ONNX_DATA)
    return th_onnx_fail(r, n, "takes data and constant weights");
  return run_as(r, n, "Gemm", in, 3, 7, 8);
}

th_status th_onnx_op_qlinear_binary(onnx_reader *r, onnx_node *n) {
  onnx_value *in[2];
  TH_TRY(th_onnx_ints_of(r, n, 0, 1, 2, -1, &in[0]));
  TH_TRY(th_onnx_ints_of(r, n, 3, 4, 5, -1, &in[1]));
  if (in[0]->grid.count > 1 || in[1]->grid.count > 1) return th_onnx_fail(r, n, "an input has several scales");
  return run_as(r, n, n->row->op == TH_OP_ADD ? "Add" : "Mul", in, 2, 6, 7);
}

th_status th_onnx_op_qlinear_unary(onnx_reader *r, onnx_node *n) {
  onnx_value *in[1];
  int32_t last;
  const th_op_id op = n->row->op;
  const char *name = op == TH_OP_SIGMOID           ? "Sigmoid"
                     : op == TH_OP_LEAKY_RELU      ? "LeakyRelu"
                     : op == TH_OP_SOFTMAX         ? "Softmax"
                     : op == TH_OP_GLOBAL_AVG_POOL ? "GlobalAveragePool"
                                                   : "AveragePool";
  TH_TRY(th_onnx_attr_int(r, n, "channels_last", 0, &last));
  if (last) return th_onnx_fail(r, n, "with channels_last is not supported");
  TH_TRY(th_onnx_ints_of(r, n, 0, 1, 2, -1, &in[0]));
  if (in[0]->kind != ONNX_DATA) return th_onnx_fail(r, n, "its data are a constant");
  return run_as(r, n, name, in, 1, 3, 4);
}

/* Y_scale, Y_zero_point, then three inputs for each part. */
th_status th_onnx_op_qlinear_concat(onnx_reader *r, onnx_node *n) {
  onnx_value *in[ONNX_MAX_IN];
  const int parts = (n->n_in - 2) / 3;
  if (parts < 1 || n->n_in != 2 + 3 * parts) return th_onnx_fail(r, n, "has %d inputs", n->n_in);
  for (int i = 0; i < parts; i++) TH_TRY(th_onnx_ints_of(r, n, 2 + 3 * i, 3 + 3 * i, 4 + 3 * i, -1, &in[i]));
  return run_as(r, n, "Concat", in, parts, 0, 1);
}
