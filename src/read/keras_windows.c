/* Layers that slide a window over rows and images: convolutions and pools; and dense layers, which are convolutions
 * when they have more than one place to work on. 1D layers work on images of height 1. See keras_internal.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "read/keras_internal.h"

enum { MAX_WINDOW = 65536, MAX_UNITS = 1 << 24 };

static th_status done(kr_call *c, int value) {
  c->out[0] = value;
  c->n_out = 1;
  return TH_OK;
}

static th_status activate_and_finish(kr_reader *r, kr_call *c, int value) {
  TH_TRY(th_keras_activate(r, c, &value));
  return done(c, value);
}

/* --- windows --- */

typedef struct window {
  int dims;                                                   /* 1 or 2 */
  int kernel[2], stride[2], dilation[2], before[2], after[2]; /* y, x */
} window;

th_status th_keras_channels_last(const kr_reader *r, const kr_layer *l) {
  const char *format = th_keras_text(l, "data_format", "channels_last");
  if (th_str_eq(format, "channels_last")) return TH_OK;
  return th_keras_fail(r, l, "data_format is %.40s; only channels_last is supported", format);
}

/* `n` numbers into the last n of (y, x) */
static th_status pair(const kr_reader *r, const kr_layer *l, const char *key, int dims, int lo, int *yx) {
  return th_keras_ints(r, l, key, dims, lo, MAX_WINDOW, yx + 2 - dims);
}

static th_status set_padding(const kr_reader *r, const kr_layer *l, const th_shape *image, window *w) {
  const char *padding = th_keras_text(l, "padding", "valid");
  if (th_str_eq(padding, "valid")) return TH_OK;
  if (th_str_eq(padding, "same")) {
    for (int i = 2 - w->dims; i < 2; i++)
      th_op_same_padding(image->dim[1 + i], w->kernel[i], w->stride[i], w->dilation[i], &w->before[i], &w->after[i]);
    return TH_OK;
  }
  if (th_str_eq(padding, "causal") && w->dims == 1) {
    int64_t before = (int64_t)(w->kernel[1] - 1) * w->dilation[1];
    if (before > MAX_WINDOW) return th_keras_fail(r, l, "its padding is %lld", (long long)before);
    w->before[1] = (int)before;
    return TH_OK;
  }
  return th_keras_fail(r, l, "padding is %.40s, expected valid or same", padding);
}

