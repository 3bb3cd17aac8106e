/* One function per kind of .tflite operator: options -> attributes, inputs -> node. The table is tflite_ops.def;
 * functions for element-wise operators and reductions are in tflite_math.c, those that move values in tflite_move.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/half.h"
#include "format/tflite_schema.h"
#include "op/op.h"
#include "read/tflite_internal.h"

th_tensor *th_tfl_tensor(tfl_reader *r, int id) {
  return th_graph_tensor(r->g, id);
}

th_status th_tfl_node(tfl_reader *r, const tfl_op *o, const int *in, int n_in, th_node **node) {
  int id;
  const char *name = th_arena_printf(r->scratch, "%s_%d", th_op_name(o->op), o->index);
  if (!name) return TH_ERR_RESOURCE;
  const int *out = o->n_out > 1 ? o->outs : &o->out, n_out = o->n_out > 1 ? o->n_out : 1;
  for (int i = 0; i < n_out; ++i)
    if (th_graph_producer(r->g, out[i]) >= 0)
      return th_tfl_fail(r, o, "its output %s is made by another operator too", th_tfl_tensor(r, out[i])->name);
  TH_TRY(th_graph_add_node(r->g, r->g->n_nodes, o->op, name, in, n_in, out, n_out, &id));
  *node = &r->g->nodes[id];
  return TH_OK;
}

th_status th_tfl_need_inputs(const tfl_reader *r, const tfl_op *o, int lo, int hi) {
  if (o->n_in < lo || o->n_in > hi) return th_tfl_fail(r, o, "has %d inputs, expected %d to %d", o->n_in, lo, hi);
  for (int i = 0; i < lo; ++i)
    if (o->in[i] < 0) return th_tfl_fail(r, o, "input %d is absent", i);
  return TH_OK;
}

th_status th_tfl_need_rank(tfl_reader *r, const tfl_op *o, int input, int rank) {
  const th_tensor *t = th_tfl_tensor(r, o->in[input]);
  char text[TH_SHAPE_TEXT];
  if (t->shape.rank == rank) return TH_OK;
  return th_tfl_fail(r, o, "input %s is %s, expected %d dimensions", t->name, th_shape_text(&t->shape, text), rank);
}

th_status th_tfl_activation(tfl_reader *r, const tfl_op *o, int field, th_node *n) {
  int code = th_fb_u8(o->options, field, 0);
  switch (code) {
#define X(number, suffix)                            \
  case number:                                       \
    n->attr[TH_ATTR_ACTIVATION].i = TH_ACT_##suffix; \
    return TH_OK;
    TFL_ACTIVATIONS(X)
#undef X
    default:
      return th_tfl_fail(r, o, "fused activation %d is not supported", code);
  }
}

/* --- constants --- */

static float constant_at(const th_tensor *t, int64_t i, int64_t inner) {
  if (t->dtype == TH_DTYPE_F16) {
    uint16_t h;
    memcpy(&h, (const uint8_t *)t->data + 2 * i, sizeof h);
    return th_half_to_float(h);
  }
  int64_t channel = t->quant.count > 1 ? i / inner % t->quant.count : 0;
  int32_t q = t->dtype == TH_DTYPE_U8 ? ((const uint8_t *)t->data)[i] : ((const int8_t *)t->data)[i];
  return t->quant.scale[channel] * (float)(q - t->quant.zero[channel]);
}

static th_status widen(tfl_reader *r, const tfl_op *o, int from, int to) {
  const th_tensor *t = th_tfl_tensor(r, from);
  bool bytes = t->dtype == TH_DTYPE_S8 || t->dtype == TH_DTYPE_U8 || t->dtype == TH_DTYPE_S4;
  if (t->dtype != TH_DTYPE_F16 && !(bytes && t->quant.count > 0))
    return th_tfl_fail(r, o, "constant %s of type %s cannot be turned into float", t->name, th_dtype_name(t->dtype));
  int64_t elems = th_shape_elems(&t->shape), inner = 1;
  for (int d = t->quant.axis + 1; t->quant.count > 1 && d < t->shape.rank; ++d) inner *= t->shape.dim[d];
  th_arena_pos pos = th_arena_mark(r->scratch);
  float *data = TH_ARRAY(r->scratch, float, elems);
  if (!data) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; ++i) data[i] = constant_at(t, i, inner);
  th_status status = th_graph_set_data(r->g, to, TH_DTYPE_F32, &t->shape, data);
  th_arena_release(r->scratch, pos);
  th_tfl_tensor(r, to)->quant = (th_quant){.axis = -1};
  return status;
}

