/* Operators of .tflite files that move values, resize or ask for shapes. See tflite_ops.c.
 *
 * Lists (permutations, sizes, ...) become s32 constants as the graph's operators want them; slices are resolved here,
 * masks and negative places included. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "format/tflite_schema.h"
#include "op/op.h"
#include "read/tflite_internal.h"

/* --- lists --- */

typedef struct list { /* of one value per dimension */
  int32_t v[TH_MAX_RANK];
  int n;
} list;

/* Whole numbers of any size, cut to what an int32_t holds: slices to the end are often written as a huge number. */
static th_status get_list(tfl_reader *r, const tfl_op *o, int input, list *l) {
  const th_tensor *t = th_tfl_tensor(r, o->in[input]);
  if (!t->data || (t->dtype != TH_DTYPE_S32 && t->dtype != TH_DTYPE_S64))
    return th_tfl_fail(r, o, "input %s must be a constant of whole numbers", t->name);
  const int64_t n = th_shape_elems(&t->shape);
  if (n > TH_MAX_RANK) return th_tfl_fail(r, o, "input %s has %lld values", t->name, (long long)n);
  l->n = (int)n;
  for (int i = 0; i < l->n; ++i) {
    const int64_t v = t->dtype == TH_DTYPE_S32 ? ((const int32_t *)t->data)[i] : ((const int64_t *)t->data)[i];
    l->v[i] = v > INT32_MAX ? INT32_MAX : v < INT32_MIN + 1 ? INT32_MIN + 1 : (int32_t)v;
  }
  return TH_OK;
}

static th_status get_full_list(tfl_reader *r, const tfl_op *o, int input, int rank, list *l) {
  TH_TRY(get_list(r, o, input, l));
  if (l->n == rank) return TH_OK;
  return th_tfl_fail(r, o, "input %s has %d values, expected %d", th_tfl_tensor(r, o->in[input])->name, l->n, rank);
}

static th_status add_list(tfl_reader *r, const tfl_op *o, const char *what, const int32_t *v, th_shape shape, int *id) {
  const char *name = th_arena_printf(r->scratch, "%s_%d", what, o->index);
  return name ? th_graph_add_const(r->g, name, TH_DTYPE_S32, &shape, v, id) : TH_ERR_RESOURCE;
}

static const th_shape *input_shape(tfl_reader *r, const tfl_op *o, int input) {
  return &th_tfl_tensor(r, o->in[input])->shape;
}

/* A node of x and one list. */
static th_status with_list(tfl_reader *r, const tfl_op *o, const char *what, const int32_t *v, th_shape shape,
                           th_node **n) {
  int in[2] = {o->in[0], TH_NO_TENSOR};
  TH_TRY(add_list(r, o, what, v, shape, &in[1]));
  return th_tfl_node(r, o, in, 2, n);
}

/* --- one list, taken as it is --- */

th_status th_tfl_read_transpose(tfl_reader *r, const tfl_op *o) {
  list perm;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  TH_TRY(get_full_list(r, o, 1, input_shape(r, o, 0)->rank, &perm));
  for (int i = 0; i < perm.n; ++i)
    if (perm.v[i] < 0) perm.v[i] += perm.n;
  return with_list(r, o, "perm", perm.v, th_shape_make(1, perm.n), &n);
}

th_status th_tfl_read_tile(tfl_reader *r, const tfl_op *o) {
  list times;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  TH_TRY(get_full_list(r, o, 1, input_shape(r, o, 0)->rank, &times));
  return with_list(r, o, "repetitions", times.v, th_shape_make(1, times.n), &n);
}

th_status th_tfl_read_broadcast_to(tfl_reader *r, const tfl_op *o) {
  list size;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  TH_TRY(get_list(r, o, 1, &size));
  return with_list(r, o, "shape", size.v, th_shape_make(1, size.n), &n);
}

th_status th_tfl_read_mirror_pad(tfl_reader *r, const tfl_op *o) {
  int32_t table[2 * TH_MAX_RANK];
  int count;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  TH_TRY(th_tfl_numbers(r, o, 1, table, 2 * TH_MAX_RANK, &count));
  const int rank = input_shape(r, o, 0)->rank, mode = th_fb_u8(o->options, TFL_MIRROR_PAD_MODE, 0);
  if (count != 2 * rank) return th_tfl_fail(r, o, "%d paddings for %d dimensions", count, rank);
  if (mode > 1) return th_tfl_fail(r, o, "mode %d is unknown", mode);
  TH_TRY(with_list(r, o, "paddings", table, th_shape_make(2, rank, 2), &n));
  n->attr[TH_ATTR_SYMMETRIC].i = mode;
  return TH_OK;
}

