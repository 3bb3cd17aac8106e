/* Activations of Keras: by name, as layers, and as layers given where a name is expected.
 *
 * Formulas: Keras API reference, "Layer activation functions". Hard sigmoid changed: 0.2 x + 0.5 in Keras 2, x / 6 +
 * 0.5 in Keras 3. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "read/keras_internal.h"

typedef struct act {
  const char *name;
  th_op_id op; /* NONE: the identity */
  th_attr_id attr;
  float value;
} act;

#define NO_ATTR TH_ATTR_COUNT, 0
static const act acts[] = {
    {"linear", TH_OP_NONE, NO_ATTR},
    {"relu", TH_OP_RELU, NO_ATTR},
    {"relu6", TH_OP_RELU6, NO_ATTR},
    {"leaky_relu", TH_OP_LEAKY_RELU, TH_ATTR_ALPHA, 0.2f},
    {"elu", TH_OP_ELU, TH_ATTR_ALPHA, 1.0f},
    {"celu", TH_OP_ELU, TH_ATTR_ALPHA, 1.0f},
    {"selu", TH_OP_SELU, NO_ATTR},
    {"gelu", TH_OP_GELU, NO_ATTR},
    {"silu", TH_OP_SILU, NO_ATTR},
    {"swish", TH_OP_SILU, NO_ATTR},
    {"mish", TH_OP_MISH, NO_ATTR},
    {"softplus", TH_OP_SOFTPLUS, NO_ATTR},
    {"softsign", TH_OP_SOFTSIGN, NO_ATTR},
    {"sigmoid", TH_OP_SIGMOID, NO_ATTR},
    {"tanh", TH_OP_TANH, NO_ATTR},
    {"exponential", TH_OP_EXP, NO_ATTR},
    {"softmax", TH_OP_SOFTMAX, NO_ATTR},
    {"log_softmax", TH_OP_LOG_SOFTMAX, NO_ATTR},
    {"hard_silu", TH_OP_HARD_SWISH, NO_ATTR},
    {"hard_swish", TH_OP_HARD_SWISH, NO_ATTR},
};

static th_status unary_with_two(kr_reader *r, const kr_call *c, th_op_id op, const char *part, int in,
                                const th_attr_id ids[2], float a, float b, int *out) {
  TH_TRY(th_keras_unary_attr(r, c, op, part, in, ids[0], a, out));
  r->g->nodes[r->g->n_nodes - 1].attr[ids[1]].f = b;
  return TH_OK;
}

static th_status clip(kr_reader *r, const kr_call *c, int in, float lo, float hi, int *out) {
  static const th_attr_id ids[2] = {TH_ATTR_LO, TH_ATTR_HI};
  return unary_with_two(r, c, TH_OP_CLIP, "clip", in, ids, lo, hi, out);
}

static th_status hard_sigmoid(kr_reader *r, const kr_call *c, int in, float slope, int *out) {
  static const th_attr_id ids[2] = {TH_ATTR_ALPHA, TH_ATTR_BETA};
  return unary_with_two(r, c, TH_OP_HARD_SIGMOID, "hard_sigmoid", in, ids, slope, 0.5f, out);
}

/* -softplus(-x) */
static th_status log_sigmoid(kr_reader *r, const kr_call *c, int in, int *out) {
  TH_TRY(th_keras_unary(r, c, TH_OP_NEG, "neg", in, out));
  TH_TRY(th_keras_unary(r, c, TH_OP_SOFTPLUS, "softplus", *out, out));
  return th_keras_unary(r, c, TH_OP_NEG, "neg", *out, out);
}

/* x - f(x), with f = tanh, or clip for the soft shrinkage */
static th_status shrink(kr_reader *r, const kr_call *c, bool soft, int in, int *out) {
  TH_TRY(soft ? clip(r, c, in, -0.5f, 0.5f, out) : th_keras_unary(r, c, TH_OP_TANH, "tanh", in, out));
  return th_keras_binary(r, c, TH_OP_SUB, "shrink", in, *out, out);
}

/* (x + sqrt(x^2 + 4)) / 2 */
static th_status squareplus(kr_reader *r, const kr_call *c, int in, int *out) {
  static const float four = 4, half = 0.5f;
  TH_TRY(th_keras_unary(r, c, TH_OP_SQUARE, "square", in, out));
  TH_TRY(th_keras_with_const(r, c, TH_OP_ADD, "plus", *out, &four, 1, false, out));
  TH_TRY(th_keras_unary(r, c, TH_OP_SQRT, "sqrt", *out, out));
  TH_TRY(th_keras_binary(r, c, TH_OP_ADD, "sum", in, *out, out));
  return th_keras_with_const(r, c, TH_OP_MUL, "half", *out, &half, 1, false, out);
}

