/* Gemm and MatMul. With one row they are fully connected layers, with more rows convolutions of 1 x 1.
 *
 * After a flattening the rows of the constant are put into the order in which the data lie, instead of the data into
 * the order that the file thinks of. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <onnx.pb-c.h>
#include <string.h>

#include "base/str.h"
#include "read/onnx_internal.h"

/* --- weights and biases, also of convolutions --- */

/* Weights with a zero point: the kernels for them take uint8. */
static th_status with_zero(onnx_reader *r, onnx_value *w) {
  const int64_t elems = th_shape_elems(&w->shape);
  TH_TRY(th_onnx_spend(r, elems));
  uint8_t *data = TH_ARRAY(r->arena, uint8_t, elems);
  int32_t *zero = TH_ARRAY(r->arena, int32_t, 1);
  if (!data || !zero) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; i++) data[i] = (uint8_t)(((const int8_t *)w->data)[i] + 128);
  *zero = w->grid.zero[0] + 128;
  w->data = data;
  w->dtype = TH_DTYPE_U8;
  w->grid.zero = zero;
  return TH_OK;
}

th_status th_onnx_weights(onnx_reader *r, const onnx_node *n, int i, onnx_value *w) {
  const onnx_value *in = i < n->n_in ? n->in[i] : NULL;
  if (!in) return th_onnx_fail(r, n, "input %d is absent", i);
  if (n->integer) {
    *w = *in; /* th_onnx_try_integer has checked it */
    return w->grid.count == 1 && w->grid.zero[0] != 0 && w->dtype == TH_DTYPE_S8 ? with_zero(r, w) : TH_OK;
  }
  TH_TRY(th_onnx_to_float(r, n, in, w));
  if (w->kind != ONNX_CONST)
    return th_onnx_fail(r, n, "weights %s depend on the data; they must be a constant", in->name);
  if (w->dtype != TH_DTYPE_F32) return th_onnx_fail(r, n, "weights %s are not of a float type", in->name);
  return TH_OK;
}

/* Does a constant hold one number for each channel, when broadcast against an output whose channels are followed by
 * `behind` dimensions? */
static bool is_per_channel(const onnx_value *c, int channels, int behind) {
  const int at = c->shape.rank - 1 - behind;
  if (c->kind != ONNX_CONST || c->dtype != TH_DTYPE_F32 || th_shape_elems(&c->shape) != channels) return false;
  return channels == 1 || (at >= 0 && c->shape.dim[at] == channels);
}

/* An Add of such a constant right behind the node: its numbers; the node then makes the Add's output. */
static th_status following_add(onnx_reader *r, onnx_node *n, int channels, int behind, int rank,
                               const onnx_value **bias) {
  int index;
  const Onnx__NodeProto *add = n->out[0] ? th_onnx_only_reader(r, n->out[0], "Add", &index) : NULL;
  *bias = NULL;
  if (!add || add->n_input != 2 || add->n_output != 1 || th_onnx_attr_of(add, "broadcast")) return TH_OK;
  const int other = th_str_eq(add->input[0], n->out[0]->name);
  onnx_value *c = th_onnx_value(r, add->input[other]), *out = th_onnx_value(r, add->output[0]);
  if (!c || !out) return TH_ERR_RESOURCE;
  if (out->kind != ONNX_UNSET || c->shape.rank > rank) return TH_OK;
  if (!is_per_channel(c, channels, behind)) return TH_OK;
  r->done[index] = true;
  n->out[0] = out;
  *bias = c;
  return TH_OK;
}

/* round(b / (scale of the data * scale of the channel's weights)), as the integer layer adds it. */
static th_status integer_bias(onnx_reader *r, const onnx_node *n, const onnx_value *b, int x, const onnx_value *w,
                              int channels, void **data) {
  const float *real;
  const th_tensor *t = &r->g->tensors[x];
  int32_t *q = TH_ARRAY(r->arena, int32_t, channels);
  TH_TRY(th_onnx_floats(r, n, b, &real));
  if (!q) return TH_ERR_RESOURCE;
  for (int i = 0; i < channels; i++) {
    const double scale = (double)t->quant.scale[0] * (double)w->grid.scale[w->grid.count > 1 ? i : 0];
    const double v = rint((double)real[i] / scale);
    if (!(fabs(v) <= 2147483647.0)) return th_onnx_fail(r, n, "bias %s does not fit 32 bits", b->name);
    q[i] = (int32_t)v;
  }
  *data = q;
  return TH_OK;
}

