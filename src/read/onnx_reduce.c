/* Operators along axes: softmax, reductions, argmax; products of two data; normalizations made of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "read/onnx_internal.h"

/* --- softmax --- */

/* The data's order with one dimension moved to the end. */
static onnx_layout with_last(const onnx_value *v, int axis) {
  onnx_layout l = {.rank = 0};
  for (int i = 0; i < v->layout.rank; i++)
    if (v->layout.dim[i] != axis) l.dim[l.rank++] = v->layout.dim[i];
  if (l.rank == 0) l.dim[l.rank++] = -1;
  if (l.rank == TH_MAX_RANK) l.rank--; /* th_onnx_arrange refuses when that was needed */
  l.dim[l.rank++] = axis;
  if (l.dim[0] >= 0 && v->shape.dim[l.dim[0]] != 1) { /* the first must stay 1 */
    memmove(l.dim + 1, l.dim, sizeof l.dim - sizeof l.dim[0]);
    l.dim[0] = -1;
    if (l.rank < TH_MAX_RANK) l.rank++;
  }
  return l;
}

/* Before opset 13 all dimensions from the axis on are one. Either way: the last dimension of rows x columns. */
static th_status softmax_rows(onnx_reader *r, onnx_node *n, const onnx_value *v, int axis) {
  const onnx_layout l = th_onnx_as_is(&v->shape);
  th_shape rows = th_shape_make(3, 1, 1, 1);
  const th_shape shape = th_onnx_physical(&v->shape, &l);
  int tensor;
  th_node *node;
  for (int i = 0; i < v->shape.rank; i++) rows.dim[i < axis ? 1 : 2] *= v->shape.dim[i];
  TH_TRY(th_onnx_arrange(r, n, v, &l, &tensor));
  TH_TRY(th_onnx_reshape(r, n, tensor, &rows, &tensor));
  TH_TRY(th_onnx_node(r, n, n->row->op, &tensor, 1, &node));
  TH_TRY(th_onnx_finish(r, n, &tensor));
  TH_TRY(th_onnx_reshape(r, n, tensor, &shape, &tensor));
  return th_onnx_set(r, n, 0, tensor, &v->shape, &l);
}

th_status th_onnx_op_softmax(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  int32_t given;
  int axis, tensor, real = 0, last = -1;
  th_node *node;
  TH_TRY(th_onnx_data(r, n, 0, &v));
  TH_TRY(th_onnx_attr_int(r, n, "axis", r->opset >= 13 ? -1 : 1, &given));
  if (v.shape.rank == 0) v.shape = v.base = th_shape_make(1, 1); /* one number: a row of one */
  if (r->opset < 13 && given == v.shape.rank) given = v.shape.rank - 1;
  TH_TRY(th_onnx_axis(r, n, given, v.shape.rank, &axis));
  for (int i = axis; i < v.shape.rank; i++)
    if (v.shape.dim[i] != 1) real++, last = i;
  if (r->opset < 13 && real > 1) return softmax_rows(r, n, &v, axis);
  if (r->opset < 13 && real == 1) axis = last;
  const bool lies_last = v.layout.rank > 1 && v.layout.dim[v.layout.rank - 1] == axis;
  const onnx_layout l = lies_last ? v.layout : with_last(&v, axis);
  TH_TRY(th_onnx_arrange(r, n, &v, &l, &tensor));
  TH_TRY(th_onnx_node(r, n, n->row->op, &tensor, 1, &node));
  TH_TRY(th_onnx_finish(r, n, &tensor));
  TH_TRY(th_onnx_set(r, n, 0, tensor, &v.shape, &l));
  if (n->out[0]) n->out[0]->image = v.image;
  return TH_OK;
}

/* --- reductions --- */

static th_status axes_mask(onnx_reader *r, const onnx_node *n, int rank, unsigned *mask) {
  int32_t axes[TH_MAX_RANK], nothing;
  int count, axis;
  TH_TRY(th_onnx_ints(r, n, 1, "axes", axes, TH_MAX_RANK, &count));
  TH_TRY(th_onnx_attr_int(r, n, "noop_with_empty_axes", 0, &nothing));
  *mask = count || nothing ? 0 : (1u << rank) - 1;
  for (int i = 0; i < count; i++) {
    TH_TRY(th_onnx_axis(r, n, axes[i], rank, &axis));
    *mask |= 1u << axis;
  }
  return TH_OK;
}