th_status th_keras_activation(kr_reader *r, const kr_call *c, const char *name, int *value) {
  for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
    if (!th_str_eq(name, acts[i].name)) continue;
    if (acts[i].op == TH_OP_NONE) return TH_OK;
    if (acts[i].attr == TH_ATTR_COUNT) return th_keras_unary(r, c, acts[i].op, name, *value, value);
    return th_keras_unary_attr(r, c, acts[i].op, name, *value, acts[i].attr, acts[i].value, value);
  }
  if (th_str_eq(name, "hard_sigmoid"))
    return hard_sigmoid(r, c, *value, r->source.major >= 3 ? 1.0f / 6.0f : 0.2f, value);
  if (th_str_eq(name, "sparse_sigmoid")) return hard_sigmoid(r, c, *value, 0.5f, value);
  if (th_str_eq(name, "hard_tanh")) return clip(r, c, *value, -1, 1, value);
  if (th_str_eq(name, "log_sigmoid")) return log_sigmoid(r, c, *value, value);
  if (th_str_eq(name, "tanh_shrink")) return shrink(r, c, false, *value, value);
  if (th_str_eq(name, "soft_shrink")) return shrink(r, c, true, *value, value);
  if (th_str_eq(name, "squareplus")) return squareplus(r, c, *value, value);
  return th_keras_fail(r, c->layer, "activation %.64s is not supported", name);
}

/* A layer such as LeakyReLU where a name is expected: it is called with the value. */
static th_status activation_object(kr_reader *r, const kr_call *c, const char *class_name, const th_json *config,
                                   int *value) {
  kr_layer layer = *c->layer;
  kr_call inner = {.layer = &layer, .n_args = 1};
  const kr_row *row = th_keras_row(class_name);
  layer.class_name = class_name;
  layer.config = config;
  inner.arg[0].value = *value;
  if (!row || (row->build != th_keras_relu_layer && row->build != th_keras_leaky_relu_layer &&
               row->build != th_keras_elu_layer && row->build != th_keras_softmax_layer))
    return th_keras_fail(r, c->layer, "activation %.64s is not supported", class_name);
  TH_TRY(row->build(r, &inner, row->argument));
  *value = inner.out[0];
  return TH_OK;
}

th_status th_keras_activate(kr_reader *r, const kr_call *c, int *value) {
  const th_json *spec = th_json_get(c->layer->config, "activation");
  if (th_json_is_string(spec)) return th_keras_activation(r, c, th_json_string(spec, ""), value);
  if (!th_json_is_object(spec)) return TH_OK;
  const char *class_name = th_json_string(th_json_get(spec, "class_name"), "");
  const th_json *config = th_json_get(spec, "config");
  if (th_json_is_string(config)) return th_keras_activation(r, c, th_json_string(config, ""), value);
  return activation_object(r, c, class_name, config, value);
}

/* --- as layers --- */

static th_status done(kr_call *c, int value) {
  c->out[0] = value;
  c->n_out = 1;
  return TH_OK;
}

th_status th_keras_activation_layer(kr_reader *r, kr_call *c, int argument) {
  int value = c->arg[0].value;
  TH_TRY(th_keras_activate(r, c, &value));
  return done(c, value);
}

/* x where it is above the threshold, else 0: x relu(sign(x - threshold)). Below it, slope (x - threshold) comes off. */
static th_status relu_threshold(kr_reader *r, const kr_call *c, float slope, float threshold, float most, int *value) {
  int x = *value, mask, below;
  TH_TRY(th_keras_with_const(r, c, TH_OP_SUB, "above", x, &threshold, 1, false, &mask));
  TH_TRY(th_keras_unary(r, c, TH_OP_SIGN, "sign", mask, &mask));
  TH_TRY(th_keras_unary(r, c, TH_OP_RELU, "mask", mask, &mask));
  TH_TRY(th_keras_binary(r, c, TH_OP_MUL, "masked", x, mask, value));
  if (most >= 0) TH_TRY(clip(r, c, *value, 0, most, value));
  if (slope == 0) return TH_OK;
  TH_TRY(th_keras_with_const(r, c, TH_OP_SUB, "below", x, &threshold, 1, true, &below));
  TH_TRY(th_keras_unary(r, c, TH_OP_RELU, "relu", below, &below));
  TH_TRY(th_keras_with_const(r, c, TH_OP_MUL, "slope", below, &slope, 1, false, &below));
  return th_keras_binary(r, c, TH_OP_SUB, "sum", *value, below, value);
}