static th_status conv_window(const kr_reader *r, const kr_call *c, int dims, window *w) {
  *w = (window){.dims = dims, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
  if (!th_json_get(c->layer->config, "kernel_size")) return th_keras_fail(r, c->layer, "it has no kernel_size");
  TH_TRY(th_keras_rank(r, c, dims + 2, dims + 2));
  TH_TRY(th_keras_channels_last(r, c->layer));
  TH_TRY(pair(r, c->layer, "kernel_size", dims, 1, w->kernel));
  TH_TRY(pair(r, c->layer, "strides", dims, 1, w->stride));
  return pair(r, c->layer, "dilation_rate", dims, 1, w->dilation);
}

static void set_window(th_node *n, const window *w) {
  static const th_attr_id ids[5][2] = {{TH_ATTR_KERNEL_Y, TH_ATTR_KERNEL_X},
                                       {TH_ATTR_STRIDE_Y, TH_ATTR_STRIDE_X},
                                       {TH_ATTR_DILATION_Y, TH_ATTR_DILATION_X},
                                       {TH_ATTR_PAD_TOP, TH_ATTR_PAD_LEFT},
                                       {TH_ATTR_PAD_BOTTOM, TH_ATTR_PAD_RIGHT}};
  const int *values[5] = {w->kernel, w->stride, w->dilation, w->before, w->after};
  for (int k = 0; k < 5; k++)
    for (int i = 0; i < 2; i++) n->attr[ids[k][i]].i = values[k][i];
}

/* --- convolutions --- */

static kr_weight bias_of(int n) {
  return th_keras_channel_weight("bias", n);
}

/* Keras: (ky, kx, ic / groups, oc); 1D: without ky. Ours: (oc, ky, kx, ic / groups). */
static kr_weight conv_kernel(const char *role, const window *w, int in, int out) {
  kr_weight k = {.role = role,
                 .rank = w->dims + 2,
                 .shape = th_shape_make(4, out, w->kernel[0], w->kernel[1], in),
                 .outer = w->kernel[0] * w->kernel[1] * in,
                 .inner = out};
  int64_t dim[4] = {w->kernel[0], w->kernel[1], in, out};
  memcpy(k.dim, dim + 2 - w->dims, sizeof *dim * (size_t)k.rank);
  return k;
}

/* Keras: (ky, kx, ic, multiplier). Ours: (1, ky, kx, ic * multiplier): the same order. */
static kr_weight depthwise_kernel(const char *role, const window *w, int in, int multiplier) {
  kr_weight k = {
      .role = role, .rank = w->dims + 2, .shape = th_shape_make(4, 1, w->kernel[0], w->kernel[1], in * multiplier)};
  int64_t dim[4] = {w->kernel[0], w->kernel[1], in, multiplier};
  memcpy(k.dim, dim + 2 - w->dims, sizeof *dim * (size_t)k.rank);
  return k;
}

/* kernel_y * kernel_x * in * out, before it is multiplied in 32 bits. */
static th_status check_volume(const kr_reader *r, const kr_call *c, const window *w, int in, int out) {
  double volume = (double)w->kernel[0] * w->kernel[1] * in * out;
  return volume <= MAX_UNITS * 4.0 ? TH_OK : th_keras_fail(r, c->layer, "its kernel would have %.0f values", volume);
}

static th_status count_of(const kr_reader *r, const kr_layer *l, const char *key, int otherwise, int *n) {
  *n = otherwise;
  TH_TRY(th_keras_ints(r, l, key, 1, 1, MAX_UNITS, n));
  return *n > 0 ? TH_OK : th_keras_fail(r, l, "it has no %s", key);
}

static th_status conv_node(kr_reader *r, kr_call *c, th_op_id op, const char *part, const window *w, int groups,
                           const int *in, int n_in, int *tensor) {
  th_node *node;
  TH_TRY(th_keras_node(r, c, op, part, in, n_in, &node));
  set_window(node, w);
  if (op == TH_OP_CONV2D) node->attr[TH_ATTR_GROUPS].i = groups;
  return th_keras_finish(r, c, node, tensor);
}

th_status th_keras_conv(kr_reader *r, kr_call *c, int argument) {
  window w;
  int in[3], filters, groups, value, tensor;
  bool bias = th_keras_flag(c->layer, "use_bias", true);
  TH_TRY(conv_window(r, c, argument, &w));
  TH_TRY(count_of(r, c->layer, "filters", 0, &filters));
  TH_TRY(count_of(r, c->layer, "groups", 1, &groups));
  TH_TRY(th_keras_image(r, c->arg[0].value, &in[0]));
  const th_shape *image = &r->g->tensors[in[0]].shape;
  int channels = image->dim[3];
  TH_TRY(set_padding(r, c->layer, image, &w));
  if (channels % groups || filters % groups)
    return th_keras_fail(r, c->layer, "%d groups do not divide %d input and %d output channels", groups, channels,
                         filters);
  TH_TRY(check_volume(r, c, &w, channels / groups, filters));
  kr_weight want[2] = {conv_kernel("kernel", &w, channels / groups, filters), bias_of(filters)};
  TH_TRY(th_keras_weights(r, c, want, bias ? 2 : 1, 0, &in[1]));
  TH_TRY(conv_node(r, c, TH_OP_CONV2D, NULL, &w, groups, in, bias ? 3 : 2, &tensor));
  TH_TRY(th_keras_image_value(r, tensor, argument == 1, &value));
  return activate_and_finish(r, c, value);
}

th_status th_keras_depthwise(kr_reader *r, kr_call *c, int argument) {
  window w;
  int in[3], multiplier, value, tensor;
  bool bias = th_keras_flag(c->layer, "use_bias", true);
  TH_TRY(conv_window(r, c, argument, &w));
  TH_TRY(count_of(r, c->layer, "depth_multiplier", 1, &multiplier));
  TH_TRY(th_keras_image(r, c->arg[0].value, &in[0]));
  const th_shape *image = &r->g->tensors[in[0]].shape;
  int channels = image->dim[3];
  TH_TRY(set_padding(r, c->layer, image, &w));
  TH_TRY(check_volume(r, c, &w, channels, multiplier));
  kr_weight want[2] = {depthwise_kernel("kernel", &w, channels, multiplier), bias_of(channels * multiplier)};
  TH_TRY(th_keras_weights(r, c, want, bias ? 2 : 1, 0, &in[1]));
  TH_TRY(conv_node(r, c, TH_OP_DEPTHWISE_CONV2D, NULL, &w, 1, in, bias ? 3 : 2, &tensor));
  TH_TRY(th_keras_image_value(r, tensor, argument == 1, &value));
  return activate_and_finish(r, c, value);
}

/* A depthwise convolution, then a pointwise one with bias and activation. */
th_status th_keras_separable(kr_reader *r, kr_call *c, int argument) {
  window w, point = {.dims = argument, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
  int x[2], y[3], weights[3], multiplier, filters, value;
  bool bias = th_keras_flag(c->layer, "use_bias", true);
  TH_TRY(conv_window(r, c, argument, &w));
  TH_TRY(count_of(r, c->layer, "depth_multiplier", 1, &multiplier));
  TH_TRY(count_of(r, c->layer, "filters", 0, &filters));
  TH_TRY(th_keras_image(r, c->arg[0].value, &x[0]));
  const th_shape *image = &r->g->tensors[x[0]].shape;
  int channels = image->dim[3];
  TH_TRY(set_padding(r, c->layer, image, &w));
  TH_TRY(check_volume(r, c, &w, channels, multiplier));
  TH_TRY(check_volume(r, c, &point, channels * multiplier, filters));
  kr_weight want[3] = {depthwise_kernel("depthwise_kernel", &w, channels, multiplier),
                       conv_kernel("pointwise_kernel", &point, channels * multiplier, filters), bias_of(filters)};
  TH_TRY(th_keras_weights(r, c, want, bias ? 3 : 2, 0, weights));
  x[1] = weights[0];
  y[1] = weights[1];
  y[2] = weights[2];
  TH_TRY(conv_node(r, c, TH_OP_DEPTHWISE_CONV2D, "depthwise", &w, 1, x, 2, &y[0]));
  TH_TRY(conv_node(r, c, TH_OP_CONV2D, NULL, &point, 1, y, bias ? 3 : 2, &y[0]));
  TH_TRY(th_keras_image_value(r, y[0], argument == 1, &value));
  return activate_and_finish(r, c, value);
}

/* Keras: (ky, kx, oc, ic); ours: (oc, ky, kx, ic). */
static kr_weight transpose_kernel(const window *w, int in, int out) {
  kr_weight k = conv_kernel("kernel", w, out, in);
  k.shape = th_shape_make(4, out, w->kernel[0], w->kernel[1], in);
  k.outer = w->kernel[0] * w->kernel[1];
  k.inner = out;
  k.block = in;
  return k;
}

/* What is cut off around the full result, (in - 1) stride + extent. The size: without output_padding, in stride (same)
 * or at least the full result (valid); with it, the full result without extent / 2 on both sides (same), and the
 * padding. A negative cut after it adds places that no pixel reaches. */
static void cut(int in, int extent, int stride, bool same, int output_padding, int *before, int *after) {
  int full = (in - 1) * stride + extent, out;
  if (output_padding < 0)
    out = in * stride + (same ? 0 : extent > stride ? extent - stride : 0);
  else
    out = full - (same ? extent / 2 * 2 : 0) + output_padding;
  int total = same && full > out ? full - out : 0;
  *before = total / 2;
  *after = full - out - *before;
}

th_status th_keras_conv_transpose(kr_reader *r, kr_call *c, int argument) {
  window w;
  int in[3], filters, value, tensor, output_padding[2] = {-1, -1};
  bool bias = th_keras_flag(c->layer, "use_bias", true),
       same = th_str_eq(th_keras_text(c->layer, "padding", ""), "same");
  TH_TRY(conv_window(r, c, argument, &w));
  TH_TRY(count_of(r, c->layer, "filters", 0, &filters));
  TH_TRY(pair(r, c->layer, "output_padding", argument, 0, output_padding));
  TH_TRY(th_keras_image(r, c->arg[0].value, &in[0]));
  const th_shape *image = &r->g->tensors[in[0]].shape;
  int channels = image->dim[3];
  TH_TRY(check_volume(r, c, &w, channels, filters));
  for (int i = 2 - argument; i < 2; i++) {
    double extent = (double)(w.kernel[i] - 1) * w.dilation[i] + 1;
    if (extent > MAX_WINDOW || (double)image->dim[1 + i] * w.stride[i] > 1 << 28)
      return th_keras_fail(r, c->layer, "its output would be too large");
    cut(image->dim[1 + i], (int)extent, w.stride[i], same, output_padding[i], &w.before[i], &w.after[i]);
  }
  kr_weight want[2] = {transpose_kernel(&w, channels, filters), bias_of(filters)};
  TH_TRY(th_keras_weights(r, c, want, bias ? 2 : 1, 0, &in[1]));
  TH_TRY(conv_node(r, c, TH_OP_TRANSPOSE_CONV2D, NULL, &w, 1, in, bias ? 3 : 2, &tensor));
  TH_TRY(th_keras_image_value(r, tensor, argument == 1, &value));
  return activate_and_finish(r, c, value);
}

/* --- dense --- */

/* Of more than two dimensions: the last one is multiplied, so it is a 1 x 1 convolution of an image. */
static th_status dense_of_image(kr_reader *r, kr_call *c, int units, bool bias, int *value) {
  th_shape shape = *th_keras_shape(r, c->arg[0].value);
  int in[3], tensor, channels = shape.dim[shape.rank - 1];
  if (shape.rank <= 4) {
    TH_TRY(th_keras_image(r, c->arg[0].value, &in[0]));
  } else {
    int64_t rows = th_shape_elems(&shape) / channels;
    th_shape image = th_shape_make(4, 1, 1, (int32_t)rows, channels);
    TH_TRY(th_keras_tensor(r, c->arg[0].value, &tensor));
    TH_TRY(th_keras_reshape(r, th_keras_name(r, c, "image"), tensor, &image, &in[0]));
  }
  window w = {.dims = 0, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
  kr_weight want[2] = {conv_kernel("kernel", &w, channels, units), bias_of(units)};
  TH_TRY(th_keras_weights(r, c, want, bias ? 2 : 1, 1, &in[1]));
  TH_TRY(conv_node(r, c, TH_OP_CONV2D, NULL, &w, 1, in, bias ? 3 : 2, &tensor));
  if (shape.rank <= 4) return th_keras_image_value(r, tensor, shape.rank == 3, value);
  shape.dim[shape.rank - 1] = units;
  TH_TRY(th_keras_reshape(r, th_keras_name(r, c, "row"), tensor, &shape, &tensor));
  return th_keras_value(r, &shape, tensor, -1, value);
}

th_status th_keras_dense(kr_reader *r, kr_call *c, int argument) {
  int in[3], units, value, tensor;
  bool bias = th_keras_flag(c->layer, "use_bias", true);
  const th_shape *x = th_keras_shape(r, c->arg[0].value);
  window one = {.kernel = {1, 1}};
  int inputs = x->dim[x->rank - 1];
  if (c->n_args != 1) return th_keras_fail(r, c->layer, "it has %d inputs, expected 1", c->n_args);
  TH_TRY(count_of(r, c->layer, "units", 0, &units));
  TH_TRY(check_volume(r, c, &one, inputs, units));
  if (th_json_get(c->layer->config, "quantization_config") &&
      th_json_is_object(th_json_get(c->layer->config, "quantization_config")))
    return th_keras_fail(r, c->layer, "its weights are quantized; save the float model");
  if (x->rank > 2) {
    TH_TRY(dense_of_image(r, c, units, bias, &value));
    return activate_and_finish(r, c, value);
  }
  kr_weight want[2] = {{.role = "kernel",
                        .rank = 2,
                        .dim = {inputs, units},
                        .shape = th_shape_make(2, units, inputs),
                        .outer = inputs,
                        .inner = units},
                       bias_of(units)};
  th_node *node;
  TH_TRY(th_keras_tensor(r, c->arg[0].value, &in[0]));
  TH_TRY(th_keras_weights(r, c, want, bias ? 2 : 1, 0, &in[1]));
  TH_TRY(th_keras_node(r, c, TH_OP_FULLY_CONNECTED, NULL, in, bias ? 3 : 2, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  th_shape shape = th_shape_make(2, 1, units);
  TH_TRY(th_keras_value(r, &shape, tensor, -1, &value));
  return activate_and_finish(r, c, value);
}

/* Dense and activations do the same with and without it. */
th_status th_keras_time_distributed(kr_reader *r, kr_call *c, int argument) {
  const th_json *entry = th_json_get(c->layer->config, "layer");
  const char *class_name = th_json_string(th_json_get(entry, "class_name"), "");
  const kr_row *row = th_keras_row(class_name);
  if (!row || (row->build != th_keras_dense && row->build != th_keras_activation_layer &&
               row->build != th_keras_identity && row->build != th_keras_relu_layer))
    return th_keras_fail(r, c->layer, "a %.64s layer in it is not supported; Dense is", class_name);
  TH_TRY(th_keras_rank(r, c, 3, 5));
  kr_layer inner = *c->layer;
  kr_call call = *c;
  inner.class_name = class_name;
  inner.config = th_json_get(entry, "config");
  inner.store = th_arena_printf(r->scratch, "%s/layer", c->layer->store);
  call.layer = &inner;
  if (!inner.store) return TH_ERR_RESOURCE;
  TH_TRY(row->build(r, &call, row->argument));
  memcpy(c->layer->weight, inner.weight, sizeof inner.weight);
  c->layer->n_weights = inner.n_weights;
  c->layer->weight_form = inner.weight_form;
  return done(c, call.out[0]);
}

/* --- pools --- */

static th_status pool(kr_reader *r, kr_call *c, th_op_id op, int dims) {
  window w = {.dims = dims, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
  int in, tensor, value;
  TH_TRY(th_keras_rank(r, c, dims + 2, dims + 2));
  TH_TRY(th_keras_channels_last(r, c->layer));
  for (int i = 2 - dims; i < 2; i++) w.kernel[i] = 2;
  TH_TRY(pair(r, c->layer, "pool_size", dims, 1, w.kernel));
  TH_TRY(pair(r, c->layer, "pool_length", dims, 1, w.kernel)); /* its name in early versions, of 1D layers */
  memcpy(w.stride, w.kernel, sizeof w.stride);
  TH_TRY(pair(r, c->layer, "strides", dims, 1, w.stride));
  TH_TRY(th_keras_image(r, c->arg[0].value, &in));
  TH_TRY(set_padding(r, c->layer, &r->g->tensors[in].shape, &w));
  TH_TRY(conv_node(r, c, op, NULL, &w, 1, &in, 1, &tensor));
  TH_TRY(th_keras_image_value(r, tensor, dims == 1, &value));
  return done(c, value);
}

th_status th_keras_max_pool(kr_reader *r, kr_call *c, int argument) {
  return pool(r, c, TH_OP_MAX_POOL2D, argument);
}

th_status th_keras_average_pool(kr_reader *r, kr_call *c, int argument) {
  return pool(r, c, TH_OP_AVG_POOL2D, argument);
}

/* (1, c), or with keepdims (1, 1, c) and (1, 1, 1, c) */
static th_status global_value(kr_reader *r, kr_call *c, int tensor, int dims) {
  int channels = r->g->tensors[tensor].shape.dim[r->g->tensors[tensor].shape.rank - 1], value;
  th_shape shape = {.rank = 2, .dim = {1, channels}};
  if (th_keras_flag(c->layer, "keepdims", false)) {
    shape = (th_shape){.rank = dims + 2, .dim = {1, 1, 1, 1}};
    shape.dim[dims + 1] = channels;
  }
  if (!th_shape_eq(&shape, &r->g->tensors[tensor].shape))
    TH_TRY(th_keras_reshape(r, th_keras_name(r, c, "shape"), tensor, &shape, &tensor));
  TH_TRY(th_keras_value(r, &shape, tensor, shape.rank == 4 ? tensor : -1, &value));
  return done(c, value);
}

th_status th_keras_global_average_pool(kr_reader *r, kr_call *c, int argument) {
  int in, tensor;
  th_node *node;
  TH_TRY(th_keras_rank(r, c, argument + 2, argument + 2));
  TH_TRY(th_keras_channels_last(r, c->layer));
  TH_TRY(th_keras_image(r, c->arg[0].value, &in));
  TH_TRY(th_keras_node(r, c, TH_OP_GLOBAL_AVG_POOL, NULL, &in, 1, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  return global_value(r, c, tensor, argument);
}

th_status th_keras_global_max_pool(kr_reader *r, kr_call *c, int argument) {
  int in, tensor;
  TH_TRY(th_keras_rank(r, c, argument + 2, argument + 2));
  TH_TRY(th_keras_channels_last(r, c->layer));
  TH_TRY(th_keras_image(r, c->arg[0].value, &in));
  const th_shape *s = &r->g->tensors[in].shape;
  window w = {.dims = 2, .kernel = {s->dim[1], s->dim[2]}, .stride = {1, 1}, .dilation = {1, 1}};
  TH_TRY(conv_node(r, c, TH_OP_MAX_POOL2D, NULL, &w, 1, &in, 1, &tensor));
  return global_value(r, c, tensor, argument);
}