/* The shape without the dimensions of the mask (keep: with a 1 instead), and where they go. */
static void reduced_shape(const th_shape *from, unsigned mask, bool keep, th_shape *to, int *place) {
  *to = (th_shape){.rank = 0};
  for (int i = 0; i < from->rank; i++) {
    const bool goes = mask >> i & 1;
    place[i] = goes && !keep ? -1 : to->rank;
    if (!goes || keep) to->dim[to->rank++] = goes ? 1 : from->dim[i];
  }
}

static onnx_layout renumbered(const onnx_layout *l, const int *place) {
  onnx_layout to = *l;
  for (int i = 0; i < to.rank; i++)
    if (to.dim[i] >= 0) to.dim[i] = place[to.dim[i]];
  return to;
}

/* One operator over the dimensions of the mask, which become ones. */
static th_status reduce_tensor(onnx_reader *r, const onnx_node *n, th_op_id op, const onnx_value *v, unsigned mask,
                               int *tensor) {
  int32_t bits = 0;
  th_node *node;
  for (int i = 0; i < v->layout.rank; i++)
    if (v->layout.dim[i] >= 0 && (mask >> v->layout.dim[i] & 1) && v->shape.dim[v->layout.dim[i]] != 1) bits |= 1 << i;
  *tensor = v->tensor;
  if (!bits) return TH_OK; /* of single values: each is its own sum, mean and maximum */
  TH_TRY(th_onnx_node(r, n, op, &v->tensor, 1, &node));
  node->attr[TH_ATTR_AXES_MASK].i = bits;
  node->attr[TH_ATTR_KEEP_DIMS].i = 1;
  return th_onnx_finish(r, n, tensor);
}

th_status th_onnx_over(onnx_reader *r, onnx_node *n, th_op_id op, unsigned mask, const onnx_value *v, onnx_value *out) {
  onnx_value result = *v;
  TH_TRY(reduce_tensor(r, n, op, v, mask, &result.tensor));
  for (int i = 0; i < v->shape.rank; i++)
    if (mask >> i & 1) result.shape.dim[i] = 1;
  result.base = result.shape;
  *out = result;
  return TH_OK;
}

static th_status map(onnx_reader *r, const onnx_node *n, th_op_id op, int *tensor) {
  th_node *node;
  if (op == TH_OP_NONE) return TH_OK;
  TH_TRY(th_onnx_node(r, n, op, tensor, 1, &node));
  return th_onnx_finish(r, n, tensor);
}

typedef struct reduction {
  const char *name;
  th_op_id before, op, after;
} reduction;

static const reduction reductions[] = {
    {"ReduceMean", TH_OP_NONE, TH_OP_MEAN, TH_OP_NONE},        {"ReduceSum", TH_OP_NONE, TH_OP_SUM, TH_OP_NONE},
    {"ReduceMax", TH_OP_NONE, TH_OP_REDUCE_MAX, TH_OP_NONE},   {"ReduceMin", TH_OP_NONE, TH_OP_REDUCE_MIN, TH_OP_NONE},
    {"ReduceProd", TH_OP_NONE, TH_OP_REDUCE_PROD, TH_OP_NONE}, {"ReduceL1", TH_OP_ABS, TH_OP_SUM, TH_OP_NONE},
    {"ReduceL2", TH_OP_SQUARE, TH_OP_SUM, TH_OP_SQRT},         {"ReduceSumSquare", TH_OP_SQUARE, TH_OP_SUM, TH_OP_NONE},
    {"ReduceLogSum", TH_OP_NONE, TH_OP_SUM, TH_OP_LOG},
};

static const reduction *reduction_of(const char *name) {
  size_t i = 0;
  while (!th_str_eq(reductions[i].name, name)) i++; /* the table of operators names no other */
  return &reductions[i];
}

