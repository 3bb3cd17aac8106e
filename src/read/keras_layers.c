/* One function per kind of Keras layer. See keras_internal.h; keras_layers.def lists them.
 *
 * 1D layers work on images of height 1. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "read/keras_internal.h"

enum { MAX_WINDOW = 65536, MAX_UNITS = 1 << 24 };

const kr_row *th_keras_row(const char *class_name) {
  static const kr_row rows[] = {
#define KERAS_LAYER(class_name, function, argument) {#class_name, th_keras_##function, argument},
#include "read/keras_layers.def"
#undef KERAS_LAYER
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (th_str_eq(rows[i].class_name, class_name)) return &rows[i];
  return NULL;
}

const kr_row *th_keras_operation_row(void) {
  static const kr_row row = {"operation", th_keras_operation, 0};
  return &row;
}

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

static th_status channels_last(const kr_reader *r, const kr_layer *l) {
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
  TH_TRY(channels_last(r, c->layer));
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
  return (kr_weight){.role = "bias", .rank = 1, .dim = {n}, .shape = th_shape_make(1, n)};
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
  TH_TRY(channels_last(r, c->layer));
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
  TH_TRY(channels_last(r, c->layer));
  TH_TRY(th_keras_image(r, c->arg[0].value, &in));
  TH_TRY(th_keras_node(r, c, TH_OP_GLOBAL_AVG_POOL, NULL, &in, 1, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  return global_value(r, c, tensor, argument);
}

th_status th_keras_global_max_pool(kr_reader *r, kr_call *c, int argument) {
  int in, tensor;
  TH_TRY(th_keras_rank(r, c, argument + 2, argument + 2));
  TH_TRY(channels_last(r, c->layer));
  TH_TRY(th_keras_image(r, c->arg[0].value, &in));
  const th_shape *s = &r->g->tensors[in].shape;
  window w = {.dims = 2, .kernel = {s->dim[1], s->dim[2]}, .stride = {1, 1}, .dilation = {1, 1}};
  TH_TRY(conv_node(r, c, TH_OP_MAX_POOL2D, NULL, &w, 1, &in, 1, &tensor));
  return global_value(r, c, tensor, argument);
}

/* --- normalization --- */

static th_status filled(kr_reader *r, const kr_call *c, const char *role, int n, float value, int *tensor) {
  th_arena_pos pos = th_arena_mark(r->scratch);
  float *data = TH_ARRAY(r->scratch, float, n);
  th_shape shape = th_shape_make(1, n);
  for (int i = 0; data && i < n; i++) data[i] = value;
  th_status status = data ? th_keras_const(r, c, role, &shape, data, tensor) : TH_ERR_RESOURCE;
  th_arena_release(r->scratch, pos);
  return status;
}

static kr_weight channel_weight(const char *role, int n) {
  kr_weight w = bias_of(n);
  w.role = role;
  return w;
}

th_status th_keras_batch_normalization(kr_reader *r, kr_call *c, int argument) {
  const th_shape *x = th_keras_shape(r, c->arg[0].value);
  int channels = x->dim[x->rank - 1], given[4], in[5], n = 0, tensor, k = 0;
  bool scale = th_keras_flag(c->layer, "scale", true), center = th_keras_flag(c->layer, "center", true);
  double epsilon = th_keras_real(c->layer, "epsilon", 1e-3), momentum = th_keras_real(c->layer, "momentum", 0.99);
  kr_weight want[4];
  th_node *node;
  TH_TRY(th_keras_last_axis(r, c, x->rank));
  if (th_keras_flag(c->layer, "renorm", false)) return th_keras_fail(r, c->layer, "renorm is not supported");
  if (!(epsilon >= 0 && epsilon < 1e3) || !(momentum >= 0 && momentum <= 1))
    return th_keras_fail(r, c->layer, "epsilon is %g, momentum %g", epsilon, momentum);
  if (scale) want[n++] = channel_weight("gamma", channels);
  if (center) want[n++] = channel_weight("beta", channels);
  want[n++] = channel_weight("moving_mean", channels);
  want[n++] = channel_weight("moving_variance", channels);
  TH_TRY(th_keras_weights(r, c, want, n, 0, given));
  kr_value v = r->values[c->arg[0].value];
  in[0] = v.image >= 0 ? v.image : v.tensor;
  TH_TRY(scale ? (in[1] = given[k++], TH_OK) : filled(r, c, "gamma", channels, 1, &in[1]));
  TH_TRY(center ? (in[2] = given[k++], TH_OK) : filled(r, c, "beta", channels, 0, &in[2]));
  in[3] = given[k];
  in[4] = given[k + 1];
  TH_TRY(th_keras_node(r, c, TH_OP_BATCH_NORM, NULL, in, 5, &node));
  node->attr[TH_ATTR_EPSILON].f = (float)epsilon;
  node->attr[TH_ATTR_MOMENTUM].f = (float)momentum;
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  bool image = v.image >= 0;
  TH_TRY(th_keras_value(r, &v.shape, image && v.shape.rank == 3 ? -1 : tensor, image ? tensor : -1, &c->out[0]));
  c->n_out = 1;
  return TH_OK;
}