th_status th_onnx_bias(onnx_reader *r, onnx_node *n, int i, int x, const onnx_value *w, int channels, int behind,
                       int rank, int *tensor) {
  const onnx_value *b = i < n->n_in ? n->in[i] : NULL;
  const th_shape list = th_shape_make(1, channels);
  const float *data;
  void *whole = NULL;
  *tensor = TH_NO_TENSOR;
  if (!b && !n->integer) TH_TRY(following_add(r, n, channels, behind, rank, &b));
  if (!b) return TH_OK;
  if (th_shape_elems(&b->shape) != channels)
    return th_onnx_fail(r, n, "bias %s does not have %d numbers", b->name, channels);
  if (!n->integer) {
    TH_TRY(th_onnx_floats(r, n, b, &data));
    return th_onnx_const(r, b->name, TH_DTYPE_F32, &list, data, tensor);
  }
  if (b->kind == ONNX_CONST && b->dtype == TH_DTYPE_S32)
    return th_onnx_const(r, b->name, TH_DTYPE_S32, &list, b->data, tensor);
  TH_TRY(integer_bias(r, n, b, x, w, channels, &whole));
  return th_onnx_const(r, b->name, TH_DTYPE_S32, &list, whole, tensor);
}

/* --- the layer --- */

typedef struct dense {
  onnx_value x; /* (..., inputs) */
  onnx_value w; /* (inputs, outputs), or the other way round */
  bool swapped; /* w is (outputs, inputs) */
  int32_t ins, outs;
  int64_t rows;
} dense;

/* The weights as (outputs, inputs), the inputs in the order in which the data lie; `order` lists the data's logical
 * dimensions, of sizes in `shape`. */
static th_status put_weights(onnx_reader *r, const onnx_node *n, const dense *d, const th_shape *shape,
                             const onnx_layout *order, const th_shape *as, int *tensor) {
  const int64_t out_step = d->swapped ? d->ins : 1, in_step = d->swapped ? 1 : d->outs;
  int64_t of[TH_MAX_RANK], step[TH_MAX_RANK], size = 1;
  th_shape full = th_shape_make(1, d->outs);
  void *data;
  step[0] = out_step;
  for (int i = shape->rank - 1; i >= 0; i--) of[i] = size, size *= shape->dim[i];
  for (int i = 0; i < order->rank; i++) {
    const int at = order->dim[i];
    if (at < 0 || shape->dim[at] == 1) continue;
    if (full.rank == TH_MAX_RANK) return th_onnx_fail(r, n, "its data have too many dimensions");
    step[full.rank] = of[at] * in_step;
    full.dim[full.rank++] = shape->dim[at];
  }
  TH_TRY(th_onnx_pick(r, d->w.data, th_dtype_bytes(d->w.dtype), 0, &full, step, &data));
  TH_TRY(th_onnx_const(r, d->w.name, d->w.dtype, as, data, tensor));
  if (!d->w.grid.count) return TH_OK;
  if (d->w.grid.count > 1 && d->w.grid.axis != (d->swapped ? 0 : 1))
    return th_onnx_fail(r, n, "weights %s have scales along their inputs, which is not supported", d->w.name);
  return th_graph_set_quant(r->g, *tensor, d->w.grid.count > 1 ? 0 : -1, d->w.grid.count, d->w.grid.scale,
                            d->w.grid.zero);
}

static th_status one_row(onnx_reader *r, onnx_node *n, const dense *d, int bias, int *tensor) {
  const bool pending = d->x.pending;
  const th_shape *base = pending ? &d->x.base : &d->x.shape;
  const th_shape as = th_shape_make(2, d->outs, d->ins), flat = th_shape_make(2, 1, d->ins);
  int in[3] = {d->x.tensor, 0, 0};
  th_node *node;
  TH_TRY(put_weights(r, n, d, base, &d->x.layout, &as, &in[1]));
  const int rank = r->g->tensors[in[0]].shape.rank;
  if (rank != 2 && rank != 4) TH_TRY(th_onnx_reshape(r, n, in[0], &flat, &in[0]));
  TH_TRY(th_onnx_bias(r, n, bias, in[0], &d->w, d->outs, 0, d->x.shape.rank, &in[2]));
  TH_TRY(th_onnx_node(r, n, TH_OP_FULLY_CONNECTED, in, in[2] >= 0 ? 3 : 2, &node));
  return th_onnx_finish(r, n, tensor);
}