/* The mean of a picture is the operator that users know. */
static bool is_global_pool(const onnx_value *v, const reduction *d, unsigned mask) {
  const onnx_layout l = th_onnx_channels_last(4);
  return d->op == TH_OP_MEAN && v->shape.rank == 4 && mask == (1u << 2 | 1u << 3) && v->layout.rank == 4 &&
         memcmp(v->layout.dim, l.dim, 4 * sizeof l.dim[0]) == 0;
}

th_status th_onnx_op_reduce(onnx_reader *r, onnx_node *n) {
  const reduction *d = reduction_of(n->row->name);
  onnx_value v;
  th_shape to;
  int32_t keep;
  int place[TH_MAX_RANK];
  unsigned mask;
  TH_TRY(th_onnx_data(r, n, 0, &v));
  TH_TRY(th_onnx_attr_int(r, n, "keepdims", 1, &keep));
  TH_TRY(axes_mask(r, n, v.shape.rank, &mask));
  reduced_shape(&v.shape, mask, keep != 0, &to, place);
  onnx_layout l = renumbered(&v.layout, place);
  TH_TRY(map(r, n, d->before, &v.tensor));
  int tensor = v.tensor;
  if (is_global_pool(&v, d, mask)) {
    TH_TRY(map(r, n, TH_OP_GLOBAL_AVG_POOL, &tensor));
    l = (onnx_layout){2, {0, 1}};
  } else {
    TH_TRY(reduce_tensor(r, n, d->op, &v, mask, &tensor));
  }
  TH_TRY(map(r, n, d->after, &tensor));
  TH_TRY(th_onnx_set(r, n, 0, tensor, &to, &l));
  if (n->out[0]) n->out[0]->image = v.image && keep;
  return TH_OK;
}

th_status th_onnx_op_arg_max(onnx_reader *r, onnx_node *n) {
  onnx_value v;
  th_shape to;
  int32_t given, keep, last;
  int axis, place[TH_MAX_RANK], tensor;
  th_node *node;
  TH_TRY(th_onnx_data(r, n, 0, &v));
  TH_TRY(th_onnx_attr_int(r, n, "axis", 0, &given));
  TH_TRY(th_onnx_attr_int(r, n, "keepdims", 1, &keep));
  TH_TRY(th_onnx_attr_int(r, n, "select_last_index", 0, &last));
  TH_TRY(th_onnx_axis(r, n, given, v.shape.rank, &axis));
  int at = th_onnx_place(&v.layout, axis);
  if (at < 1) { /* a dimension of 1 that was left out, or stands for the batch */
    const onnx_value before = v;
    v.layout = with_last(&v, axis);
    TH_TRY(th_onnx_arrange(r, n, &before, &v.layout, &v.tensor));
    at = th_onnx_place(&v.layout, axis);
  }
  if (at < 1) return th_onnx_fail(r, n, "has too many dimensions");
  TH_TRY(th_onnx_node(r, n, n->row->op, &v.tensor, 1, &node));
  node->attr[TH_ATTR_AXIS].i = at;
  node->attr[TH_ATTR_SELECT_LAST].i = last != 0;
  r->g->tensors[node->out[0]].dtype = TH_DTYPE_S32;
  r->g->tensors[node->out[0]].quant = (th_quant){.axis = -1};
  TH_TRY(th_onnx_finish(r, n, &tensor));
  reduced_shape(&v.shape, 1u << axis, keep != 0, &to, place);
  onnx_layout l = renumbered(&v.layout, place);
  memmove(l.dim + at, l.dim + at + 1, (size_t)(l.rank - at - 1) * sizeof l.dim[0]);
  l.rank--; /* .tflite has no index that keeps the dimension */
  return th_onnx_set(r, n, 0, tensor, &to, &l);
}

/* --- products of data --- */