/* --- slices --- */

/* Adds the slice; where the output drops or adds dimensions of size 1, a reshape behind it. */
static th_status add_slice(tfl_reader *r, const tfl_op *o, const int32_t *slices, int rank, bool reshaped) {
  tfl_op slice = *o;
  const th_tensor *y = th_tfl_tensor(r, o->out);
  const th_shape *x = input_shape(r, o, 0);
  th_node *n;
  slice.op = TH_OP_STRIDED_SLICE;
  if (reshaped) {
    const th_quant q = y->quant;
    TH_TRY(th_graph_add_tensor(r->g, y->name, y->dtype, x, &slice.out));
    if (q.count) TH_TRY(th_graph_set_quant(r->g, slice.out, q.axis, q.count, q.scale, q.zero));
  }
  TH_TRY(with_list(r, &slice, "slices", slices, th_shape_make(2, rank, 3), &n));
  TH_TRY(th_op_get(TH_OP_STRIDED_SLICE)->infer(r->g, n));
  if (!reshaped) return TH_OK;
  tfl_op reshape = *o;
  reshape.op = TH_OP_RESHAPE;
  return th_tfl_node(r, &reshape, &slice.out, 1, &n);
}

th_status th_tfl_read_slice(tfl_reader *r, const tfl_op *o) {
  list begin, size;
  int32_t slices[3 * TH_MAX_RANK];
  TH_TRY(th_tfl_need_inputs(r, o, 3, 3));
  const th_shape *x = input_shape(r, o, 0);
  TH_TRY(get_full_list(r, o, 1, x->rank, &begin));
  TH_TRY(get_full_list(r, o, 2, x->rank, &size));
  for (int d = 0; d < x->rank; ++d) {
    const int64_t end = size.v[d] == -1 ? x->dim[d] : (int64_t)begin.v[d] + size.v[d];
    if (begin.v[d] < 0 || size.v[d] < -1 || end > x->dim[d])
      return th_tfl_fail(r, o, "%d values from %d on leave dimension %d, which has %d", size.v[d], begin.v[d], d,
                         x->dim[d]);
    memcpy(slices + 3 * d, (int32_t[3]){begin.v[d], (int32_t)end, 1}, 3 * sizeof *slices);
  }
  return add_slice(r, o, slices, x->rank, false);
}

th_status th_tfl_read_reverse(tfl_reader *r, const tfl_op *o) {
  list axes;
  int32_t slices[3 * TH_MAX_RANK];
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  TH_TRY(get_list(r, o, 1, &axes));
  const th_shape *x = input_shape(r, o, 0);
  for (int d = 0; d < x->rank; ++d) memcpy(slices + 3 * d, (int32_t[3]){0, x->dim[d], 1}, 3 * sizeof *slices);
  for (int i = 0; i < axes.n; ++i) {
    const int d = axes.v[i] < 0 ? axes.v[i] + x->rank : axes.v[i];
    if (d < 0 || d >= x->rank) return th_tfl_fail(r, o, "axis %d of %d dimensions", axes.v[i], x->rank);
    memcpy(slices + 3 * d, (int32_t[3]){x->dim[d] - 1, -1, -1}, 3 * sizeof *slices);
  }
  return add_slice(r, o, slices, x->rank, false);
}

typedef struct strided { /* the operator as the file states it: one entry per given dimension, which masks change */
  list begin, end, step;
  int begin_mask, end_mask, ellipsis, new_axis, shrink;
  bool offset; /* ends count from the begins */
} strided;

static th_status get_strided(tfl_reader *r, const tfl_op *o, strided *s) {
  TH_TRY(th_tfl_need_inputs(r, o, 4, 4));
  TH_TRY(get_list(r, o, 1, &s->begin));
  TH_TRY(get_full_list(r, o, 2, s->begin.n, &s->end));
  TH_TRY(get_full_list(r, o, 3, s->begin.n, &s->step));
  s->begin_mask = th_fb_s32(o->options, TFL_SLICE_BEGIN_MASK, 0);
  s->end_mask = th_fb_s32(o->options, TFL_SLICE_END_MASK, 0);
  s->ellipsis = th_fb_s32(o->options, TFL_SLICE_ELLIPSIS_MASK, 0);
  s->new_axis = th_fb_s32(o->options, TFL_SLICE_NEW_AXIS_MASK, 0);
  s->shrink = th_fb_s32(o->options, TFL_SLICE_SHRINK_MASK, 0);
  s->offset = th_fb_bool(o->options, TFL_SLICE_OFFSET, false);
  return TH_OK;
}