/* Of the last dimension, in steps: (x - mean) / sqrt(variance + epsilon), times gamma, plus beta. */
static th_status mean_of_last(kr_reader *r, const kr_call *c, const char *part, int in, int *out) {
  int x, tensor;
  th_node *node;
  TH_TRY(th_keras_tensor(r, in, &x));
  TH_TRY(th_keras_node(r, c, TH_OP_MEAN, part, &x, 1, &node));
  node->attr[TH_ATTR_AXES_MASK].i = 1 << (th_keras_shape(r, in)->rank - 1);
  node->attr[TH_ATTR_KEEP_DIMS].i = 1;
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  const th_shape *s = &r->g->tensors[tensor].shape;
  return th_keras_value(r, s, tensor, s->rank == 4 ? tensor : -1, out);
}

static th_status by_channel(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int weight, int *value) {
  int in[2] = {-1, weight}, tensor;
  th_node *node;
  TH_TRY(th_keras_tensor(r, *value, &in[0]));
  TH_TRY(th_keras_node(r, c, op, part, in, 2, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  const th_shape *s = &r->g->tensors[tensor].shape;
  return th_keras_value(r, s, tensor, s->rank == 4 ? tensor : -1, value);
}

th_status th_keras_layer_normalization(kr_reader *r, kr_call *c, int argument) {
  const th_shape *x = th_keras_shape(r, c->arg[0].value);
  int channels = x->dim[x->rank - 1], given[2], n = 0, mean, centered, spread;
  bool scale = th_keras_flag(c->layer, "scale", true), center = th_keras_flag(c->layer, "center", true);
  float epsilon = (float)th_keras_real(c->layer, "epsilon", 1e-3);
  kr_weight want[2];
  TH_TRY(th_keras_last_axis(r, c, x->rank));
  if (th_keras_flag(c->layer, "rms_scaling", false)) return th_keras_fail(r, c->layer, "rms_scaling is not supported");
  if (!(epsilon >= 0 && epsilon < 1e3f)) return th_keras_fail(r, c->layer, "epsilon is %g", (double)epsilon);
  if (scale) want[n++] = channel_weight("gamma", channels);
  if (center) want[n++] = channel_weight("beta", channels);
  if (n) TH_TRY(th_keras_weights(r, c, want, n, 0, given));
  TH_TRY(mean_of_last(r, c, "mean", c->arg[0].value, &mean));
  TH_TRY(th_keras_binary(r, c, TH_OP_SUB, "centered", c->arg[0].value, mean, &centered));
  TH_TRY(th_keras_unary(r, c, TH_OP_SQUARE, "square", centered, &spread));
  TH_TRY(mean_of_last(r, c, "variance", spread, &spread));
  TH_TRY(th_keras_with_const(r, c, TH_OP_ADD, "epsilon", spread, &epsilon, 1, false, &spread));
  TH_TRY(th_keras_unary(r, c, TH_OP_RSQRT, "rsqrt", spread, &spread));
  TH_TRY(th_keras_binary(r, c, TH_OP_MUL, "normal", centered, spread, &centered));
  if (scale) TH_TRY(by_channel(r, c, TH_OP_MUL, "scaled", given[0], &centered));
  if (center) TH_TRY(by_channel(r, c, TH_OP_ADD, NULL, given[n - 1], &centered));
  return done(c, centered);
}

/* A number, or a list of one per channel, perhaps in lists of one: [[0.1, 0.2]]. */
static th_status numbers(kr_reader *r, const kr_layer *l, const char *key, int channels, float otherwise, float *values,
                         int *n) {
  const th_json *j = th_json_get(l->config, key);
  while (th_json_count(j) == 1) j = th_json_at(j, 0);
  *n = th_json_is_array(j) ? th_json_count(j) : 1;
  values[0] = (float)th_json_number(j, (double)otherwise);
  if (th_json_is_array(j) && *n != channels)
    return th_keras_fail(r, l, "%s has %d numbers, expected 1 or %d", key, *n, channels);
  int k = 0;
  for (const th_json *i = th_json_first(j); i; i = th_json_next(i)) values[k++] = (float)th_json_number(i, 0);
  for (int i = 0; i < *n; i++)
    if (!isfinite(values[i])) return th_keras_fail(r, l, "%s is not a finite number", key);
  return TH_OK;
}

th_status th_keras_rescaling(kr_reader *r, kr_call *c, int argument) {
  const th_shape *x = th_keras_shape(r, c->arg[0].value);
  int channels = x->dim[x->rank - 1], n, value;
  float *k = TH_ARRAY(r->scratch, float, channels);
  if (!k) return TH_ERR_RESOURCE;
  TH_TRY(numbers(r, c->layer, "scale", channels, 1, k, &n));
  TH_TRY(th_keras_with_const(r, c, TH_OP_MUL, "scale", c->arg[0].value, k, n, false, &value));
  TH_TRY(numbers(r, c->layer, "offset", channels, 0, k, &n));
  bool any = false;
  for (int i = 0; i < n; i++) any |= k[i] != 0;
  if (any) TH_TRY(th_keras_with_const(r, c, TH_OP_ADD, "offset", value, k, n, false, &value));
  return done(c, value);
}

/* (x - mean) / max(sqrt(variance), 1e-7), or its inverse */
static th_status normalize(kr_reader *r, kr_call *c, const float *mean, float *deviation, int n) {
  int value = c->arg[0].value;
  bool invert = th_keras_flag(c->layer, "invert", false);
  for (int i = 0; i < n; i++) {
    deviation[i] = sqrtf(deviation[i]);
    if (!(deviation[i] > 1e-7f)) deviation[i] = 1e-7f;
    if (!invert) deviation[i] = 1.0f / deviation[i];
  }
  if (!invert) TH_TRY(th_keras_with_const(r, c, TH_OP_SUB, "centered", value, mean, n, false, &value));
  TH_TRY(th_keras_with_const(r, c, TH_OP_MUL, "scaled", value, deviation, n, false, &value));
  if (invert) TH_TRY(th_keras_with_const(r, c, TH_OP_ADD, "moved", value, mean, n, false, &value));
  return done(c, value);
}

/* The statistics are in the config, or are weights: mean, variance, and a count that nobody needs. */
th_status th_keras_normalization(kr_reader *r, kr_call *c, int argument) {
  const th_shape *x = th_keras_shape(r, c->arg[0].value);
  const th_json *axis = th_json_get(c->layer->config, "axis");
  bool all = th_json_is_array(axis) ? th_json_count(axis) == 0 : axis && !th_json_is_number(axis); /* axis=None */
  int n = all ? 1 : x->dim[x->rank - 1], n_mean, n_variance;
  if (!all) TH_TRY(th_keras_last_axis(r, c, x->rank));
  float *mean = TH_ARRAY(r->scratch, float, n), *variance = TH_ARRAY(r->scratch, float, n);
  if (!mean || !variance) return TH_ERR_RESOURCE;
  const th_json *given = th_json_get(c->layer->config, "mean");
  if (th_json_is_number(given) || th_json_is_array(given)) {
    TH_TRY(numbers(r, c->layer, "mean", n, 0, mean, &n_mean));
    TH_TRY(numbers(r, c->layer, "variance", n, 1, variance, &n_variance));
    for (int i = n_mean; i < n; i++) mean[i] = mean[0];
    for (int i = n_variance; i < n; i++) variance[i] = variance[0];
    return normalize(r, c, mean, variance, n);
  }
  int64_t dim[1] = {n};
  for (int k = 0; k < 2; k++) {
    kr_found f = {0};
    TH_TRY(r->source.find(r->source.user, r, c->layer, k, all ? 0 : 1, dim, &f));
    if (f.count < 2 || f.rank != (all ? 0 : 1) || (!all && f.dim[0] != n))
      return th_keras_fail(r, c->layer, "its mean and variance are not %d values each", n);
    memcpy(k ? variance : mean, f.data, sizeof(float) * (size_t)n);
  }
  return normalize(r, c, mean, variance, n);
}

/* --- shape --- */

th_status th_keras_flatten(kr_reader *r, kr_call *c, int argument) {
  const th_shape *x = th_keras_shape(r, c->arg[0].value);
  int in, tensor;
  th_node *node;
  TH_TRY(channels_last(r, c->layer));
  if (x->rank == 2) return done(c, c->arg[0].value);
  kr_value v = r->values[c->arg[0].value];
  in = v.image >= 0 ? v.image : v.tensor; /* the order of values is the same */
  TH_TRY(th_keras_node(r, c, TH_OP_FLATTEN, NULL, &in, 1, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  TH_TRY(th_keras_value(r, &r->g->tensors[tensor].shape, tensor, -1, &c->out[0]));
  c->n_out = 1;
  return TH_OK;
}

static th_status target_shape(kr_reader *r, const kr_call *c, int64_t elems, th_shape *shape) {
  const th_json *target = th_json_get(c->layer->config, "target_shape");
  int n = th_json_count(target), open = 0;
  int64_t known = 1;
  char text[TH_SHAPE_TEXT];
  if (n < 1 || n > TH_MAX_RANK - 1)
    return th_keras_fail(r, c->layer, "target_shape has %d dimensions, expected 1 to %d", n, TH_MAX_RANK - 1);
  *shape = (th_shape){.rank = n + 1, .dim = {1}};
  for (int i = 1; i <= n; i++) {
    double d = th_json_number(th_json_at(target, i - 1), 0);
    if (!(d == -1 && !open) && !(d >= 1 && d <= 1 << 28))
      return th_keras_fail(r, c->layer, "dimension %d of target_shape is %g", i, d);
    if (d == -1)
      open = i;
    else
      shape->dim[i] = (int32_t)d;
    if (d > 0) known = known > 1 << 28 ? known : known * (int64_t)d;
  }
  if (open) shape->dim[open] = elems % known ? 0 : (int32_t)(elems / known);
  if (open ? shape->dim[open] > 0 : known == elems) return TH_OK;
  return th_keras_fail(r, c->layer, "%lld values do not fit target_shape %s", (long long)elems,
                       th_shape_text(shape, text));
}

th_status th_keras_reshape_layer(kr_reader *r, kr_call *c, int argument) {
  kr_value v = r->values[c->arg[0].value];
  th_shape shape;
  int tensor, value;
  TH_TRY(target_shape(r, c, th_shape_elems(&v.shape), &shape));
  const char *name = th_keras_name(r, c, NULL);
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_keras_reshape(r, name, v.image >= 0 ? v.image : v.tensor, &shape, &tensor));
  TH_TRY(th_keras_value(r, &shape, tensor, shape.rank == 4 ? tensor : -1, &value));
  return done(c, value);
}

/* One number; one per dimension; or (before, after) per dimension. */
static th_status borders(kr_reader *r, const kr_layer *l, const char *key, int dims, int yx[2][2]) {
  const th_json *j = th_json_get(l->config, key);
  bool nested = dims == 2 && th_json_is_array(th_json_at(j, 0));
  int given[2] = {1, 1};
  if (dims == 1 && th_json_is_array(j)) return th_keras_ints(r, l, key, 2, 0, MAX_WINDOW, yx[1]);
  if (!nested) {
    TH_TRY(th_keras_ints(r, l, key, dims, 0, MAX_WINDOW, given));
    for (int i = 0; i < dims; i++) yx[2 - dims + i][0] = yx[2 - dims + i][1] = given[i];
    return TH_OK;
  }
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < 2; k++) {
      double v = th_json_number(th_json_at(th_json_at(j, i), k), -1);
      if (!(v >= 0 && v <= MAX_WINDOW)) return th_keras_fail(r, l, "%s is %g", key, v);
      yx[i][k] = (int)v;
    }
  return TH_OK;
}

th_status th_keras_zero_padding(kr_reader *r, kr_call *c, int argument) {
  int yx[2][2] = {{0}}, in[2], tensor, value, table_id;
  th_node *node;
  TH_TRY(th_keras_rank(r, c, argument + 2, argument + 2));
  TH_TRY(channels_last(r, c->layer));
  TH_TRY(borders(r, c->layer, "padding", argument, yx));
  TH_TRY(th_keras_image(r, c->arg[0].value, &in[0]));
  int32_t table[8] = {0, 0, yx[0][0], yx[0][1], yx[1][0], yx[1][1], 0, 0};
  th_shape shape = th_shape_make(2, 4, 2);
  const char *name = th_keras_name(r, c, "paddings");
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_graph_add_const(r->g, name, TH_DTYPE_S32, &shape, table, &table_id));
  in[1] = table_id;
  TH_TRY(th_keras_node(r, c, TH_OP_PAD, NULL, in, 2, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  TH_TRY(th_keras_image_value(r, tensor, argument == 1, &value));
  return done(c, value);
}

/* --- training only --- */

th_status th_keras_identity(kr_reader *r, kr_call *c, int argument) {
  return done(c, c->arg[0].value);
}

th_status th_keras_dropout(kr_reader *r, kr_call *c, int argument) {
  double rate = th_keras_real(c->layer, "rate", 0.5);
  int value;
  if (!(rate >= 0 && rate < 1)) return th_keras_fail(r, c->layer, "rate is %g, expected 0 to 1", rate);
  TH_TRY(th_keras_unary_attr(r, c, TH_OP_DROPOUT, NULL, c->arg[0].value, TH_ATTR_RATE, (float)rate, &value));
  return done(c, value);
}