/* As matrices with leading dimensions, 1 at the very front; a vector is a row on the left and a column on the right. */
static th_status matrices(onnx_reader *r, const onnx_node *n, const onnx_value *in, int rank, bool left, int *tensor) {
  onnx_value v = *in;
  if (!n->integer) TH_TRY(th_onnx_to_float(r, n, in, &v));
  if (!n->integer && v.dtype != TH_DTYPE_F32) return th_onnx_fail(r, n, "input %s is not of a float type", in->name);
  if (v.kind == ONNX_DATA) TH_TRY(th_onnx_settle(r, n, &v, &v));
  onnx_layout l = {.rank = rank + 1};
  if (rank + 1 > TH_MAX_RANK || v.shape.rank < 1) return th_onnx_fail(r, n, "has too many or too few dimensions");
  const bool column = v.shape.rank == 1 && !left;
  for (int k = 0; k < l.rank; k++) {
    const int logical = k - (l.rank - v.shape.rank) + column;
    l.dim[k] = logical >= 0 && logical < v.shape.rank ? logical : -1;
  }
  return th_onnx_arrange(r, n, &v, &l, tensor);
}

/* The result's logical shape: that of the tensor without the 1 in front, and without those that vectors were given. */
static void product_shape(const th_shape *s, int rank, bool row, bool column, onnx_value *out) {
  out->shape = (th_shape){.rank = 0};
  out->layout = (onnx_layout){.rank = s->rank};
  for (int i = 0; i < s->rank; i++) {
    const bool goes = i < s->rank - rank || (row && i == s->rank - 2) || (column && i == s->rank - 1);
    out->layout.dim[i] = goes ? -1 : out->shape.rank;
    if (!goes) out->shape.dim[out->shape.rank++] = s->dim[i];
  }
  out->base = out->shape;
}

static th_status product(onnx_reader *r, onnx_node *n, const onnx_value *a, const onnx_value *b, bool swap_a,
                         bool swap_b, onnx_value *out) {
  int in[2];
  th_node *node;
  const bool row = a->shape.rank == 1, column = b->shape.rank == 1;
  int rank = a->shape.rank > b->shape.rank ? a->shape.rank : b->shape.rank;
  if (rank < 2) rank = 2;
  if (a->kind == ONNX_CONST && b->kind == ONNX_CONST) return th_onnx_fail(r, n, "of constants is not supported");
  TH_TRY(matrices(r, n, a, rank, true, &in[0]));
  TH_TRY(matrices(r, n, b, rank, false, &in[1]));
  TH_TRY(th_onnx_node(r, n, TH_OP_BATCH_MATMUL, in, 2, &node));
  node->attr[TH_ATTR_ADJ_X].i = swap_a;
  node->attr[TH_ATTR_ADJ_Y].i = swap_b;
  *out = (onnx_value){.name = a->name, .kind = ONNX_DATA};
  TH_TRY(th_onnx_finish(r, n, &out->tensor));
  out->dtype = r->g->tensors[out->tensor].dtype;
  product_shape(&r->g->tensors[out->tensor].shape, rank, row, column, out);
  return TH_OK;
}

th_status th_onnx_mat_mul_data(onnx_reader *r, onnx_node *n) {
  onnx_value out;
  if (n->n_in < 2 || !n->in[0] || !n->in[1]) return th_onnx_fail(r, n, "an input is absent");
  TH_TRY(product(r, n, n->in[0], n->in[1], false, false, &out));
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}

th_status th_onnx_gemm_data(onnx_reader *r, onnx_node *n, const bool swap[2], float alpha, float beta) {
  onnx_value out, c;
  if (n->integer || n->n_in < 2 || !n->in[0] || !n->in[1]) return th_onnx_fail(r, n, "its weights are no constant");
  if (n->in[0]->shape.rank != 2 || n->in[1]->shape.rank != 2) return th_onnx_fail(r, n, "takes two matrices");
  TH_TRY(product(r, n, n->in[0], n->in[1], swap[0], swap[1], &out));
  if (alpha != 1) TH_TRY(th_onnx_two_number(r, n, TH_OP_MUL, &out, alpha, &out));
  if (n->n_in > 2 && n->in[2] && beta != 0) {
    c = *n->in[2];
    const onnx_value ab = out;
    if (beta != 1 && c.kind == ONNX_DATA) TH_TRY(th_onnx_two_number(r, n, TH_OP_MUL, n->in[2], beta, &c));
    if (beta != 1 && c.kind == ONNX_CONST) TH_TRY(th_onnx_scaled(r, n, n->in[2], beta, &c));
    TH_TRY(th_onnx_two(r, n, TH_OP_ADD, &ab, &c, &out));
  }
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}