/* A place as written: counted from the end when negative, cut to the dimension. */
static int32_t place(int64_t at, int32_t size, bool forward) {
  const int32_t lo = forward ? 0 : -1, hi = forward ? size : size - 1;
  if (at < 0) at += size;
  return at < lo ? lo : at > hi ? hi : (int32_t)at;
}

static void resolve(const strided *s, int i, int32_t size, int32_t out[3]) {
  const bool forward = s->step.v[i] > 0;
  const int64_t end = s->offset ? (int64_t)s->begin.v[i] + s->end.v[i] : s->end.v[i];
  out[0] = s->begin_mask >> i & 1 ? (forward ? 0 : size - 1) : place(s->begin.v[i], size, forward);
  out[1] = s->end_mask >> i & 1 ? (forward ? size : -1) : place(end, size, forward);
  out[2] = s->step.v[i];
  if (s->shrink >> i & 1) {
    out[1] = out[0] + 1;
    out[2] = 1;
  }
}

/* Entries become dimensions: new axes are none, an ellipsis is as many whole ones as are left. */
th_status th_tfl_read_strided_slice(tfl_reader *r, const tfl_op *o) {
  int32_t slices[3 * TH_MAX_RANK];
  strided s = {0};
  TH_TRY(get_strided(r, o, &s));
  const th_shape *x = input_shape(r, o, 0);
  int d = 0, named = 0;
  for (int i = 0; i < s.begin.n; ++i) named += !((s.new_axis | s.ellipsis) >> i & 1);
  if (named > x->rank) return th_tfl_fail(r, o, "slices %d of %d dimensions", named, x->rank);
  for (int i = 0, left = x->rank - named; i < s.begin.n; ++i) {
    if (s.ellipsis >> i & 1) {
      for (; left > 0; --left, ++d) memcpy(slices + 3 * d, (int32_t[3]){0, x->dim[d], 1}, 3 * sizeof *slices);
    } else if (!(s.new_axis >> i & 1)) {
      resolve(&s, i, x->dim[d], slices + 3 * d);
      ++d;
    }
  }
  for (; d < x->rank; ++d) memcpy(slices + 3 * d, (int32_t[3]){0, x->dim[d], 1}, 3 * sizeof *slices);
  return add_slice(r, o, slices, x->rank, (s.new_axis & ~s.ellipsis) || s.shrink);
}

/* --- parts --- */

static th_status get_axis(tfl_reader *r, const tfl_op *o, int input, int rank, int32_t *axis) {
  list l;
  TH_TRY(get_full_list(r, o, input, 1, &l));
  *axis = l.v[0] < 0 ? l.v[0] + rank : l.v[0];
  if (*axis >= 0 && *axis < rank) return TH_OK;
  return th_tfl_fail(r, o, "axis %d of %d dimensions", l.v[0], rank);
}

th_status th_tfl_read_split(tfl_reader *r, const tfl_op *o) {
  int32_t axis;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  TH_TRY(get_axis(r, o, 0, input_shape(r, o, 1)->rank, &axis));
  TH_TRY(th_tfl_node(r, o, &o->in[1], 1, &n));
  n->attr[TH_ATTR_AXIS].i = axis;
  return TH_OK;
}

/* One size may be -1: what is left. */
th_status th_tfl_read_split_v(tfl_reader *r, const tfl_op *o) {
  int32_t axis, sizes[TH_MAX_OUTPUTS];
  int count, open = -1;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 3, 3));
  TH_TRY(get_axis(r, o, 2, input_shape(r, o, 0)->rank, &axis));
  TH_TRY(th_tfl_numbers(r, o, 1, sizes, TH_MAX_OUTPUTS, &count));
  int32_t left = input_shape(r, o, 0)->dim[axis];
  for (int i = 0; i < count; ++i) {
    if (sizes[i] == -1) open = i;
    if (sizes[i] != -1) left -= sizes[i];
  }
  if (open >= 0) sizes[open] = left;
  TH_TRY(with_list(r, o, "sizes", sizes, th_shape_make(1, count), &n));
  n->attr[TH_ATTR_AXIS].i = axis;
  return TH_OK;
}

th_status th_tfl_read_pack(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, TH_MAX_INPUTS));
  TH_TRY(th_tfl_need_inputs(r, o, o->n_in, TH_MAX_INPUTS));
  TH_TRY(th_tfl_node(r, o, o->in, o->n_in, &n));
  n->attr[TH_ATTR_AXIS].i = th_fb_s32(o->options, TFL_PACK_AXIS, 0);
  return TH_OK;
}

