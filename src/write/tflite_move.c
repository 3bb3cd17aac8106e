/* Operators that move values, resize or multiply matrices as .tflite operators. See tflite_ops.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/tflite_schema.h"
#include "op/op.h"
#include "write/tflite_internal.h"

static int32_t axis_of(const tfl_writer *w, const th_node *n, int extra) {
  const int32_t axis = n->attr[TH_ATTR_AXIS].i;
  return axis < 0 ? axis + th_node_in(w->g, n, 0)->shape.rank + extra : axis;
}

/* --- x and one list, as the graph has them --- */

th_status th_tfl_write_with_list(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  return th_tfl_begin(w, n, row, 2, &op);
}

th_status th_tfl_write_gather(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  TH_TRY(th_tfl_begin(w, n, row, 2, &op));
  th_tfl_option(op, th_fb_field_s32(TFL_GATHER_AXIS, axis_of(w, n, 0)));
  return TH_OK;
}

th_status th_tfl_write_mirror_pad(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  TH_TRY(th_tfl_begin(w, n, row, 2, &op));
  if (n->attr[TH_ATTR_SYMMETRIC].i) th_tfl_option(op, th_fb_field_u8(TFL_MIRROR_PAD_MODE, 1));
  return TH_OK;
}

/* SLICE where all steps are 1, which TFLite Micro takes in more dimensions. Else STRIDED_SLICE, in which an end of -1
 * past the first value cannot be written as such: there it counts from the end. The mask says it. */
th_status th_tfl_write_strided_slice(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  static const tfl_out_row plain = {.code = 65, .version_f32 = 1, .version_s8 = 2, .options = 48};
  const int rank = th_node_in(w->g, n, 0)->shape.rank;
  const int32_t *slices = th_node_in(w->g, n, 1)->data;
  int32_t begin[TH_MAX_RANK], end[TH_MAX_RANK], step[TH_MAX_RANK], mask = 0;
  const int32_t *const lists[3] = {begin, end, step};
  bool strided = false;
  int at[3];
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  for (int d = 0; d < rank; ++d) strided = strided || slices[3 * d + 2] != 1;
  for (int d = 0; d < rank; ++d) {
    begin[d] = slices[3 * d];
    end[d] = strided ? slices[3 * d + 1] : slices[3 * d + 1] - begin[d]; /* the size */
    step[d] = slices[3 * d + 2];
    if (end[d] >= 0) continue;
    end[d] = 0;
    mask |= 1 << d;
  }
  for (int k = 0; k < (strided ? 3 : 2); ++k) TH_TRY(th_tfl_put_numbers(w, lists[k], th_shape_make(1, rank), &at[k]));
  TH_TRY(th_tfl_begin(w, n, strided ? row : &plain, 1, &op));
  for (int k = 0; k < (strided ? 3 : 2); ++k) op->in[op->n_in++] = at[k];
  if (mask) th_tfl_option(op, th_fb_field_s32(TFL_SLICE_END_MASK, mask));
  return TH_OK;
}

/* --- parts --- */

th_status th_tfl_write_split(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  static const tfl_out_row by_sizes = {.code = 102, .version_f32 = 1, .version_s8 = 2, .options = 79};
  const bool sizes = n->n_in > 1 && n->in[1] != TH_NO_TENSOR;
  const int32_t axis = axis_of(w, n, 0);
  const th_shape scalar = {.rank = 0};
  int at;
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  TH_TRY(th_tfl_put_numbers(w, &axis, scalar, &at));
  TH_TRY(th_tfl_begin(w, n, sizes ? &by_sizes : row, sizes ? 2 : 1, &op));
  op->in[op->n_in++] = at;
  if (!sizes) { /* SPLIT has the axis first */
    op->in[1] = op->in[0];
    op->in[0] = at;
  }
  th_tfl_option(op, th_fb_field_s32(TFL_SPLIT_COUNT, n->n_out));
  return TH_OK;
}

th_status th_tfl_write_pack(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, n->n_in));
  TH_TRY(th_tfl_begin(w, n, row, n->n_in, &op));
  th_tfl_option(op, th_fb_field_s32(TFL_PACK_COUNT, n->n_in));
  th_tfl_option(op, th_fb_field_s32(TFL_PACK_AXIS, axis_of(w, n, 1)));
  return TH_OK;
}

th_status th_tfl_write_unpack(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  th_tfl_option(op, th_fb_field_s32(TFL_UNPACK_COUNT, n->n_out));
  th_tfl_option(op, th_fb_field_s32(TFL_UNPACK_AXIS, axis_of(w, n, 0)));
  return TH_OK;
}

/* --- images --- */

th_status th_tfl_write_block(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  th_tfl_option(op, th_fb_field_s32(TFL_BLOCK_SIZE, n->attr[TH_ATTR_BLOCK].i));
  return TH_OK;
}

