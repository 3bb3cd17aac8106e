/* Operators on pictures (and, with a height of 1, on sequences): convolutions, pools, batch norm. Channels lie last.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "op/op.h"
#include "read/onnx_internal.h"

/* A picture as input: the value, its tensor with channels last, and the layout. */
typedef struct picture {
  onnx_value v;
  onnx_layout layout;
  int tensor, spatial; /* number of dimensions that a window slides over: 1 or 2 */
} picture;

static th_status take_picture(onnx_reader *r, const onnx_node *n, picture *p) {
  TH_TRY(th_onnx_data(r, n, 0, &p->v));
  const th_shape *s = &p->v.shape;
  if (s->rank == 5) return th_onnx_fail(r, n, "works in three dimensions; one and two are supported");
  if (s->rank != 3 && s->rank != 4)
    return th_onnx_fail(r, n, "input %s has %d dimensions, expected 3 or 4", p->v.name, s->rank);
  if (s->dim[0] != 1)
    return th_onnx_fail(r, n, "input %s has %d samples; export the model with a batch of 1 or of any size", p->v.name,
                        (int)s->dim[0]);
  p->spatial = s->rank - 2;
  p->layout = th_onnx_channels_last(s->rank);
  return th_onnx_arrange(r, n, &p->v, &p->layout, &p->tensor);
}

/* The last node made yields output 0, a picture of the same rank. */
static th_status give_picture(onnx_reader *r, const onnx_node *n, const picture *p) {
  int tensor;
  TH_TRY(th_onnx_finish(r, n, &tensor));
  const th_shape *t = &r->g->tensors[tensor].shape;
  th_shape logical = th_shape_make(4, 1, t->dim[3], t->dim[1], t->dim[2]);
  if (p->spatial == 1) logical = th_shape_make(3, 1, t->dim[3], t->dim[2]);
  TH_TRY(th_onnx_set(r, n, 0, tensor, &logical, &p->layout));
  if (n->out[0]) n->out[0]->image = true;
  return TH_OK;
}

/* --- windows --- */

typedef struct window {
  int32_t kernel[2], stride[2], dilation[2], before[2], after[2]; /* y, x */
} window;

/* One or two numbers per side into y and x. */
static th_status per_side(onnx_reader *r, const onnx_node *n, const char *name, int spatial, int32_t otherwise,
                          int32_t to[2]) {
  int32_t v[2];
  int count;
  TH_TRY(th_onnx_attr_ints(r, n, name, v, 2, &count));
  if (count && count != spatial) return th_onnx_fail(r, n, "%s has %d numbers, expected %d", name, count, spatial);
  to[0] = spatial == 1 ? (th_str_eq(name, "pads") ? 0 : 1) : count ? v[0] : otherwise;
  to[1] = count ? v[spatial - 1] : otherwise;
  for (int i = 0; i < 2; i++)
    if (to[i] < 1 || to[i] > 65536) return th_onnx_fail(r, n, "%s is %d, must be 1 to 65536", name, (int)to[i]);
  return TH_OK;
}

static th_status explicit_padding(onnx_reader *r, const onnx_node *n, int spatial, window *w) {
  int32_t v[4];
  int count;
  TH_TRY(th_onnx_attr_ints(r, n, "pads", v, 4, &count));
  if (count && count != 2 * spatial) return th_onnx_fail(r, n, "pads has %d numbers, expected %d", count, 2 * spatial);
  for (int i = 0; i < count; i++)
    if (v[i] < 0 || v[i] > 65536) return th_onnx_fail(r, n, "pads holds %d, must be 0 to 65536", (int)v[i]);
  for (int i = 0; i < spatial && count; i++) {
    const int side = spatial == 1 ? 1 : i;
    w->before[side] = v[i];
    w->after[side] = v[spatial + i];
  }
  return TH_OK;
}

