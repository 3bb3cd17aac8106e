/* Graph nodes -> .tflite operators: one function per kind, the table is tflite_ops.def; functions for element-wise
 * operators and reductions are in tflite_math.c, for those that move values in tflite_move.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "format/tflite_schema.h"
#include "op/op.h"
#include "write/tflite_internal.h"

th_status th_tfl_add_operator(tfl_writer *w, const th_node *n, const tfl_out_row *row, tfl_operator **op) {
  if (w->n_ops == w->op_capacity) {
    int more = w->op_capacity ? 2 * w->op_capacity : 64;
    tfl_operator *p = TH_ARRAY(w->scratch, tfl_operator, more);
    if (!p) return TH_ERR_RESOURCE;
    if (w->n_ops) memcpy(p, w->ops, (size_t)w->n_ops * sizeof *p);
    w->ops = p;
    w->op_capacity = more;
  }
  *op = &w->ops[w->n_ops++];
  bool integer = th_dtype_is_int(th_node_in(w->g, n, 0)->dtype);
  **op = (tfl_operator){
      .code = row->code, .version = integer ? row->version_s8 : row->version_f32, .options_type = row->options};
  return TH_OK;
}

th_status th_tfl_begin(tfl_writer *w, const th_node *n, const tfl_out_row *row, int n_in, tfl_operator **op) {
  int in[TH_MAX_INPUTS], out[TH_MAX_OUTPUTS];
  for (int i = 0; i < n_in; ++i) {
    in[i] = -1;
    if (n->in[i] != TH_NO_TENSOR) TH_TRY(th_tfl_place(w, n->in[i], &in[i]));
  }
  for (int i = 0; i < n->n_out; ++i) TH_TRY(th_tfl_place(w, n->out[i], &out[i]));
  TH_TRY(th_tfl_add_operator(w, n, row, op));
  memcpy((*op)->in, in, (size_t)n_in * sizeof in[0]);
  (*op)->n_in = n_in;
  memcpy((*op)->out, out, (size_t)n->n_out * sizeof out[0]);
  (*op)->n_out = n->n_out;
  return TH_OK;
}

void th_tfl_option(tfl_operator *op, th_fb_field field) {
  op->options[op->n_options++] = field;
}

th_status th_tfl_put_activation(const th_node *n, tfl_operator *op, int field) {
  static const unsigned codes[TH_ACT_COUNT] = {
#define X(code, suffix) [TH_ACT_##suffix] = code,
      TFL_ACTIVATIONS(X)
#undef X
  };
  int32_t act = n->attr[TH_ATTR_ACTIVATION].i;
  if (act == TH_ACT_TANH) return TFL_NODE_FAIL(n, "a fused tanh is not supported by TFLite Micro");
  if (codes[act]) th_tfl_option(op, th_fb_field_u8(field, codes[act]));
  return TH_OK;
}

th_status th_tfl_put_numbers(tfl_writer *w, const int32_t *values, th_shape shape, int *index) {
  size_t bytes = (size_t)th_shape_elems(&shape) * sizeof *values;
  tfl_tensor t = {.dtype = TH_DTYPE_S32, .shape = shape, .quant = {.axis = -1}};
  t.data = th_arena_copy(w->scratch, values, bytes);
  return t.data ? th_tfl_add_tensor(w, &t, index) : TH_ERR_RESOURCE;
}

th_status th_tfl_same_grid(const tfl_writer *w, const th_node *n, int inputs) {
  const th_tensor *y = th_node_out(w->g, n, 0);
  if (!th_dtype_is_int(y->dtype)) return TH_OK;
  for (int i = 0; i < inputs; ++i) {
    const th_tensor *x = th_node_in(w->g, n, i);
    if (!x->quant.count && !y->quant.count) continue; /* plain whole numbers */
    if (!x->quant.count || !y->quant.count) return TFL_NODE_FAIL(n, "input or output has no scale");
    if (x->quant.scale[0] != y->quant.scale[0] || x->quant.zero[0] != y->quant.zero[0])
      return th_fail(TH_ERR_INPUT, "%s (%s): input %s must have the scale and zero of its output %s", n->name,
                     th_op_name(n->op), x->name, y->name);
  }
  return TH_OK;
}

/* --- windows --- */

typedef enum padding { PADDING_SAME = TFL_PADDING_SAME, PADDING_VALID = TFL_PADDING_VALID, PADDING_OTHER } padding;