static th_status many_rows(onnx_reader *r, onnx_node *n, const dense *d, int bias, int *tensor) {
  const onnx_layout as_is = th_onnx_as_is(&d->x.shape), line = {1, {0}};
  const th_shape as = th_shape_make(4, d->outs, 1, 1, d->ins), inputs = th_shape_make(1, d->ins);
  th_shape rows = th_onnx_physical(&d->x.shape, &as_is);
  int in[3] = {0, 0, 0};
  th_node *node;
  TH_TRY(th_onnx_arrange(r, n, &d->x, &as_is, &in[0]));
  if (rows.rank != 4) {
    rows = th_shape_make(4, 1, 1, (int32_t)d->rows, d->ins);
    TH_TRY(th_onnx_reshape(r, n, in[0], &rows, &in[0]));
  }
  TH_TRY(put_weights(r, n, d, &inputs, &line, &as, &in[1]));
  TH_TRY(th_onnx_bias(r, n, bias, in[0], &d->w, d->outs, 0, d->x.shape.rank, &in[2]));
  TH_TRY(th_onnx_node(r, n, TH_OP_CONV2D, in, in[2] >= 0 ? 3 : 2, &node));
  return th_onnx_finish(r, n, tensor);
}

/* The layout of the result: the rows' own dimensions, then the outputs. (1, outs) of one row; else (1, a, b, outs). */
static void result_layout(const th_shape *out, const th_shape *physical, onnx_layout *l) {
  *l = th_onnx_as_is(out);
  if (l->rank == physical->rank) return;
  *l = (onnx_layout){.rank = physical->rank};
  for (int i = 0; i < l->rank; i++) l->dim[i] = -1;
  l->dim[l->rank - 1] = out->rank - 1;
  if (out->rank > 1 && out->rank <= 3 && l->rank >= 3) l->dim[l->rank - 2] = out->rank - 2;
}

static th_status give_rows(onnx_reader *r, const onnx_node *n, int tensor, const th_shape *out) {
  onnx_layout l;
  result_layout(out, &r->g->tensors[tensor].shape, &l);
  th_shape shape = th_onnx_physical(out, &l);
  if (!th_shape_eq(&shape, &r->g->tensors[tensor].shape)) { /* rows of more dimensions than can be told apart here */
    l = th_onnx_as_is(out);
    shape = th_onnx_physical(out, &l);
    TH_TRY(th_onnx_reshape(r, n, tensor, &shape, &tensor));
  }
  return th_onnx_set(r, n, 0, tensor, out, &l);
}

/* x is data, w a constant of two dimensions. `bias`: the input that may hold one. */
static th_status layer(onnx_reader *r, onnx_node *n, dense *d, int bias) {
  d->ins = d->w.shape.dim[d->swapped ? 1 : 0];
  d->outs = d->w.shape.dim[d->swapped ? 0 : 1];
  const th_shape *s = &d->x.shape;
  if (s->rank < 1 || s->dim[s->rank - 1] != d->ins)
    return th_onnx_fail(r, n, "input %s has %d numbers in a row, weights %s take %d", d->x.name,
                        s->rank ? (int)s->dim[s->rank - 1] : 1, d->w.name, (int)d->ins);
  if (d->outs < 1 || d->ins < 1) return th_onnx_fail(r, n, "weights %s are empty", d->w.name);
  d->rows = th_shape_elems(s) / d->ins;
  if (d->rows != 1) TH_TRY(th_onnx_settle(r, n, &d->x, &d->x));
  th_shape out = d->x.shape;
  out.dim[out.rank - 1] = d->outs;
  int tensor;
  if (d->rows == 1)
    TH_TRY(one_row(r, n, d, bias, &tensor));
  else
    TH_TRY(many_rows(r, n, d, bias, &tensor));
  return give_rows(r, n, tensor, &out);
}

/* Input 0 as it lies, a pending reshape included. */
static th_status take_rows(onnx_reader *r, const onnx_node *n, int i, onnx_value *x) {
  if (i >= n->n_in || !n->in[i]) return th_onnx_fail(r, n, "input %d is absent", i);
  *x = *n->in[i];
  if (!n->integer) TH_TRY(th_onnx_to_float(r, n, n->in[i], x));
  return x->kind == ONNX_DATA ? TH_OK : th_onnx_fail(r, n, "input %s is a constant; it must be data", x->name);
}

static bool is_constant(const onnx_node *n, int i) {
  const onnx_value *v = i < n->n_in ? n->in[i] : NULL;
  return v && (v->view_of ? v->view_of->kind : v->kind) == ONNX_CONST;
}

th_status th_onnx_op_mat_mul(onnx_reader *r, onnx_node *n) {
  dense d = {.swapped = false};
  if (!is_constant(n, 1) || n->in[1]->shape.rank != 2) return th_onnx_mat_mul_data(r, n);
  TH_TRY(take_rows(r, n, 0, &d.x));
  TH_TRY(th_onnx_weights(r, n, 1, &d.w));
  return layer(r, n, &d, 99);
}