/* kernel is known; `size` is that of the input. */
static th_status read_window(onnx_reader *r, const onnx_node *n, int spatial, const int32_t size[2], window *w) {
  const char *mode;
  TH_TRY(per_side(r, n, "strides", spatial, 1, w->stride));
  TH_TRY(per_side(r, n, "dilations", spatial, 1, w->dilation));
  TH_TRY(th_onnx_attr_text(r, n, "auto_pad", "NOTSET", &mode));
  if (th_str_eq(mode, "VALID")) return TH_OK;
  if (th_str_eq(mode, "NOTSET") || !*mode) return explicit_padding(r, n, spatial, w);
  const bool lower = th_str_eq(mode, "SAME_LOWER");
  if (!lower && !th_str_eq(mode, "SAME_UPPER")) return th_onnx_fail(r, n, "auto_pad %s is unknown", mode);
  for (int i = 0; i < 2; i++) {
    int32_t a, b;
    th_op_same_padding(size[i], w->kernel[i], w->stride[i], w->dilation[i], &a, &b);
    w->before[i] = lower ? b : a;
    w->after[i] = lower ? a : b;
  }
  return TH_OK;
}

static void set_window(th_node *node, const window *w) {
  static const th_attr_id ids[5][2] = {{TH_ATTR_KERNEL_Y, TH_ATTR_KERNEL_X},
                                       {TH_ATTR_STRIDE_Y, TH_ATTR_STRIDE_X},
                                       {TH_ATTR_DILATION_Y, TH_ATTR_DILATION_X},
                                       {TH_ATTR_PAD_TOP, TH_ATTR_PAD_LEFT},
                                       {TH_ATTR_PAD_BOTTOM, TH_ATTR_PAD_RIGHT}};
  const int32_t *values[5] = {w->kernel, w->stride, w->dilation, w->before, w->after};
  for (int k = 0; k < 5; k++)
    for (int i = 0; i < 2; i++) node->attr[ids[k][i]].i = values[k][i];
}

static void picture_size(const onnx_reader *r, const picture *p, int32_t size[2]) {
  const th_shape *s = &r->g->tensors[p->tensor].shape;
  size[0] = s->dim[1];
  size[1] = s->dim[2];
}

/* --- convolutions --- */

/* Weights as a constant that the layer can take: float, or the integers of a quantized layer. */
static th_status take_weights(onnx_reader *r, const onnx_node *n, int spatial, onnx_value *w) {
  TH_TRY(th_onnx_weights(r, n, 1, w));
  if (w->shape.rank != spatial + 2)
    return th_onnx_fail(r, n, "weights %s have %d dimensions, the input %d", w->name, w->shape.rank, spatial + 2);
  return TH_OK;
}

static th_status check_kernel_shape(onnx_reader *r, const onnx_node *n, const window *w, int spatial) {
  int32_t said[2];
  TH_TRY(per_side(r, n, "kernel_shape", spatial, 0, said));
  if (said[0] == w->kernel[0] && said[1] == w->kernel[1]) return TH_OK;
  return th_onnx_fail(r, n, "kernel_shape is %d x %d, the weights are %d x %d", (int)said[0], (int)said[1],
                      (int)w->kernel[0], (int)w->kernel[1]);
}