th_status th_tfl_make_float(tfl_reader *r, const tfl_op *o, int tensor) {
  const th_tensor *t = th_tfl_tensor(r, tensor);
  if (!t || !t->data || t->dtype == TH_DTYPE_F32) return TH_OK;
  return widen(r, o, tensor, tensor);
}

th_status th_tfl_settle_weights(tfl_reader *r, const tfl_op *o) {
  const th_tensor *w = th_tfl_tensor(r, o->in[1]), *x = th_tfl_tensor(r, o->in[0]);
  if (!w->data) return th_tfl_fail(r, o, "weights %s are not a constant", w->name);
  if (o->n_in > 2 && o->in[2] >= 0 && !th_tfl_tensor(r, o->in[2])->data)
    return th_tfl_fail(r, o, "bias %s is not a constant", th_tfl_tensor(r, o->in[2])->name);
  if (x->dtype != TH_DTYPE_F32) return TH_OK;
  TH_TRY(th_tfl_make_float(r, o, o->in[1]));
  return o->n_in > 2 ? th_tfl_make_float(r, o, o->in[2]) : TH_OK;
}

th_status th_tfl_numbers(tfl_reader *r, const tfl_op *o, int input, int32_t *values, int limit, int *count) {
  const th_tensor *t = th_tfl_tensor(r, o->in[input]);
  if (!t->data || (t->dtype != TH_DTYPE_S32 && t->dtype != TH_DTYPE_S64))
    return th_tfl_fail(r, o, "input %s must be a constant of whole numbers", t->name);
  int64_t n = th_shape_elems(&t->shape);
  if (n > limit)
    return th_tfl_fail(r, o, "input %s has %lld values, at most %d are possible", t->name, (long long)n, limit);
  *count = (int)n;
  for (int i = 0; i < *count; ++i) {
    int64_t v = t->dtype == TH_DTYPE_S32 ? ((const int32_t *)t->data)[i] : ((const int64_t *)t->data)[i];
    if (v < -1000000 || v > 1000000)
      return th_tfl_fail(r, o, "input %s holds %lld, which is out of range", t->name, (long long)v);
    values[i] = (int32_t)v;
  }
  return TH_OK;
}

/* --- windows --- */

static th_status one_side(tfl_reader *r, const tfl_op *o, th_node *n, const int32_t size, const th_attr_id ids[5]) {
  int32_t kernel = n->attr[ids[0]].i, stride = n->attr[ids[1]].i, dilation = n->attr[ids[2]].i;
  if (kernel < 1 || stride < 1 || dilation < 1 || kernel > 65536 || stride > 65536 || dilation > 65536)
    return th_tfl_fail(r, o, "window %d, stride %d, dilation %d: each must be 1 to 65536", kernel, stride, dilation);
  int padding = th_fb_u8(o->options, TFL_WINDOW_PADDING, TFL_PADDING_SAME);
  if (padding != TFL_PADDING_SAME && padding != TFL_PADDING_VALID)
    return th_tfl_fail(r, o, "padding %d is unknown", padding);
  if (padding == TFL_PADDING_SAME)
    th_op_same_padding(size, kernel, stride, dilation, &n->attr[ids[3]].i, &n->attr[ids[4]].i);
  return TH_OK;
}