static padding classify(const tfl_writer *w, const th_node *n) {
  const th_shape *x = &th_node_in(w->g, n, 0)->shape;
  const th_attr *a = n->attr;
  int32_t top, bottom, left, right;
  if (!a[TH_ATTR_PAD_TOP].i && !a[TH_ATTR_PAD_BOTTOM].i && !a[TH_ATTR_PAD_LEFT].i && !a[TH_ATTR_PAD_RIGHT].i)
    return PADDING_VALID;
  th_op_same_padding(x->dim[1], a[TH_ATTR_KERNEL_Y].i, a[TH_ATTR_STRIDE_Y].i, a[TH_ATTR_DILATION_Y].i, &top, &bottom);
  th_op_same_padding(x->dim[2], a[TH_ATTR_KERNEL_X].i, a[TH_ATTR_STRIDE_X].i, a[TH_ATTR_DILATION_X].i, &left, &right);
  bool same = top == a[TH_ATTR_PAD_TOP].i && bottom == a[TH_ATTR_PAD_BOTTOM].i && left == a[TH_ATTR_PAD_LEFT].i &&
              right == a[TH_ATTR_PAD_RIGHT].i;
  return same ? PADDING_SAME : PADDING_OTHER;
}

/* A PAD operator before the window: pads with zero, in integers with the zero point, as the convolution means it. */
static th_status pad_before(tfl_writer *w, const th_node *n, int *index) {
  static const tfl_out_row row = {.code = 34, .version_f32 = 1, .version_s8 = 2, .options = 22};
  const th_tensor *x = th_node_in(w->g, n, 0);
  const th_attr *a = n->attr;
  int32_t table[8] = {
      0, 0, a[TH_ATTR_PAD_TOP].i, a[TH_ATTR_PAD_BOTTOM].i, a[TH_ATTR_PAD_LEFT].i, a[TH_ATTR_PAD_RIGHT].i, 0, 0};
  int in[2];
  TH_TRY(th_tfl_place(w, n->in[0], &in[0]));
  TH_TRY(th_tfl_put_numbers(w, table, th_shape_make(2, 4, 2), &in[1]));
  tfl_tensor t = {.dtype = x->dtype, .shape = x->shape, .quant = x->quant};
  t.shape.dim[1] += table[2] + table[3];
  t.shape.dim[2] += table[4] + table[5];
  TH_TRY(th_tfl_add_tensor(w, &t, index));
  tfl_operator *op;
  TH_TRY(th_tfl_add_operator(w, n, &row, &op));
  memcpy(op->in, in, sizeof in);
  op->n_in = 2;
  op->out[0] = *index;
  op->n_out = 1;
  return TH_OK;
}

static void window_options(const th_node *n, padding p, tfl_operator *op) {
  if (p != PADDING_SAME) th_tfl_option(op, th_fb_field_u8(TFL_WINDOW_PADDING, TFL_PADDING_VALID));
  th_tfl_option(op, th_fb_field_s32(TFL_WINDOW_STRIDE_X, n->attr[TH_ATTR_STRIDE_X].i));
  th_tfl_option(op, th_fb_field_s32(TFL_WINDOW_STRIDE_Y, n->attr[TH_ATTR_STRIDE_Y].i));
}

/* The scale of an integer layer's bias is by definition that of input times weights. */
static th_status bias_grid(tfl_writer *w, const th_node *n, th_quant *q) {
  const th_tensor *x = th_node_in(w->g, n, 0), *weights = th_node_in(w->g, n, 1);
  int count = weights->quant.count;
  float *scale = TH_ARRAY(w->scratch, float, count);
  int32_t *zero = TH_ARRAY(w->scratch, int32_t, count);
  if (!scale || !zero) return TH_ERR_RESOURCE;
  for (int i = 0; i < count; ++i) scale[i] = x->quant.scale[0] * weights->quant.scale[i], zero[i] = 0;
  *q = (th_quant){.count = count, .axis = count > 1 ? 0 : -1, .scale = scale, .zero = zero};
  return TH_OK;
}

th_status th_tfl_place_bias(tfl_writer *w, const th_node *n, int *index) {
  *index = -1;
  if (n->n_in < 3 || n->in[2] == TH_NO_TENSOR) return TH_OK;
  const th_tensor *x = th_node_in(w->g, n, 0), *bias = th_node_in(w->g, n, 2);
  if (!th_dtype_is_int(x->dtype) || bias->quant.count) return th_tfl_place(w, n->in[2], index);
  tfl_tensor t = {.dtype = bias->dtype, .shape = bias->shape, .data = bias->data};
  TH_TRY(bias_grid(w, n, &t.quant));
  return th_tfl_add_tensor(w, &t, index);
}