th_status th_onnx_op_conv(onnx_reader *r, onnx_node *n) {
  picture p;
  onnx_value w;
  window win = {{1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
  int32_t groups, size[2];
  int in[3];
  th_node *node;
  TH_TRY(take_picture(r, n, &p));
  TH_TRY(take_weights(r, n, p.spatial, &w));
  TH_TRY(th_onnx_attr_int(r, n, "group", 1, &groups));
  const int32_t channels = p.v.shape.dim[1];
  if (groups < 1 || channels % groups || w.shape.dim[1] != channels / groups)
    return th_onnx_fail(r, n, "weights %s take %d channels in each of %d groups, the input has %d", w.name,
                        (int)w.shape.dim[1], (int)groups, (int)channels);
  for (int i = 0; i < p.spatial; i++) win.kernel[2 - p.spatial + i] = w.shape.dim[2 + i];
  if (th_onnx_attr(n, "kernel_shape")) TH_TRY(check_kernel_shape(r, n, &win, p.spatial));
  picture_size(r, &p, size);
  TH_TRY(read_window(r, n, p.spatial, size, &win));
  const bool depthwise = groups == channels && w.shape.dim[1] == 1 && (groups > 1 || w.shape.dim[0] == 1);
  onnx_layout order = th_onnx_channels_last(w.shape.rank);
  if (depthwise) { /* (oc, 1, ky, kx) -> (1, ky, kx, oc) */
    order.dim[0] = 1;
    order.dim[3] = 0;
  }
  in[0] = p.tensor;
  TH_TRY(th_onnx_arrange(r, n, &w, &order, &in[1]));
  TH_TRY(th_onnx_bias(r, n, 2, p.tensor, &w, w.shape.dim[0], w.shape.rank - 2, w.shape.rank, &in[2]));
  TH_TRY(th_onnx_node(r, n, depthwise ? TH_OP_DEPTHWISE_CONV2D : TH_OP_CONV2D, in, in[2] >= 0 ? 3 : 2, &node));
  set_window(node, &win);
  if (!depthwise) node->attr[TH_ATTR_GROUPS].i = groups;
  return give_picture(r, n, &p);
}

/* --- pools --- */

/* Windows that begin inside the padded picture count, even when they do not end there: ceil_mode. */
static int32_t ceil_more(int32_t size, const window *w, int i) {
  const int64_t reach = (int64_t)w->dilation[i] * (w->kernel[i] - 1) + 1;
  const int64_t span = (int64_t)size + w->before[i] + w->after[i] - reach;
  if (span < 0) return 0;
  int64_t steps = (span + w->stride[i] - 1) / w->stride[i];
  if (steps * w->stride[i] >= (int64_t)size + w->before[i]) steps--;
  const int64_t more = steps * w->stride[i] - span;
  return more > 0 ? (int32_t)more : 0;
}

static th_status read_pool(onnx_reader *r, const onnx_node *n, const picture *p, window *w) {
  int32_t size[2], ceil_mode, storage;
  *w = (window){{1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
  if (!th_onnx_attr(n, "kernel_shape")) return th_onnx_fail(r, n, "has no kernel_shape");
  picture_size(r, p, size);
  TH_TRY(per_side(r, n, "kernel_shape", p->spatial, 1, w->kernel));
  TH_TRY(read_window(r, n, p->spatial, size, w));
  TH_TRY(th_onnx_attr_int(r, n, "ceil_mode", 0, &ceil_mode));
  TH_TRY(th_onnx_attr_int(r, n, "storage_order", 0, &storage));
  for (int i = 0; i < 2 && ceil_mode; i++) w->after[i] += ceil_more(size[i], w, i);
  if (w->dilation[0] != 1 || w->dilation[1] != 1)
    return th_onnx_fail(r, n, "a pool with dilations %d, %d is not supported", (int)w->dilation[0],
                        (int)w->dilation[1]);
  return TH_OK;
}

th_status th_onnx_op_max_pool(onnx_reader *r, onnx_node *n) {
  picture p;
  window w;
  th_node *node;
  if (n->n_out > 1 && n->out[1]) return th_onnx_fail(r, n, "its second output, the indices, is not supported");
  TH_TRY(take_picture(r, n, &p));
  TH_TRY(read_pool(r, n, &p, &w));
  TH_TRY(th_onnx_node(r, n, TH_OP_MAX_POOL2D, &p.tensor, 1, &node));
  set_window(node, &w);
  return give_picture(r, n, &p);
}

/* Zeros around the picture that are part of the averages. */
static th_status pad_with_zeros(onnx_reader *r, const onnx_node *n, const int32_t before[2], const int32_t after[2],
                                int *tensor) {
  const int32_t table[8] = {0, 0, before[0], after[0], before[1], after[1], 0, 0};
  const th_shape shape = th_shape_make(2, 4, 2);
  int in[2] = {*tensor, 0};
  th_node *node;
  TH_TRY(th_onnx_const(r, "paddings", TH_DTYPE_S32, &shape, table, &in[1]));
  TH_TRY(th_onnx_node(r, n, TH_OP_PAD, in, 2, &node));
  return th_onnx_finish(r, n, tensor);
}

th_status th_onnx_op_average_pool(onnx_reader *r, onnx_node *n) {
  picture p;
  window w;
  int32_t counts, size[2];
  th_node *node;
  TH_TRY(take_picture(r, n, &p));
  TH_TRY(th_onnx_attr_int(r, n, "count_include_pad", 0, &counts));
  TH_TRY(read_pool(r, n, &p, &w));
  picture_size(r, &p, size);
  if (counts && (w.before[0] || w.before[1] || w.after[0] || w.after[1])) {
    window said = {.kernel = {w.kernel[0], w.kernel[1]}};
    TH_TRY(read_window(r, n, p.spatial, size, &said)); /* without what ceil_mode adds, which never counts */
    TH_TRY(pad_with_zeros(r, n, said.before, said.after, &p.tensor));
    for (int i = 0; i < 2; i++) {
      w.before[i] = 0;
      w.after[i] -= said.after[i];
    }
  }
  TH_TRY(th_onnx_node(r, n, TH_OP_AVG_POOL2D, &p.tensor, 1, &node));
  set_window(node, &w);
  return give_picture(r, n, &p);
}

th_status th_onnx_op_global_average_pool(onnx_reader *r, onnx_node *n) {
  picture p;
  int tensor;
  th_node *node;
  TH_TRY(take_picture(r, n, &p));
  TH_TRY(th_onnx_node(r, n, TH_OP_GLOBAL_AVG_POOL, &p.tensor, 1, &node));
  TH_TRY(th_onnx_finish(r, n, &tensor));
  th_shape shape = {.rank = p.v.shape.rank, .dim = {1, p.v.shape.dim[1], 1, 1}};
  const onnx_layout layout = {2, {0, 1}};
  TH_TRY(th_onnx_set(r, n, 0, tensor, &shape, &layout));
  if (n->out[0]) n->out[0]->image = true;
  return TH_OK;
}

th_status th_onnx_op_global_max_pool(onnx_reader *r, onnx_node *n) {
  picture p;
  window w = {{1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
  th_node *node;
  TH_TRY(take_picture(r, n, &p));
  picture_size(r, &p, w.kernel);
  TH_TRY(th_onnx_node(r, n, TH_OP_MAX_POOL2D, &p.tensor, 1, &node));
  set_window(node, &w);
  return give_picture(r, n, &p);
}

/* --- batch norm --- */

th_status th_onnx_op_batch_norm(onnx_reader *r, onnx_node *n) {
  onnx_value x;
  int32_t training, spatial;
  int in[5], tensor;
  float epsilon, momentum;
  th_node *node;
  TH_TRY(th_onnx_attr_int(r, n, "training_mode", 0, &training));
  TH_TRY(th_onnx_attr_int(r, n, "spatial", 1, &spatial));
  TH_TRY(th_onnx_attr_float(r, n, "epsilon", 1e-5f, &epsilon));
  TH_TRY(th_onnx_attr_float(r, n, "momentum", 0.9f, &momentum));
  if (training) return th_onnx_fail(r, n, "is in training mode; export the model for inference");
  if (!spatial) return th_onnx_fail(r, n, "works per pixel (spatial = 0), which is not supported");
  if (n->n_out > 1 && n->out[1]) return th_onnx_fail(r, n, "gives away its statistics, which is not supported");
  TH_TRY(th_onnx_data(r, n, 0, &x));
  if (x.shape.rank < 2 || x.shape.rank > 4 || x.shape.dim[0] != 1)
    return th_onnx_fail(r, n, "input %s has %d dimensions and a batch of %d, expected 2 to 4 and 1", x.name,
                        x.shape.rank, x.shape.rank ? (int)x.shape.dim[0] : 0);
  const onnx_layout layout = th_onnx_channels_last(x.shape.rank);
  TH_TRY(th_onnx_arrange(r, n, &x, &layout, &in[0]));
  const th_shape list = th_shape_make(1, x.shape.dim[1]);
  for (int i = 1; i < 5; i++) {
    const float *data;
    TH_TRY(th_onnx_floats(r, n, n->in[i], &data));
    if (th_shape_elems(&n->in[i]->shape) != list.dim[0])
      return th_onnx_fail(r, n, "input %s does not have %d numbers", n->in[i]->name, (int)list.dim[0]);
    TH_TRY(th_onnx_const(r, n->in[i]->name, TH_DTYPE_F32, &list, data, &in[i]));
  }
  TH_TRY(th_onnx_node(r, n, TH_OP_BATCH_NORM, in, 5, &node));
  node->attr[TH_ATTR_EPSILON].f = epsilon;
  node->attr[TH_ATTR_MOMENTUM].f = momentum;
  TH_TRY(th_onnx_finish(r, n, &tensor));
  TH_TRY(th_onnx_set(r, n, 0, tensor, &x.shape, &layout));
  if (n->out[0]) n->out[0]->image = x.shape.rank > 2;
  return TH_OK;
}