/* Stride and padding, with kernel and dilation already set. */
static th_status set_window(tfl_reader *r, const tfl_op *o, th_node *n) {
  static const th_attr_id y[5] = {TH_ATTR_KERNEL_Y, TH_ATTR_STRIDE_Y, TH_ATTR_DILATION_Y, TH_ATTR_PAD_TOP,
                                  TH_ATTR_PAD_BOTTOM};
  static const th_attr_id x[5] = {TH_ATTR_KERNEL_X, TH_ATTR_STRIDE_X, TH_ATTR_DILATION_X, TH_ATTR_PAD_LEFT,
                                  TH_ATTR_PAD_RIGHT};
  const th_shape *in = &th_tfl_tensor(r, o->in[0])->shape;
  n->attr[TH_ATTR_STRIDE_Y].i = th_fb_s32(o->options, TFL_WINDOW_STRIDE_Y, 0);
  n->attr[TH_ATTR_STRIDE_X].i = th_fb_s32(o->options, TFL_WINDOW_STRIDE_X, 0);
  TH_TRY(one_side(r, o, n, in->dim[1], y));
  return one_side(r, o, n, in->dim[2], x);
}

th_status th_tfl_read_conv(tfl_reader *r, const tfl_op *o) {
  bool depthwise = o->op == TH_OP_DEPTHWISE_CONV2D;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 3));
  TH_TRY(th_tfl_need_rank(r, o, 0, 4));
  TH_TRY(th_tfl_need_rank(r, o, 1, 4));
  TH_TRY(th_tfl_settle_weights(r, o));
  TH_TRY(th_tfl_node(r, o, o->in, o->n_in, &n));
  const th_shape *x = &th_tfl_tensor(r, o->in[0])->shape, *w = &th_tfl_tensor(r, o->in[1])->shape;
  n->attr[TH_ATTR_KERNEL_Y].i = w->dim[1];
  n->attr[TH_ATTR_KERNEL_X].i = w->dim[2];
  n->attr[TH_ATTR_DILATION_Y].i = th_fb_s32(o->options, depthwise ? TFL_DEPTHWISE_DILATION_Y : TFL_CONV_DILATION_Y, 1);
  n->attr[TH_ATTR_DILATION_X].i = th_fb_s32(o->options, depthwise ? TFL_DEPTHWISE_DILATION_X : TFL_CONV_DILATION_X, 1);
  if (!depthwise) {
    if (x->dim[3] % w->dim[3])
      return th_tfl_fail(r, o, "weights %s expect %d channels, the input has %d", th_tfl_tensor(r, o->in[1])->name,
                         w->dim[3], x->dim[3]);
    n->attr[TH_ATTR_GROUPS].i = x->dim[3] / w->dim[3];
  }
  TH_TRY(th_tfl_activation(r, o, depthwise ? TFL_DEPTHWISE_ACTIVATION : TFL_CONV_ACTIVATION, n));
  return set_window(r, o, n);
}

th_status th_tfl_read_pool(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  TH_TRY(th_tfl_need_rank(r, o, 0, 4));
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  n->attr[TH_ATTR_KERNEL_Y].i = th_fb_s32(o->options, TFL_POOL_KERNEL_Y, 0);
  n->attr[TH_ATTR_KERNEL_X].i = th_fb_s32(o->options, TFL_POOL_KERNEL_X, 0);
  TH_TRY(th_tfl_activation(r, o, TFL_POOL_ACTIVATION, n));
  return set_window(r, o, n);
}

/* --- layers without windows --- */

static th_status add_reshape(tfl_reader *r, const tfl_op *o, int from, int to) {
  tfl_op reshape = *o;
  th_node *n;
  reshape.op = TH_OP_RESHAPE;
  reshape.out = to;
  return th_tfl_node(r, &reshape, &from, 1, &n);
}

/* A tensor like `like`, of another shape. */
static th_status add_like(tfl_reader *r, int like, th_shape shape, int *id) {
  const th_tensor t = *th_tfl_tensor(r, like);
  if (t.data)
    TH_TRY(th_graph_add_const(r->g, t.name, t.dtype, &shape, t.data, id));
  else
    TH_TRY(th_graph_add_tensor(r->g, t.name, t.dtype, &shape, id));
  return th_graph_set_quant(r->g, *id, t.quant.axis, t.quant.count, t.quant.scale, t.quant.zero);
}