th_status th_tfl_read_unpack(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  n->attr[TH_ATTR_AXIS].i = th_fb_s32(o->options, TFL_UNPACK_AXIS, 0);
  return TH_OK;
}

th_status th_tfl_read_gather(tfl_reader *r, const tfl_op *o) {
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  const th_tensor *which = th_tfl_tensor(r, o->in[1]);
  const int64_t count = th_shape_elems(&which->shape);
  const th_shape shape = which->shape;
  th_node *n;
  if (th_fb_s32(o->options, TFL_GATHER_BATCH_DIMS, 0) != 0)
    return th_tfl_fail(r, o, "batch dimensions are not supported");
  if (!which->data || (which->dtype != TH_DTYPE_S32 && which->dtype != TH_DTYPE_S64))
    return th_tfl_fail(r, o, "its indices %s are computed; only constant ones are supported", which->name);
  int32_t *index = TH_ARRAY(r->scratch, int32_t, count);
  if (!index) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t v =
        which->dtype == TH_DTYPE_S32 ? ((const int32_t *)which->data)[i] : ((const int64_t *)which->data)[i];
    index[i] = v < -1 || v > INT32_MAX ? -1 : (int32_t)v;
  }
  TH_TRY(with_list(r, o, "indices", index, shape, &n));
  n->attr[TH_ATTR_AXIS].i = th_fb_s32(o->options, TFL_GATHER_AXIS, 0);
  return TH_OK;
}

/* --- images --- */

th_status th_tfl_read_block(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  n->attr[TH_ATTR_BLOCK].i = th_fb_s32(o->options, TFL_BLOCK_SIZE, 0);
  return TH_OK;
}

th_status th_tfl_read_resize(tfl_reader *r, const tfl_op *o) {
  const bool linear = o->op == TH_OP_RESIZE_BILINEAR;
  list size;
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  TH_TRY(get_full_list(r, o, 1, 2, &size));
  TH_TRY(th_tfl_node(r, o, o->in, 1, &n));
  n->attr[TH_ATTR_OUT_Y].i = size.v[0];
  n->attr[TH_ATTR_OUT_X].i = size.v[1];
  n->attr[TH_ATTR_ALIGN_CORNERS].i =
      th_fb_bool(o->options, linear ? TFL_RESIZE_BILINEAR_ALIGN : TFL_RESIZE_NEAREST_ALIGN, false);
  n->attr[TH_ATTR_HALF_PIXEL].i =
      th_fb_bool(o->options, linear ? TFL_RESIZE_BILINEAR_HALF : TFL_RESIZE_NEAREST_HALF, false);
  return TH_OK;
}

/* The output's size decides what is cut off around the full result: as a convolution of that size would be padded. */
static void cut_side(th_node *n, int32_t in, int32_t out, int32_t kernel, bool same, const th_attr_id ids[3]) {
  const int32_t stride = n->attr[ids[0]].i;
  int32_t before = 0, after = 0;
  if (same) th_op_same_padding(out, kernel, stride, 1, &before, &after);
  const int64_t rest = (int64_t)(in - 1) * stride + kernel - out - before;
  n->attr[ids[1]].i = before;
  n->attr[ids[2]].i = rest < INT32_MIN ? INT32_MIN : rest > INT32_MAX ? INT32_MAX : (int32_t)rest;
}

th_status th_tfl_read_transpose_conv(tfl_reader *r, const tfl_op *o) {
  static const th_attr_id y[3] = {TH_ATTR_STRIDE_Y, TH_ATTR_PAD_TOP, TH_ATTR_PAD_BOTTOM};
  static const th_attr_id x[3] = {TH_ATTR_STRIDE_X, TH_ATTR_PAD_LEFT, TH_ATTR_PAD_RIGHT};
  tfl_op conv = *o; /* input, weights, bias in the order of all layers */
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 3, 4));
  TH_TRY(th_tfl_need_rank(r, o, 1, 4));
  TH_TRY(th_tfl_need_rank(r, o, 2, 4));
  conv.in[0] = o->in[2];
  conv.in[2] = o->n_in > 3 ? o->in[3] : TH_NO_TENSOR;
  conv.n_in = conv.in[2] == TH_NO_TENSOR ? 2 : 3;
  TH_TRY(th_tfl_settle_weights(r, &conv));
  const th_shape *out = &th_tfl_tensor(r, o->out)->shape;
  const int padding = th_fb_u8(o->options, TFL_WINDOW_PADDING, TFL_PADDING_SAME);
  if (out->rank != 4) return th_tfl_fail(r, o, "its output has %d dimensions, expected 4", out->rank);
  if (padding > TFL_PADDING_VALID) return th_tfl_fail(r, o, "padding %d is unknown", padding);
  TH_TRY(th_tfl_node(r, &conv, conv.in, conv.n_in, &n));
  n->attr[TH_ATTR_STRIDE_Y].i = th_fb_s32(o->options, TFL_WINDOW_STRIDE_Y, 0);
  n->attr[TH_ATTR_STRIDE_X].i = th_fb_s32(o->options, TFL_WINDOW_STRIDE_X, 0);
  if (n->attr[TH_ATTR_STRIDE_Y].i < 1 || n->attr[TH_ATTR_STRIDE_X].i < 1)
    return th_tfl_fail(r, o, "strides are %d and %d", n->attr[TH_ATTR_STRIDE_Y].i, n->attr[TH_ATTR_STRIDE_X].i);
  const th_shape *in = input_shape(r, &conv, 0), *w = input_shape(r, &conv, 1);
  out = &th_tfl_tensor(r, o->out)->shape;
  cut_side(n, in->dim[1], out->dim[1], w->dim[1], padding == TFL_PADDING_SAME, y);
  cut_side(n, in->dim[2], out->dim[2], w->dim[2], padding == TFL_PADDING_SAME, x);
  return th_tfl_activation(r, o, TFL_TRANSPOSE_CONV_ACTIVATION, n);
}

