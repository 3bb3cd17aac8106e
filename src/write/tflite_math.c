/* Element-wise operators, reductions and changes of type as .tflite operators. See tflite_ops.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/tflite_schema.h"
#include "write/tflite_internal.h"

/* --- one input --- */

/* The two pairs of limits that files can express. */
th_status th_tfl_write_clip(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  static const tfl_out_row from_zero = {.code = 152, .version_f32 = 1, .version_s8 = 1};
  const float lo = n->attr[TH_ATTR_LO].f, hi = n->attr[TH_ATTR_HI].f;
  tfl_operator *op;
  if (lo == 0 && hi == 1) return th_tfl_begin(w, n, &from_zero, 1, &op);
  if (lo == -1 && hi == 1) return th_tfl_begin(w, n, row, 1, &op);
  return th_fail(TH_ERR_INPUT, "%s (clip): limits %g and %g cannot be written as .tflite; -1 and 1 or 0 and 1 can",
                 n->name, (double)lo, (double)hi);
}

th_status th_tfl_write_elu(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  if (n->attr[TH_ATTR_ALPHA].f != 1) return TFL_NODE_FAIL(n, "its alpha is not 1, which .tflite cannot express");
  return th_tfl_begin(w, n, row, 1, &op);
}

th_status th_tfl_write_gelu(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  if (n->attr[TH_ATTR_APPROXIMATE].i) th_tfl_option(op, th_fb_field_u8(TFL_GELU_APPROXIMATE, 1));
  return TH_OK;
}

th_status th_tfl_write_arg(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  const th_shape *x = &th_node_in(w->g, n, 0)->shape;
  const int32_t axis = n->attr[TH_ATTR_AXIS].i < 0 ? n->attr[TH_ATTR_AXIS].i + x->rank : n->attr[TH_ATTR_AXIS].i;
  int axis_at;
  tfl_operator *op;
  if (n->attr[TH_ATTR_SELECT_LAST].i) return TFL_NODE_FAIL(n, "the last of equal values is not what .tflite selects");
  if (n->attr[TH_ATTR_KEEP_DIMS].i && x->dim[axis] != 1)
    return TFL_NODE_FAIL(n, "it keeps its dimension, which .tflite cannot express");
  TH_TRY(th_tfl_put_numbers(w, &axis, th_shape_make(1, 1), &axis_at));
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  op->in[op->n_in++] = axis_at;
  th_tfl_option(op, th_fb_field_u8(TFL_ARG_OUTPUT_TYPE, (unsigned)th_tfl_type_code(TH_DTYPE_S32)));
  return TH_OK;
}

th_status th_tfl_write_cast(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  const int from = th_tfl_type_code(th_node_in(w->g, n, 0)->dtype);
  const int to = th_tfl_type_code(th_node_out(w->g, n, 0)->dtype);
  tfl_operator *op;
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  th_tfl_option(op, th_fb_field_u8(TFL_CAST_FROM, (unsigned)from));
  th_tfl_option(op, th_fb_field_u8(TFL_CAST_TO, (unsigned)to));
  return TH_OK;
}

th_status th_tfl_write_reduce(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  int mask = n->op == TH_OP_GLOBAL_AVG_POOL ? 6 : n->attr[TH_ATTR_AXES_MASK].i, axes, count = 0;
  int32_t list[TH_MAX_RANK];
  tfl_operator *op;
  for (int i = 0; i < TH_MAX_RANK; ++i)
    if (mask >> i & 1) list[count++] = i;
  if (count == 0) return TFL_NODE_FAIL(n, "has no axes");
  TH_TRY(th_tfl_put_numbers(w, list, th_shape_make(1, count), &axes));
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  op->in[op->n_in++] = axes;
  if (n->op != TH_OP_GLOBAL_AVG_POOL && n->attr[TH_ATTR_KEEP_DIMS].i)
    th_tfl_option(op, th_fb_field_u8(TFL_REDUCER_KEEP_DIMS, 1));
  return TH_OK;
}

/* --- two inputs --- */

th_status th_tfl_write_elementwise(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_begin(w, n, row, 2, &op));
  return th_tfl_put_activation(n, op, TFL_ELEMENTWISE_ACTIVATION);
}

/* Those whose options hold no activation. */
th_status th_tfl_write_binary(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  return th_tfl_begin(w, n, row, 2, &op);
}
