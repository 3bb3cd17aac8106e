/* The table of Keras layers, made from keras_layers.def, and those that normalize, move values, or do nothing outside
 * training. See keras_internal.h. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "read/keras_internal.h"

enum { MAX_WINDOW = 65536 };

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

kr_weight th_keras_channel_weight(const char *role, int n) {
  return (kr_weight){.role = role, .rank = 1, .dim = {n}, .shape = th_shape_make(1, n)};
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
  if (scale) want[n++] = th_keras_channel_weight("gamma", channels);
  if (center) want[n++] = th_keras_channel_weight("beta", channels);
  want[n++] = th_keras_channel_weight("moving_mean", channels);
  want[n++] = th_keras_channel_weight("moving_variance", channels);
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
  if (scale) want[n++] = th_keras_channel_weight("gamma", channels);
  if (center) want[n++] = th_keras_channel_weight("beta", channels);
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
  kr_found expected = {.count = 3, .rank = all ? 0 : 1, .dim = {n}};
  for (int k = 0; k < 2; k++) {
    kr_found f = {0};
    TH_TRY(r->source.find(r->source.user, r, c->layer, k, &expected, &f));
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
  TH_TRY(th_keras_channels_last(r, c->layer));
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

/* --- moving values --- */

/* A node on the image form that takes a table of whole numbers besides. */
static th_status image_with_table(kr_reader *r, kr_call *c, th_op_id op, const char *role, const int32_t *table,
                                  int columns) {
  bool row = th_keras_shape(r, c->arg[0].value)->rank == 3;
  int in[2], tensor, value;
  th_node *node;
  th_shape shape = th_shape_make(2, 4, columns);
  const char *name = th_keras_name(r, c, role);
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_keras_image(r, c->arg[0].value, &in[0]));
  TH_TRY(th_graph_add_const(r->g, name, TH_DTYPE_S32, &shape, table, &in[1]));
  TH_TRY(th_keras_node(r, c, op, NULL, in, 2, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  TH_TRY(th_keras_image_value(r, tensor, row, &value));
  return done(c, value);
}

th_status th_keras_zero_padding(kr_reader *r, kr_call *c, int argument) {
  int yx[2][2] = {{0}};
  TH_TRY(th_keras_rank(r, c, argument + 2, argument + 2));
  TH_TRY(th_keras_channels_last(r, c->layer));
  TH_TRY(borders(r, c->layer, "padding", argument, yx));
  int32_t table[8] = {0, 0, yx[0][0], yx[0][1], yx[1][0], yx[1][1], 0, 0};
  return image_with_table(r, c, TH_OP_PAD, "paddings", table, 2);
}

/* yx: how much goes before and after */
static th_status crop(kr_reader *r, kr_call *c, int yx[2][2]) {
  int in;
  TH_TRY(th_keras_image(r, c->arg[0].value, &in));
  th_shape s = r->g->tensors[in].shape;
  int32_t table[12] = {0, 1, 1, 0, 0, 1, 0, 0, 1, 0, s.dim[3], 1};
  for (int i = 0; i < 2; i++) {
    if (yx[i][0] + yx[i][1] >= s.dim[1 + i])
      return th_keras_fail(r, c->layer, "cropping %d and %d of %d leaves nothing", yx[i][0], yx[i][1], s.dim[1 + i]);
    table[3 * (1 + i)] = yx[i][0];
    table[3 * (1 + i) + 1] = s.dim[1 + i] - yx[i][1];
  }
  return image_with_table(r, c, TH_OP_STRIDED_SLICE, "slices", table, 3);
}

th_status th_keras_cropping(kr_reader *r, kr_call *c, int argument) {
  int yx[2][2] = {{0}};
  TH_TRY(th_keras_rank(r, c, argument + 2, argument + 2));
  TH_TRY(th_keras_channels_last(r, c->layer));
  TH_TRY(borders(r, c->layer, "cropping", argument, yx));
  return crop(r, c, yx);
}

th_status th_keras_center_crop(kr_reader *r, kr_call *c, int argument) {
  int size[2] = {0, 0}, yx[2][2];
  TH_TRY(th_keras_rank(r, c, 4, 4));
  TH_TRY(th_keras_channels_last(r, c->layer));
  TH_TRY(th_keras_ints(r, c->layer, "height", 1, 1, MAX_WINDOW, &size[0]));
  TH_TRY(th_keras_ints(r, c->layer, "width", 1, 1, MAX_WINDOW, &size[1]));
  for (int i = 0; i < 2; i++) {
    int spare = th_keras_shape(r, c->arg[0].value)->dim[1 + i] - size[i];
    if (size[i] < 1 || spare < 0) return th_keras_fail(r, c->layer, "its input is smaller than its output");
    yx[i][0] = spare / 2;
    yx[i][1] = spare - spare / 2;
  }
  return crop(r, c, yx);
}

static th_status resize(kr_reader *r, kr_call *c, const char *how, int64_t y, int64_t x) {
  bool row = th_keras_shape(r, c->arg[0].value)->rank == 3, nearest = th_str_eq(how, "nearest");
  int in, tensor, value;
  th_node *node;
  if (!nearest && !th_str_eq(how, "bilinear"))
    return th_keras_fail(r, c->layer, "interpolation %.40s is not supported; nearest and bilinear are", how);
  if (y < 1 || x < 1 || y > MAX_WINDOW || x > MAX_WINDOW)
    return th_keras_fail(r, c->layer, "its output would be %lld x %lld", (long long)y, (long long)x);
  TH_TRY(th_keras_image(r, c->arg[0].value, &in));
  TH_TRY(th_keras_node(r, c, nearest ? TH_OP_RESIZE_NEAREST : TH_OP_RESIZE_BILINEAR, NULL, &in, 1, &node));
  node->attr[TH_ATTR_OUT_Y].i = (int32_t)y;
  node->attr[TH_ATTR_OUT_X].i = (int32_t)x;
  node->attr[TH_ATTR_HALF_PIXEL].i = 1;
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  TH_TRY(th_keras_image_value(r, tensor, row, &value));
  return done(c, value);
}

th_status th_keras_up_sampling(kr_reader *r, kr_call *c, int argument) {
  int size[2] = {argument == 1 ? 1 : 2, 2};
  TH_TRY(th_keras_rank(r, c, argument + 2, argument + 2));
  TH_TRY(th_keras_channels_last(r, c->layer));
  TH_TRY(th_keras_ints(r, c->layer, "size", argument, 1, MAX_WINDOW, size + 2 - argument));
  const th_shape *s = th_keras_shape(r, c->arg[0].value);
  int64_t y = argument == 1 ? 1 : (int64_t)s->dim[1] * size[0], x = (int64_t)s->dim[argument] * size[1];
  return resize(r, c, argument == 1 ? "nearest" : th_keras_text(c->layer, "interpolation", "nearest"), y, x);
}

th_status th_keras_resizing(kr_reader *r, kr_call *c, int argument) {
  int y = 0, x = 0;
  TH_TRY(th_keras_rank(r, c, 4, 4));
  TH_TRY(th_keras_channels_last(r, c->layer));
  if (th_keras_flag(c->layer, "crop_to_aspect_ratio", false) || th_keras_flag(c->layer, "pad_to_aspect_ratio", false) ||
      th_keras_flag(c->layer, "antialias", false))
    return th_keras_fail(r, c->layer, "keeping the aspect ratio and antialiasing are not supported");
  TH_TRY(th_keras_ints(r, c->layer, "height", 1, 1, MAX_WINDOW, &y));
  TH_TRY(th_keras_ints(r, c->layer, "width", 1, 1, MAX_WINDOW, &x));
  return resize(r, c, th_keras_text(c->layer, "interpolation", "bilinear"), y, x);
}

/* A node on the value's own form that takes a list of whole numbers, one per dimension. */
static th_status with_list(kr_reader *r, kr_call *c, th_op_id op, const char *role, int tensor, const int32_t *list,
                           int n) {
  int in[2] = {tensor, -1}, value;
  th_node *node;
  th_shape shape = th_shape_make(1, n);
  const char *name = th_keras_name(r, c, role);
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_graph_add_const(r->g, name, TH_DTYPE_S32, &shape, list, &in[1]));
  TH_TRY(th_keras_node(r, c, op, NULL, in, 2, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  const th_shape *s = &r->g->tensors[tensor].shape;
  TH_TRY(th_keras_value(r, s, tensor, s->rank == 4 ? tensor : -1, &value));
  return done(c, value);
}

th_status th_keras_permute(kr_reader *r, kr_call *c, int argument) {
  int rank = th_keras_shape(r, c->arg[0].value)->rank, list[TH_MAX_RANK] = {0}, tensor;
  int32_t permutation[TH_MAX_RANK] = {0};
  TH_TRY(th_keras_rank(r, c, 2, 5));
  TH_TRY(th_keras_ints(r, c->layer, "dims", rank - 1, 1, rank - 1, list + 1));
  for (int i = 1; i < rank; i++) permutation[i] = list[i];
  TH_TRY(th_keras_tensor(r, c->arg[0].value, &tensor));
  return with_list(r, c, TH_OP_TRANSPOSE, "permutation", tensor, permutation, rank);
}

th_status th_keras_repeat_vector(kr_reader *r, kr_call *c, int argument) {
  int times = 0, tensor;
  TH_TRY(th_keras_rank(r, c, 2, 2));
  TH_TRY(th_keras_ints(r, c->layer, "n", 1, 1, MAX_WINDOW, &times));
  int32_t list[3] = {1, times, 1};
  th_shape row = th_shape_make(3, 1, 1, th_keras_shape(r, c->arg[0].value)->dim[1]);
  TH_TRY(th_keras_tensor(r, c->arg[0].value, &tensor));
  const char *name = th_keras_name(r, c, "row");
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_keras_reshape(r, name, tensor, &row, &tensor));
  return with_list(r, c, TH_OP_TILE, "repetitions", tensor, list, 3);
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
