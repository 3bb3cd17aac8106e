/* Helpers of the operator files. See common.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

#include <stdarg.h>
#include <stdio.h>

const th_attr_id th_op_no_attrs[] = {TH_ATTR_COUNT};

th_status th_op_fail(const th_node *n, const char *fmt, ...) {
  char text[400];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return th_fail(TH_ERR_INPUT, "%s (%s): %s", n->name, th_op_name(n->op), text);
}

th_status th_op_need_image(const th_graph *g, const th_node *n, int input) {
  const th_tensor *t = th_node_in(g, n, input);
  char text[TH_SHAPE_TEXT];
  if (t->shape.rank != 4)
    return th_op_fail(n, "input %s is %s, expected batch x height x width x channels", t->name,
                      th_shape_text(&t->shape, text));
  for (int i = 0; i < 4; i++)
    if (t->shape.dim[i] < 1)
      return th_op_fail(n, "input %s is %s: every dimension must be at least 1", t->name,
                        th_shape_text(&t->shape, text));
  if (t->shape.dim[0] != 1)
    return th_op_fail(n, "input %s is %s: its first dimension is the batch of one sample and must be 1", t->name,
                      th_shape_text(&t->shape, text));
  return TH_OK;
}

th_status th_op_need_one(const th_node *n, th_attr_id attr) {
  int32_t v = n->attr[attr].i;
  return v >= 1 && v <= 1 << 20 ? TH_OK : th_op_fail(n, "%s is %d, must be at least 1", th_attr_name(attr), v);
}

int32_t th_op_last_dim(const th_graph *g, const th_node *n, int input) {
  const th_shape *s = &th_node_in(g, n, input)->shape;
  return s->rank ? s->dim[s->rank - 1] : 1;
}

th_status th_op_set_out(th_graph *g, const th_node *n, int out, const th_shape *s) {
  int64_t elems = 1;
  char text[TH_SHAPE_TEXT];
  for (int i = 0; i < s->rank; i++) {
    if (s->dim[i] < 1 || elems > INT32_MAX / s->dim[i])
      return th_op_fail(n, "its output would be %s: every dimension must be at least 1, and all in all below 2^31",
                        th_shape_text(s, text));
    elems *= s->dim[i];
  }
  th_node_out(g, n, out)->shape = *s;
  return TH_OK;
}

th_status th_op_need_s32(const th_graph *g, const th_node *n, int input, const char *what, int count,
                         const int32_t **values) {
  const th_tensor *t = th_node_in(g, n, input);
  char text[TH_SHAPE_TEXT];
  if (t->dtype != TH_DTYPE_S32 || !t->data || th_shape_elems(&t->shape) != count)
    return th_op_fail(n, "%s %s are %s %s, expected %d constant s32 values", what, t->name, th_dtype_name(t->dtype),
                      th_shape_text(&t->shape, text), count);
  *values = t->data;
  return TH_OK;
}

int th_op_axis(const th_node *n, int rank) {
  const int64_t axis = n->attr[TH_ATTR_AXIS].i < 0 ? (int64_t)n->attr[TH_ATTR_AXIS].i + rank : n->attr[TH_ATTR_AXIS].i;
  return axis >= 0 && axis < rank ? (int)axis : -1;
}

static th_op_geometry geometry(const th_graph *g, const th_node *n, int kernel_y, int kernel_x) {
  const th_shape *in = &th_node_in(g, n, 0)->shape;
  const th_attr *a = n->attr;
  return (th_op_geometry){.in_y = in->dim[1],
                          .in_x = in->dim[2],
                          .in_c = in->dim[3],
                          .kernel_y = kernel_y,
                          .kernel_x = kernel_x,
                          .stride_y = a[TH_ATTR_STRIDE_Y].i,
                          .stride_x = a[TH_ATTR_STRIDE_X].i,
                          .dilation_y = a[TH_ATTR_DILATION_Y].i,
                          .dilation_x = a[TH_ATTR_DILATION_X].i,
                          .top = a[TH_ATTR_PAD_TOP].i,
                          .bottom = a[TH_ATTR_PAD_BOTTOM].i,
                          .left = a[TH_ATTR_PAD_LEFT].i,
                          .right = a[TH_ATTR_PAD_RIGHT].i};
}

th_status th_op_geometry_infer(const th_graph *g, const th_node *n, int kernel_y, int kernel_x, th_op_geometry *o) {
  static const th_attr_id positive[] = {TH_ATTR_STRIDE_Y, TH_ATTR_STRIDE_X, TH_ATTR_DILATION_Y, TH_ATTR_DILATION_X};
  static const th_attr_id pads[] = {TH_ATTR_PAD_TOP, TH_ATTR_PAD_BOTTOM, TH_ATTR_PAD_LEFT, TH_ATTR_PAD_RIGHT};
  TH_TRY(th_op_need_image(g, n, 0));
  for (int i = 0; i < 4; i++) TH_TRY(th_op_need_one(n, positive[i]));
  for (int i = 0; i < 4; i++)
    if (n->attr[pads[i]].i < 0 || n->attr[pads[i]].i > 1 << 16)
      return th_op_fail(n, "%s is %d, must be 0 to 65536", th_attr_name(pads[i]), n->attr[pads[i]].i);
  if (kernel_y < 1 || kernel_x < 1 || kernel_y > 1 << 20 || kernel_x > 1 << 20)
    return th_op_fail(n, "kernel is %d x %d, must be at least 1 x 1", kernel_y, kernel_x);
  *o = geometry(g, n, kernel_y, kernel_x);
  o->out_y = th_op_window(o->in_y, kernel_y, o->stride_y, o->dilation_y, o->top, o->bottom);
  o->out_x = th_op_window(o->in_x, kernel_x, o->stride_x, o->dilation_x, o->left, o->right);
  if (o->out_y < 1 || o->out_x < 1)
    return th_op_fail(
        n,
        "a window of %d x %d (dilation %d x %d) does not fit an input of %d x %d with padding %d, %d, %d, "
        "%d (top, bottom, left, right)",
        kernel_y, kernel_x, o->dilation_y, o->dilation_x, o->in_y, o->in_x, o->top, o->bottom, o->left, o->right);
  return TH_OK;
}

th_op_geometry th_op_geometry_of(const th_graph *g, const th_node *n, int kernel_y, int kernel_x) {
  th_op_geometry o = geometry(g, n, kernel_y, kernel_x);
  const th_shape *out = &th_node_out(g, n, 0)->shape;
  o.out_y = out->dim[1];
  o.out_x = out->dim[2];
  o.out_c = out->dim[3];
  return o;
}

static th_unary activation_of(const th_node *n) {
  switch (n->attr[TH_ATTR_ACTIVATION].i) {
    case TH_ACT_RELU:
      return TH_UNARY_RELU;
    case TH_ACT_RELU6:
      return TH_UNARY_RELU6;
    case TH_ACT_RELU_N1_1:
      return TH_UNARY_RELU_N1_1;
    case TH_ACT_TANH:
      return TH_UNARY_TANH;
    default:
      return TH_UNARY_COUNT;
  }
}

void th_op_activation_apply(const th_node *n, float *y, int64_t count) {
  if (th_op_has_activation(n)) th_math_get()->unary(activation_of(n), 0, y, y, count);
}

const float *th_op_activation_undo(const th_node *n, const float *y, const float *dy, float *buffer, int64_t count) {
  if (!th_op_has_activation(n)) return dy;
  th_math_get()->unary_grad(activation_of(n), 0, y, dy, buffer, count, false);
  return buffer;
}

th_status th_op_activation_check(const th_node *n) {
  int32_t a = n->attr[TH_ATTR_ACTIVATION].i;
  return a >= 0 && a < TH_ACT_COUNT ? TH_OK : th_op_fail(n, "activation number %d does not exist", a);
}

float *th_op_take(th_op_scratch *s, size_t elems) {
  size_t at = s->used;
  s->used += (elems + 15) / 16 * 16; /* keeps every part on a cache line */
  return s->base ? s->base + at : NULL;
}