static bool is_small(double v) {
  return v > -1e6 && v < 1e6;
}

th_status th_keras_relu_layer(kr_reader *r, kr_call *c, int argument) {
  double most = th_keras_real(c->layer, "max_value", -1), slope = th_keras_real(c->layer, "negative_slope", 0);
  double threshold = th_keras_real(c->layer, "threshold", 0);
  int value = c->arg[0].value;
  if (!is_small(most) || !is_small(slope) || !is_small(threshold) || (most < 0 && most != -1))
    return th_keras_fail(r, c->layer, "max_value %g, negative_slope %g, threshold %g", most, slope, threshold);
  if (threshold != 0) {
    TH_TRY(relu_threshold(r, c, (float)slope, (float)threshold, (float)most, &value));
    return done(c, value);
  }
  if (slope != 0) {
    TH_TRY(th_keras_unary_attr(r, c, TH_OP_LEAKY_RELU, NULL, value, TH_ATTR_ALPHA, (float)slope, &value));
    if (most >= 0) TH_TRY(clip(r, c, value, -3.4e38f, (float)most, &value));
  } else if (most == 6) {
    TH_TRY(th_keras_unary(r, c, TH_OP_RELU6, NULL, value, &value));
  } else if (most >= 0) {
    TH_TRY(clip(r, c, value, 0, (float)most, &value));
  } else {
    TH_TRY(th_keras_unary(r, c, TH_OP_RELU, NULL, value, &value));
  }
  return done(c, value);
}

static th_status with_alpha(kr_reader *r, kr_call *c, th_op_id op, double alpha) {
  int value;
  if (!is_small(alpha)) return th_keras_fail(r, c->layer, "alpha is %g", alpha);
  TH_TRY(th_keras_unary_attr(r, c, op, NULL, c->arg[0].value, TH_ATTR_ALPHA, (float)alpha, &value));
  return done(c, value);
}

th_status th_keras_leaky_relu_layer(kr_reader *r, kr_call *c, int argument) {
  double alpha = th_keras_real(c->layer, "alpha", 0.3); /* its name in Keras 2 */
  const th_json *array = th_json_get(th_json_get(th_json_get(c->layer->config, "alpha"), "config"), "value");
  alpha = th_json_number(array, th_json_number(th_json_get(th_json_get(c->layer->config, "alpha"), "value"), alpha));
  return with_alpha(r, c, TH_OP_LEAKY_RELU, th_keras_real(c->layer, "negative_slope", alpha));
}

th_status th_keras_elu_layer(kr_reader *r, kr_call *c, int argument) {
  return with_alpha(r, c, TH_OP_ELU, th_keras_real(c->layer, "alpha", 1));
}

th_status th_keras_softmax_layer(kr_reader *r, kr_call *c, int argument) {
  int value;
  TH_TRY(th_keras_last_axis(r, c, th_keras_shape(r, c->arg[0].value)->rank));
  TH_TRY(th_keras_unary(r, c, TH_OP_SOFTMAX, NULL, c->arg[0].value, &value));
  return done(c, value);
}

/* alpha has the input's shape without the batch, and 1 along the shared axes. */
th_status th_keras_prelu_layer(kr_reader *r, kr_call *c, int argument) {
  const th_shape *x = th_keras_shape(r, c->arg[0].value);
  const th_json *shared = th_json_get(c->layer->config, "shared_axes");
  kr_weight want = {.role = "alpha", .rank = x->rank - 1, .shape = {.rank = x->rank - 1}};
  int in[2], tensor, value;
  th_node *node;
  TH_TRY(th_keras_rank(r, c, 2, 5));
  for (int i = 1; i < x->rank; i++) want.dim[i - 1] = x->dim[i];
  for (const th_json *i = th_json_first(shared); i; i = th_json_next(i)) {
    double axis = th_json_number(i, 0);
    if (!(axis >= 1 && axis < x->rank)) return th_keras_fail(r, c->layer, "a shared axis is %g", axis);
    want.dim[(int)axis - 1] = 1;
  }
  for (int i = 0; i < want.rank; i++) want.shape.dim[i] = (int32_t)want.dim[i];
  th_shape shape = *x;
  TH_TRY(th_keras_tensor(r, c->arg[0].value, &in[0]));
  TH_TRY(th_keras_weights(r, c, &want, 1, 0, &in[1]));
  TH_TRY(th_keras_node(r, c, TH_OP_PRELU, NULL, in, 2, &node));
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  TH_TRY(th_keras_value(r, &shape, tensor, shape.rank == 4 ? tensor : -1, &value));
  return done(c, value);
}
