/* Element-wise operators, reductions and changes of type of .tflite files. See tflite_ops.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/tflite_schema.h"
#include "read/tflite_internal.h"

/* --- one input --- */

static th_status with_limits(tfl_reader *r, const tfl_op *o, float lo, float hi) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  n->attr[TH_ATTR_LO].f = lo;
  n->attr[TH_ATTR_HI].f = hi;
  return TH_OK;
}

/* TFLite clamps the integers of the input and copies them, whatever grid the output claims. */
th_status th_tfl_read_relu6(tfl_reader *r, const tfl_op *o) {
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  const th_tensor *x = &r->g->tensors[o->in[0]], *y = &r->g->tensors[o->out];
  if (x->quant.count == 1 && y->quant.count == 1 &&
      (x->quant.scale[0] != y->quant.scale[0] || x->quant.zero[0] != y->quant.zero[0]))
    return th_tfl_fail(r, o, "%s and %s differ in scale or zero point, which TFLite does not obey here", x->name,
                       y->name);
  return th_tfl_read_unary(r, o);
}

th_status th_tfl_read_relu_n1_to_1(tfl_reader *r, const tfl_op *o) {
  return with_limits(r, o, -1, 1);
}

th_status th_tfl_read_relu_0_to_1(tfl_reader *r, const tfl_op *o) {
  return with_limits(r, o, 0, 1);
}

th_status th_tfl_read_elu(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  n->attr[TH_ATTR_ALPHA].f = 1;
  return TH_OK;
}

th_status th_tfl_read_gelu(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  n->attr[TH_ATTR_APPROXIMATE].i = th_fb_bool(o->options, TFL_GELU_APPROXIMATE, false);
  return TH_OK;
}

th_status th_tfl_read_l2_normalization(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  if (th_fb_u8(o->options, TFL_L2_NORMALIZATION_ACTIVATION, 0) != 0)
    return th_tfl_fail(r, o, "a fused activation is not supported here");
  return th_tfl_node(r, o, o->in, 1, &n);
}

/* Indices of 64 bits are read as s32: none is larger than a dimension. */
static void narrow_output(tfl_reader *r, const tfl_op *o) {
  th_tensor *y = th_tfl_tensor(r, o->out);
  if (y->dtype == TH_DTYPE_S64) y->dtype = TH_DTYPE_S32;
}

th_status th_tfl_read_arg(tfl_reader *r, const tfl_op *o) {
  int32_t axis;
  int count;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  TH_TRY(th_tfl_numbers(r, o, 1, &axis, 1, &count));
  if (count != 1) return th_tfl_fail(r, o, "%d axes, expected one", count);
  narrow_output(r, o);
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  n->attr[TH_ATTR_AXIS].i = axis;
  return TH_OK;
}

th_status th_tfl_read_reduce(tfl_reader *r, const tfl_op *o) {
  int32_t axes[TH_MAX_RANK];
  int n_axes, rank = th_tfl_tensor(r, o->in[0])->shape.rank;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  TH_TRY(th_tfl_numbers(r, o, 1, axes, TH_MAX_RANK, &n_axes));
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  for (int i = 0; i < n_axes; ++i) {
    int axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return th_tfl_fail(r, o, "axis %d of %d dimensions", axes[i], rank);
    n->attr[TH_ATTR_AXES_MASK].i |= 1 << axis;
  }
  n->attr[TH_ATTR_KEEP_DIMS].i = th_fb_bool(o->options, TFL_REDUCER_KEEP_DIMS, false);
  return TH_OK;
}

/* --- two inputs --- */

static th_status two_inputs(tfl_reader *r, const tfl_op *o) {
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  if (th_tfl_tensor(r, o->out)->dtype != TH_DTYPE_F32) return TH_OK;
  TH_TRY(th_tfl_make_float(r, o, o->in[0]));
  return th_tfl_make_float(r, o, o->in[1]);
}

th_status th_tfl_read_elementwise(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(two_inputs(r, o));
  TH_TRY(th_tfl_node(r, o, o->in, 2, &n));
  return th_tfl_activation(r, o, TFL_ELEMENTWISE_ACTIVATION, n);
}

/* Those whose options hold no activation. */
th_status th_tfl_read_binary(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(two_inputs(r, o));
  return th_tfl_node(r, o, o->in, 2, &n);
}