void th_op_unary_forward(const th_op_run *r, th_unary f, float alpha) {
  int64_t n = th_op_elems_out(r->graph, r->node);
  th_math_get()->unary(f, alpha, r->in[0] + r->begin * n, r->out[0] + r->begin * n, th_op_samples(r) * n);
}

void th_op_unary_backward(const th_op_run *r, th_unary f, float alpha, const float *x_or_y) {
  int64_t n = th_op_elems_out(r->graph, r->node), at = r->begin * n;
  if (!r->d_in[0]) return;
  th_math_get()->unary_grad(f, alpha, x_or_y + at, r->d_out[0] + at, r->d_in[0] + at, th_op_samples(r) * n,
                            th_op_accumulates(r, 0));
}

th_status th_op_same_shape_infer(th_graph *g, th_node *n) {
  th_op_set_shape(g, n, &th_node_in(g, n, 0)->shape);
  return TH_OK;
}

th_op_cost th_op_cost_none(const th_graph *g, const th_node *n) {
  return (th_op_cost){0, 0};
}

void th_op_copy(float *to, const float *from, int64_t per_sample, const th_op_run *r, bool accumulate) {
  int64_t at = r->begin * per_sample, n = th_op_samples(r) * per_sample;
  if (accumulate)
    th_math_get()->add(to + at, from + at, n);
  else if (to != from)
    memcpy(to + at, from + at, sizeof(float) * (size_t)n);
}