/* --- normalizations --- */

/* (x - mean) / sqrt(variance + epsilon) over the dimensions of the mask; also the mean and the factor. */
static th_status standardize(onnx_reader *r, onnx_node *n, const onnx_value *x, unsigned mask, float epsilon,
                             onnx_value *out, onnx_value of[2]) {
  onnx_value rest, squares, variance, shifted;
  TH_TRY(th_onnx_over(r, n, TH_OP_MEAN, mask, x, &of[0]));
  TH_TRY(th_onnx_two(r, n, TH_OP_SUB, x, &of[0], &rest));
  TH_TRY(th_onnx_one(r, n, TH_OP_SQUARE, &rest, &squares));
  TH_TRY(th_onnx_over(r, n, TH_OP_MEAN, mask, &squares, &variance));
  TH_TRY(th_onnx_two_number(r, n, TH_OP_ADD, &variance, epsilon, &shifted));
  TH_TRY(th_onnx_one(r, n, TH_OP_RSQRT, &shifted, &of[1]));
  return th_onnx_two(r, n, TH_OP_MUL, &rest, &of[1], out);
}

/* times scale plus shift; `behind`: how many dimensions follow theirs. */
static th_status scale_and_shift(onnx_reader *r, onnx_node *n, const onnx_value *x, int behind, onnx_value *out) {
  *out = *x;
  for (int i = 1; i < n->n_in && i < 3; i++) {
    if (!n->in[i]) continue;
    onnx_value c = *n->in[i];
    const onnx_value before = *out;
    if (c.kind != ONNX_CONST) return th_onnx_fail(r, n, "input %s must be a constant", c.name);
    c.view_of = NULL; /* its float values are there */
    if (c.shape.rank + behind > TH_MAX_RANK) return th_onnx_fail(r, n, "input %s has too many dimensions", c.name);
    for (int k = 0; k < behind; k++) c.shape.dim[c.shape.rank++] = 1;
    c.base = c.shape;
    TH_TRY(th_onnx_two(r, n, i == 1 ? TH_OP_MUL : TH_OP_ADD, &before, &c, out));
  }
  out->image = x->image;
  return TH_OK;
}

th_status th_onnx_op_instance_norm(onnx_reader *r, onnx_node *n) {
  onnx_value x, y, out, of[2];
  float epsilon;
  TH_TRY(th_onnx_data(r, n, 0, &x));
  TH_TRY(th_onnx_attr_float(r, n, "epsilon", 1e-5f, &epsilon));
  if (x.shape.rank < 3) return th_onnx_fail(r, n, "input %s has %d dimensions", x.name, x.shape.rank);
  TH_TRY(standardize(r, n, &x, ((1u << x.shape.rank) - 1) & ~3u, epsilon, &y, of));
  TH_TRY(scale_and_shift(r, n, &y, x.shape.rank - 2, &out));
  th_onnx_rename(n, 0, &out);
  return TH_OK;
}

th_status th_onnx_op_layer_norm(onnx_reader *r, onnx_node *n) {
  onnx_value x, y, out, of[2];
  float epsilon;
  int32_t given;
  int axis;
  TH_TRY(th_onnx_data(r, n, 0, &x));
  TH_TRY(th_onnx_attr_float(r, n, "epsilon", 1e-5f, &epsilon));
  TH_TRY(th_onnx_attr_int(r, n, "axis", -1, &given));
  TH_TRY(th_onnx_axis(r, n, given, x.shape.rank, &axis));
  TH_TRY(standardize(r, n, &x, ((1u << x.shape.rank) - 1) & ~((1u << axis) - 1), epsilon, &y, of));
  TH_TRY(scale_and_shift(r, n, &y, 0, &out));
  th_onnx_rename(n, 0, &out);
  for (int k = 1; k < 3; k++) th_onnx_rename(n, k, &of[k - 1]);
  return TH_OK;
}