/* A layer over many rows is a convolution of 1 x 1 over a column of pixels: the same sums, scales and limits. */
static th_status rows_of_layer(tfl_reader *r, const tfl_op *o) {
  const th_shape w = th_tfl_tensor(r, o->in[1])->shape;
  const int32_t rows = (int32_t)(th_shape_elems(&th_tfl_tensor(r, o->in[0])->shape) / w.dim[1]);
  tfl_op conv = *o;
  th_node *n;
  if (th_shape_elems(&th_tfl_tensor(r, o->out)->shape) != (int64_t)rows * w.dim[0])
    return th_tfl_fail(r, o, "its output %s does not have %d x %d values", th_tfl_tensor(r, o->out)->name, rows,
                       w.dim[0]);
  conv.op = TH_OP_CONV2D;
  TH_TRY(add_like(r, o->in[0], th_shape_make(4, 1, rows, 1, w.dim[1]), &conv.in[0]));
  TH_TRY(add_like(r, o->in[1], th_shape_make(4, w.dim[0], 1, 1, w.dim[1]), &conv.in[1]));
  TH_TRY(add_like(r, o->out, th_shape_make(4, 1, rows, 1, w.dim[0]), &conv.out));
  TH_TRY(add_reshape(r, o, o->in[0], conv.in[0]));
  TH_TRY(th_tfl_node(r, &conv, conv.in, conv.n_in, &n));
  TH_TRY(th_tfl_activation(r, o, TFL_FC_ACTIVATION, n));
  return add_reshape(r, o, conv.out, o->out);
}

/* keep_num_dims: the same numbers under a shape of more dimensions. */
static th_status reshape_behind(tfl_reader *r, const tfl_op *o, tfl_op *inner) {
  const th_tensor *out = th_tfl_tensor(r, o->out);
  th_shape flat = th_shape_make(2, 1, out->shape.dim[out->shape.rank - 1]);
  if (th_shape_elems(&out->shape) != flat.dim[1])
    return th_tfl_fail(r, o, "its output %s has more than one row", out->name);
  th_quant q = out->quant;
  TH_TRY(th_graph_add_tensor(r->g, out->name, out->dtype, &flat, &inner->out));
  if (q.count) TH_TRY(th_graph_set_quant(r->g, inner->out, q.axis, q.count, q.scale, q.zero));
  return add_reshape(r, o, inner->out, o->out);
}

th_status th_tfl_read_fully_connected(tfl_reader *r, const tfl_op *o) {
  tfl_op inner = *o;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 3));
  TH_TRY(th_tfl_need_rank(r, o, 1, 2));
  TH_TRY(th_tfl_settle_weights(r, o));
  if (th_fb_u8(o->options, TFL_FC_WEIGHTS_FORMAT, 0) != 0)
    return th_tfl_fail(r, o, "shuffled weights are not supported");
  const int64_t elems = th_shape_elems(&th_tfl_tensor(r, o->in[0])->shape),
                row = th_tfl_tensor(r, o->in[1])->shape.dim[1];
  if (elems > row && elems % row == 0 && !th_tfl_tensor(r, o->in[0])->data) return rows_of_layer(r, o);
  if (th_tfl_tensor(r, o->out)->shape.rank > 2) TH_TRY(reshape_behind(r, o, &inner));
  TH_TRY(th_tfl_node(r, &inner, o->in, o->n_in, &n));
  return th_tfl_activation(r, o, TFL_FC_ACTIVATION, n);
}

th_status th_tfl_read_unary(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  return th_tfl_node(r, o, o->in, 1, &n);
}

th_status th_tfl_read_softmax(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  n->attr[TH_ATTR_BETA].f = th_fb_f32(o->options, TFL_SOFTMAX_BETA, 0.0f);
  if (n->attr[TH_ATTR_BETA].f > 0 && n->attr[TH_ATTR_BETA].f < 1e6f) return TH_OK;
  return th_tfl_fail(r, o, "beta is %g, expected a positive number", (double)n->attr[TH_ATTR_BETA].f);
}