th_status th_tfl_place_needed_bias(tfl_writer *w, const th_node *n, int *index) {
  TH_TRY(th_tfl_place_bias(w, n, index));
  if (*index >= 0) return TH_OK;
  const th_shape *y = &th_node_out(w->g, n, 0)->shape;
  const th_dtype type = th_node_in(w->g, n, 0)->dtype;
  const int32_t channels = y->dim[y->rank - 1];
  tfl_tensor t = {.dtype = type, .shape = th_shape_make(1, channels), .quant = {.axis = -1}};
  if (th_dtype_is_int(type)) {
    t.dtype = type == TH_DTYPE_S16 ? TH_DTYPE_S64 : TH_DTYPE_S32;
    TH_TRY(bias_grid(w, n, &t.quant));
  }
  int64_t *zeros = TH_ARRAY(w->scratch, int64_t, channels); /* of the widest type */
  if (!zeros) return TH_ERR_RESOURCE;
  memset(zeros, 0, (size_t)channels * sizeof *zeros);
  t.data = zeros;
  return th_tfl_add_tensor(w, &t, index);
}

/* Of LiteRT and TFLite Micro, only fully connected subtracts one from int8 weights, and then one for all. */
static th_status check_weight_zeros(const th_node *n, const th_tensor *weights) {
  if (!th_dtype_is_int(weights->dtype) || (n->op == TH_OP_FULLY_CONNECTED && weights->quant.count == 1)) return TH_OK;
  for (int i = 0; i < weights->quant.count; ++i)
    if (weights->quant.zero[i])
      return th_fail(TH_ERR_INPUT, "%s (%s): its weights %s have the zero point %d; in .tflite it must be 0", n->name,
                     th_op_name(n->op), weights->name, (int)weights->quant.zero[i]);
  return TH_OK;
}

th_status th_tfl_check_weights(const tfl_writer *w, const th_node *n) {
  const th_tensor *x = th_node_in(w->g, n, 0), *weights = th_node_in(w->g, n, 1), *bias = th_node_in(w->g, n, 2);
  if (!weights->data) return TFL_NODE_FAIL(n, "its weights are not a constant");
  if (th_dtype_is_int(x->dtype) != th_dtype_is_int(weights->dtype))
    return TFL_NODE_FAIL(n, "input and weights must both be float or both be integers");
  if (bias && th_dtype_is_int(x->dtype) && bias->dtype != TH_DTYPE_S32) return TFL_NODE_FAIL(n, "its bias must be s32");
  if (th_dtype_is_int(x->dtype) && (!x->quant.count || !weights->quant.count))
    return TFL_NODE_FAIL(n, "input or weights have no scale");
  return check_weight_zeros(n, weights);
}

th_status th_tfl_write_conv(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  bool depthwise = n->op == TH_OP_DEPTHWISE_CONV2D;
  padding p = classify(w, n);
  int padded = -1, bias;
  tfl_operator *op;
  TH_TRY(th_tfl_check_weights(w, n));
  if (p == PADDING_OTHER) TH_TRY(pad_before(w, n, &padded));
  TH_TRY(th_tfl_place_needed_bias(w, n, &bias));
  TH_TRY(th_tfl_begin(w, n, row, 2, &op));
  if (padded >= 0) op->in[0] = padded;
  op->in[op->n_in++] = bias;
  window_options(n, p, op);
  if (depthwise) {
    int channels = th_node_in(w->g, n, 0)->shape.dim[3];
    th_tfl_option(op, th_fb_field_s32(TFL_DEPTHWISE_MULTIPLIER, th_node_in(w->g, n, 1)->shape.dim[3] / channels));
  }
  int32_t dy = n->attr[TH_ATTR_DILATION_Y].i, dx = n->attr[TH_ATTR_DILATION_X].i;
  if (dx != 1) th_tfl_option(op, th_fb_field_s32(depthwise ? TFL_DEPTHWISE_DILATION_X : TFL_CONV_DILATION_X, dx));
  if (dy != 1) th_tfl_option(op, th_fb_field_s32(depthwise ? TFL_DEPTHWISE_DILATION_Y : TFL_CONV_DILATION_Y, dy));
  if ((dx != 1 || dy != 1) && op->version < 2) op->version = 2;
  return th_tfl_put_activation(n, op, depthwise ? TFL_DEPTHWISE_ACTIVATION : TFL_CONV_ACTIVATION);
}

th_status th_tfl_write_pool(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  padding p = classify(w, n);
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  if (p == PADDING_OTHER)
    return TFL_NODE_FAIL(n,
                         "its padding is neither SAME nor VALID; a padding operator before it would change the result");
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  window_options(n, p, op);
  th_tfl_option(op, th_fb_field_s32(TFL_POOL_KERNEL_X, n->attr[TH_ATTR_KERNEL_X].i));
  th_tfl_option(op, th_fb_field_s32(TFL_POOL_KERNEL_Y, n->attr[TH_ATTR_KERNEL_Y].i));
  return th_tfl_put_activation(n, op, TFL_POOL_ACTIVATION);
}