th_status th_tfl_read_batch_matmul(tfl_reader *r, const tfl_op *o) {
  th_node *n;
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  if (th_tfl_tensor(r, o->out)->dtype == TH_DTYPE_F32) {
    TH_TRY(th_tfl_make_float(r, o, o->in[0]));
    TH_TRY(th_tfl_make_float(r, o, o->in[1]));
  }
  TH_TRY(th_tfl_node(r, o, o->in, 2, &n));
  n->attr[TH_ATTR_ADJ_X].i = th_fb_bool(o->options, TFL_MATMUL_ADJ_X, false);
  n->attr[TH_ATTR_ADJ_Y].i = th_fb_bool(o->options, TFL_MATMUL_ADJ_Y, false);
  return TH_OK;
}

/* --- shapes and what is made of them --- */

/* Shapes are known, so the answer is a constant. */
th_status th_tfl_read_shape(tfl_reader *r, const tfl_op *o) {
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  const th_shape *x = input_shape(r, o, 0);
  const th_dtype type = th_tfl_tensor(r, o->out)->dtype;
  const th_shape shape = th_shape_make(1, x->rank);
  int64_t wide[TH_MAX_RANK];
  if (type != TH_DTYPE_S32 && type != TH_DTYPE_S64)
    return th_tfl_fail(r, o, "its output is %s, expected s32 or s64", th_dtype_name(type));
  for (int d = 0; d < x->rank; ++d) wide[d] = x->dim[d];
  return th_graph_set_data(r->g, o->out, type, &shape, type == TH_DTYPE_S64 ? (const void *)wide : x->dim);
}

/* The value repeated over the output's shape, which the file states. */
static th_status fill_output(tfl_reader *r, const tfl_op *o, const void *value) {
  const th_tensor *y = th_tfl_tensor(r, o->out);
  const th_shape shape = y->shape;
  const th_dtype type = y->dtype;
  const int64_t elems = th_shape_elems(&shape);
  const size_t bytes = th_dtype_bytes(type);
  if (elems > 1 << 24) return th_tfl_fail(r, o, "its output has %lld values", (long long)elems);
  uint8_t *data = th_arena_alloc(r->scratch, (size_t)elems * bytes);
  if (!data) return TH_ERR_RESOURCE;
  for (int64_t i = 0; value && i < elems; ++i) memcpy(data + (size_t)i * bytes, value, bytes);
  return th_graph_set_data(r->g, o->out, type, &shape, data);
}

th_status th_tfl_read_fill(tfl_reader *r, const tfl_op *o) {
  TH_TRY(th_tfl_need_inputs(r, o, 2, 2));
  const th_tensor *v = th_tfl_tensor(r, o->in[1]);
  if (!v->data || th_shape_elems(&v->shape) != 1 || v->dtype != th_tfl_tensor(r, o->out)->dtype)
    return th_tfl_fail(r, o, "its value %s is not one constant of the output's type", v->name);
  return fill_output(r, o, v->data);
}

th_status th_tfl_read_zeros_like(tfl_reader *r, const tfl_op *o) {
  TH_TRY(th_tfl_need_inputs(r, o, 1, 1));
  if (th_tfl_tensor(r, o->out)->quant.count) return th_tfl_fail(r, o, "quantized zeros are not supported");
  return fill_output(r, o, NULL);
}