th_status th_tfl_write_resize(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  const bool linear = n->op == TH_OP_RESIZE_BILINEAR;
  const int32_t size[2] = {n->attr[TH_ATTR_OUT_Y].i, n->attr[TH_ATTR_OUT_X].i};
  int at;
  tfl_operator *op;
  TH_TRY(th_tfl_same_grid(w, n, 1));
  TH_TRY(th_tfl_put_numbers(w, size, th_shape_make(1, 2), &at));
  TH_TRY(th_tfl_begin(w, n, row, 1, &op));
  op->in[op->n_in++] = at;
  if (n->attr[TH_ATTR_ALIGN_CORNERS].i)
    th_tfl_option(op, th_fb_field_u8(linear ? TFL_RESIZE_BILINEAR_ALIGN : TFL_RESIZE_NEAREST_ALIGN, 1));
  if (n->attr[TH_ATTR_HALF_PIXEL].i) {
    th_tfl_option(op, th_fb_field_u8(linear ? TFL_RESIZE_BILINEAR_HALF : TFL_RESIZE_NEAREST_HALF, 1));
    op->version = 3;
  }
  return TH_OK;
}

/* Whether the padding is what files call SAME (or VALID): that of a convolution of the output's size, which then has
 * the input's size. */
static bool is_padded(const tfl_writer *w, const th_node *n, bool same) {
  static const th_attr_id pad[2] = {TH_ATTR_PAD_TOP, TH_ATTR_PAD_LEFT};
  static const th_attr_id strides[2] = {TH_ATTR_STRIDE_Y, TH_ATTR_STRIDE_X};
  for (int d = 1; d <= 2; ++d) {
    const int32_t in = th_node_in(w->g, n, 0)->shape.dim[d], out = th_node_out(w->g, n, 0)->shape.dim[d];
    const int32_t kernel = th_node_in(w->g, n, 1)->shape.dim[d], stride = n->attr[strides[d - 1]].i;
    int32_t before = 0, after;
    if (same) th_op_same_padding(out, kernel, stride, 1, &before, &after);
    const int64_t covered = ((int64_t)out + stride - (same ? 1 : kernel)) / stride;
    if (before != n->attr[pad[d - 1]].i || covered != in) return false;
  }
  return true;
}

th_status th_tfl_write_transpose_conv(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  const th_shape *out = &th_node_out(w->g, n, 0)->shape;
  const bool valid = is_padded(w, n, false);
  int size, bias;
  tfl_operator *op;
  TH_TRY(th_tfl_check_weights(w, n));
  if (n->attr[TH_ATTR_GROUPS].i != 1 || n->attr[TH_ATTR_DILATION_Y].i != 1 || n->attr[TH_ATTR_DILATION_X].i != 1)
    return TFL_NODE_FAIL(n, "groups and dilation cannot be expressed in .tflite");
  if (!valid && !is_padded(w, n, true)) return TFL_NODE_FAIL(n, "its padding is neither SAME nor VALID");
  TH_TRY(th_tfl_put_numbers(w, out->dim, th_shape_make(1, 4), &size));
  TH_TRY(th_tfl_place_bias(w, n, &bias));
  TH_TRY(th_tfl_begin(w, n, row, 2, &op));
  op->in[2] = op->in[0];
  op->in[0] = size;
  op->n_in = 3;
  if (bias >= 0) {
    op->in[op->n_in++] = bias;
    op->version = 3;
  }
  if (valid) th_tfl_option(op, th_fb_field_u8(TFL_WINDOW_PADDING, TFL_PADDING_VALID));
  th_tfl_option(op, th_fb_field_s32(TFL_WINDOW_STRIDE_X, n->attr[TH_ATTR_STRIDE_X].i));
  th_tfl_option(op, th_fb_field_s32(TFL_WINDOW_STRIDE_Y, n->attr[TH_ATTR_STRIDE_Y].i));
  if (n->attr[TH_ATTR_ACTIVATION].i != TH_ACT_NONE) op->version = 4;
  return th_tfl_put_activation(n, op, TFL_TRANSPOSE_CONV_ACTIVATION);
}

th_status th_tfl_write_batch_matmul(tfl_writer *w, const th_node *n, const tfl_out_row *row) {
  tfl_operator *op;
  TH_TRY(th_tfl_begin(w, n, row, 2, &op));
  if (n->attr[TH_ATTR_ADJ_X].i) th_tfl_option(op, th_fb_field_u8(TFL_MATMUL_ADJ_X, 1));
  if (n->attr[TH_ATTR_ADJ_Y].i) th_tfl_option(op, th_fb_field_u8(TFL_MATMUL_ADJ_Y, 1));
  return TH_OK;
}