/* --- layers without windows --- */

th_status th_tfl_write_fully_connected(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  int bias;
  tfl_operator *op;
  TH_TRY(th_tfl_check_weights(w, n));
  TH_TRY(th_tfl_place_bias(w, n, &bias));
  TH_TRY(th_tfl_begin(w, n, row, 2, &op));
  if (bias >= 0)
    op->in[op->n_in++] = bias;
  else
    op->version = 6;
  if (th_node_in(w->g, n, 1)->quant.count > 1 && th_dtype_is_int(th_node_in(w->g, n, 1)->dtype)) op->version = 12;
  return th_tfl_put_activation(n, op, TFL_FC_ACTIVATION);
}

th_status th_tfl_write_unary(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  return th_tfl_begin(w, n, row, 1, &op);
}

th_status th_tfl_write_leaky_relu(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  th_tfl_option(op, th_fb_field_f32(TFL_LEAKY_ALPHA, n->attr[TH_ATTR_ALPHA].f));
  return TH_OK;
}

th_status th_tfl_write_softmax(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  th_tfl_option(op, th_fb_field_f32(TFL_SOFTMAX_BETA, n->attr[TH_ATTR_BETA].f));
  return TH_OK;
}

th_status th_tfl_write_concat(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  int32_t axis = n->attr[TH_ATTR_AXIS].i;
  if (axis < 0) axis += th_node_in(w->g, n, 0)->shape.rank;
  TH_TRY(th_tfl_same_grid(w, n, n->n_in));
  TH_TRY(th_tfl_begin(w, n, row, n->n_in, &op));
  th_tfl_option(op, th_fb_field_s32(TFL_CONCAT_AXIS, axis));
  return TH_OK;
}

th_status th_tfl_write_pad(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  static const tfl_out_row with_value = {.code = 60, .version_f32 = 1, .version_s8 = 2, .options = 43};
  bool value = n->n_in > 2 && n->in[2] != TH_NO_TENSOR;
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  return th_tfl_begin(w, n, value ? &with_value : row, value ? 3 : 2, &op);
}

th_status th_tfl_write_reshape(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  const th_shape *shape = &th_node_out(w->g, n, 0)->shape;
  tfl_operator *op;
  int target;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  TH_TRY(th_tfl_put_numbers(w, shape->dim, th_shape_make(1, shape->rank), &target));
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  op->in[op->n_in++] = target;
  return TH_OK;
}

th_status th_tfl_write_batch_norm(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  (void)w;
  (void)row;
  return TFL_NODE_FAIL(n, "batch norm has no counterpart in .tflite: run the pass fold_bn first");
}

/* Outside training dropout passes its input on. */
th_status th_tfl_write_identity(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  (void)row;
  return th_tfl_place(w, n->in[0], &w->place[n->out[0]]);
}

static const tfl_out_row rows[TH_OP_COUNT] = {
#define TFL_OUT(op, code, version_f32, version_s8, options, function) \
  [TH_OP_##op] = {code, version_f32, version_s8, options, th_tfl_write_##function},
#include "write/tflite_ops.def"
#undef TFL_OUT
};

/* Types that the operators above mean: integers other than int8 need other versions and kernels. */
static th_status check_types(const tfl_writer *w, const th_node *n) {
  if (th_op_get(n->op)->typed) return TH_OK;
  for (int i = 0; i < n->n_in; ++i) {
    const th_tensor *t = th_node_in(w->g, n, i);
    if (!t || t->data || t->is_variable || n->op == TH_OP_ASSIGN_VARIABLE) continue;
    if (n->op == TH_OP_QUANTIZE && t->dtype == TH_DTYPE_S16) continue;
    if (t->dtype != TH_DTYPE_F32 && t->dtype != TH_DTYPE_S8)
      return th_fail(TH_ERR_INPUT, "%s (%s): its input %s is %s; .tflite is written for f32 and s8", n->name,
                     th_op_name(n->op), t->name, th_dtype_name(t->dtype));
  }
  return TH_OK;
}

th_status th_tfl_write_node(tfl_writer *w, const th_node *n) {
  const tfl_out_row *row = &rows[n->op];
  if (!row->write) return TFL_NODE_FAIL(n, "has no counterpart in .tflite");
  TH_TRY(check_types(w, n));
  return row->write(w, n, row);
}