/* --- Gemm: alpha A B + beta C --- */

th_status th_onnx_scaled(onnx_reader *r, const onnx_node *n, const onnx_value *v, float factor, onnx_value *out) {
  const float *from;
  const int64_t elems = th_shape_elems(&v->shape);
  *out = *v;
  if (factor == 1) return TH_OK;
  TH_TRY(th_onnx_floats(r, n, v, &from));
  TH_TRY(th_onnx_spend(r, elems));
  float *data = TH_ARRAY(r->arena, float, elems);
  if (!data) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; i++) data[i] = from[i] * factor;
  out->data = data;
  out->view_of = NULL;
  return TH_OK;
}

/* C as a list of one number per output; *fits is false when it differs from row to row. */
static th_status gemm_bias(onnx_reader *r, const onnx_node *n, const onnx_value *c, int32_t outs, float beta,
                           onnx_value *list, bool *fits) {
  const float *from;
  const int64_t elems = th_shape_elems(&c->shape);
  const bool one = elems == 1, row = elems == outs && c->shape.rank > 0 && c->shape.dim[c->shape.rank - 1] == outs;
  *fits = one || row;
  if (!*fits) return TH_OK;
  TH_TRY(th_onnx_floats(r, n, c, &from));
  TH_TRY(th_onnx_spend(r, outs));
  float *data = TH_ARRAY(r->arena, float, outs);
  if (!data) return TH_ERR_RESOURCE;
  for (int32_t i = 0; i < outs; i++) data[i] = from[one ? 0 : i] * beta;
  *list = (onnx_value){.name = c->name, .kind = ONNX_CONST, .dtype = TH_DTYPE_F32, .shape = th_shape_make(1, outs)};
  list->base = list->shape;
  list->data = data;
  return TH_OK;
}

/* Two logical dimensions in the other order: nothing moves. */
static th_status swap_dims(onnx_reader *r, const onnx_node *n, onnx_value *v) {
  TH_TRY(th_onnx_settle(r, n, v, v));
  if (v->shape.rank != 2) return th_onnx_fail(r, n, "input %s has %d dimensions, expected 2", v->name, v->shape.rank);
  v->shape = v->base = th_shape_make(2, v->shape.dim[1], v->shape.dim[0]);
  for (int i = 0; i < v->layout.rank; i++)
    if (v->layout.dim[i] >= 0) v->layout.dim[i] = 1 - v->layout.dim[i];
  return TH_OK;
}

static th_status gemm_of_constant(onnx_reader *r, onnx_node *n, const bool swap[2], float alpha, float beta) {
  dense d = {.swapped = swap[1]};
  onnx_value list, *c = n->n_in > 2 ? n->in[2] : NULL;
  bool fits = true;
  if (c && !n->integer) {
    fits = is_constant(n, 2);
    if (fits) TH_TRY(gemm_bias(r, n, c, n->in[1]->shape.dim[swap[1] ? 0 : 1], beta, &list, &fits));
    if (!fits) return th_onnx_gemm_data(r, n, swap, alpha, beta); /* C differs from row to row, or is data */
  }
  TH_TRY(take_rows(r, n, 0, &d.x));
  if (swap[0]) TH_TRY(swap_dims(r, n, &d.x));
  TH_TRY(th_onnx_weights(r, n, 1, &d.w));
  if (n->integer) return layer(r, n, &d, 2);
  TH_TRY(th_onnx_scaled(r, n, &d.w, alpha, &d.w));
  if (c) n->in[2] = &list;
  const th_status status = layer(r, n, &d, c ? 2 : 99);
  if (c) n->in[2] = c;
  return status;
}

th_status th_onnx_op_gemm(onnx_reader *r, onnx_node *n) {
  int32_t trans_a, trans_b;
  float alpha, beta;
  TH_TRY(th_onnx_attr_int(r, n, "transA", 0, &trans_a));
  TH_TRY(th_onnx_attr_int(r, n, "transB", 0, &trans_b));
  TH_TRY(th_onnx_attr_float(r, n, "alpha", 1, &alpha));
  TH_TRY(th_onnx_attr_float(r, n, "beta", 1, &beta));
  const bool swap[2] = {trans_a != 0, trans_b != 0};
  if (is_constant(n, 1) && n->in[1]->shape.rank == 2 && !is_constant(n, 0))
    return gemm_of_constant(r, n, swap, alpha, beta);
  return th_onnx_gemm_data(r, n, swap, alpha, beta);
}