th_status th_tfl_read_leaky_relu(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  n->attr[TH_ATTR_ALPHA].f = th_fb_f32(o->options, TFL_LEAKY_ALPHA, 0.0f);
  if (n->attr[TH_ATTR_ALPHA].f > -1e6f && n->attr[TH_ATTR_ALPHA].f < 1e6f) return TH_OK;
  return th_tfl_fail(r, o, "alpha is %g", (double)n->attr[TH_ATTR_ALPHA].f);
}

th_status th_tfl_read_concat(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, TH_MAX_INPUTS));
  for (int i = 0; i < o->n_in; ++i)
    if (o->in[i] < 0) return th_tfl_fail(r, o, "input %d is absent", i);
  int rank = th_tfl_tensor(r, o->in[0])->shape.rank, axis = th_fb_s32(o->options, TFL_CONCAT_AXIS, 0);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return th_tfl_fail(r, o, "axis %d of %d dimensions", axis, rank);
  if (th_fb_u8(o->options, TFL_CONCAT_ACTIVATION, 0) != 0)
    return th_tfl_fail(r, o, "a fused activation is not supported here");
  TH_TRY(th_tfl_node(r, o, o->in, o->n_in, &n));
  n->attr[TH_ATTR_AXIS].i = axis;
  return TH_OK;
}

/* The target is the output's own shape, so the shape input says nothing more. */
th_status th_tfl_read_reshape(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 2));
  return th_tfl_node(r, o, o->in, 1, &n);
}

th_status th_tfl_read_pad(tfl_reader *r, const tfl_op *o) {
  int32_t table[2 * TH_MAX_RANK];
  int count, in[3] = {o->in[0], TH_NO_TENSOR, TH_NO_TENSOR};
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 3));
  TH_TRY(th_tfl_numbers(r, o, 1, table, 2 * TH_MAX_RANK, &count));
  int rank = th_tfl_tensor(r, o->in[0])->shape.rank;
  if (count != 2 * rank) return th_tfl_fail(r, o, "%d paddings for %d dimensions", count, rank);
  th_shape shape = th_shape_make(2, rank, 2);
  TH_TRY(th_graph_add_const(r->g, th_tfl_tensor(r, o->in[1])->name, TH_DTYPE_S32, &shape, table, &in[1]));
  if (o->n_in == 3) in[2] = o->in[2];
  return th_tfl_node(r, o, in, in[2] >= 0 ? 3 : 2, &n);
}

th_status th_tfl_read_dequantize(tfl_reader *r, const tfl_op *o) {
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  const th_tensor *t = th_tfl_tensor(r, o->in[0]);
  if (!t->data) return th_tfl_read_unary(r, o);
  if (!th_shape_eq(&t->shape, &th_tfl_tensor(r, o->out)->shape))
    return th_tfl_fail(r, o, "input %s and output %s differ in shape", t->name, th_tfl_tensor(r, o->out)->name);
  return widen(r, o, o->in[0], o->out);
}

/* Sparse constants are dense here as soon as they are read, so this passes one on. */
th_status th_tfl_read_densify(tfl_reader *r, const tfl_op *o) {
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  const th_tensor *t = th_tfl_tensor(r, o->in[0]), *y = th_tfl_tensor(r, o->out);
  if (!t->data) return th_tfl_fail(r, o, "input %s is not a constant", t->name);
  if (t->dtype != y->dtype || !th_shape_eq(&t->shape, &y->shape))
    return th_tfl_fail(r, o, "input %s and output %s differ in type or shape", t->name, y->name);
  return th_graph_set_data(r->g, o->out, t->dtype, &t->shape, t->data);
}

static const tfl_op_row rows[] = {
#define TFL_OP(code, name, options, function, op) {code, options, #name, th_tfl_read_##function, TH_OP_##op},
#include "read/tflite_ops.def"
#undef TFL_OP
};

const tfl_op_row *th_tfl_op_find(int code) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i)
    if (rows[i].code == code) return &rows[i];
  return NULL;
}

const char *th_tfl_op_name(int code) {
  switch (code) {
#define TFL_NAME(number, name) \
  case number:                 \
    return #name;
#include "read/tflite_names.def"
#undef TFL_NAME
    default:
      return "operator";
  }
}
