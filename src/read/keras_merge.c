/* Layers of several inputs, and single operations of TensorFlow (TFOpLambda) and Keras 3 (keras.ops) on tensors and
 * numbers. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "read/keras_internal.h"

static th_status done(kr_call *c, int value) {
  c->out[0] = value;
  c->n_out = 1;
  return TH_OK;
}

static th_status need_tensors(kr_reader *r, const kr_call *c, int fewest) {
  if (c->n_args < fewest)
    return th_keras_fail(r, c->layer, "it has %d input(s), expected at least %d", c->n_args, fewest);
  for (int i = 0; i < c->n_args; i++)
    if (c->arg[i].value < 0) return th_keras_fail(r, c->layer, "input %d is a number, expected a tensor", i);
  return TH_OK;
}

th_status th_keras_merge(kr_reader *r, kr_call *c, int argument) {
  TH_TRY(need_tensors(r, c, 1));
  if (argument == TH_OP_SUB && c->n_args != 2)
    return th_keras_fail(r, c->layer, "it has %d inputs, expected 2", c->n_args);
  int value = c->arg[0].value;
  for (int i = 1; i < c->n_args; i++) {
    const char *part = i + 1 < c->n_args ? "partial" : NULL;
    TH_TRY(th_keras_binary(r, c, (th_op_id)argument, part, value, c->arg[i].value, &value));
  }
  return done(c, value);
}

th_status th_keras_average(kr_reader *r, kr_call *c, int argument) {
  int value;
  TH_TRY(th_keras_merge(r, c, TH_OP_ADD));
  float share = 1.0f / (float)c->n_args;
  TH_TRY(th_keras_with_const(r, c, TH_OP_MUL, "mean", c->out[0], &share, 1, false, &value));
  return done(c, value);
}

static th_status concat_some(kr_reader *r, const kr_call *c, const int *values, int n, int axis, bool images,
                             int *value) {
  int in[8], tensor;
  bool row = th_keras_shape(r, values[0])->rank == 3;
  th_node *node;
  for (int i = 0; i < n; i++)
    TH_TRY(images ? th_keras_image(r, values[i], &in[i]) : th_keras_tensor(r, values[i], &in[i]));
  TH_TRY(th_keras_node(r, c, TH_OP_CONCAT, NULL, in, n, &node));
  node->attr[TH_ATTR_AXIS].i = images && row ? axis + 1 : axis;
  TH_TRY(th_keras_finish(r, c, node, &tensor));
  if (images) return th_keras_image_value(r, tensor, row, value);
  const th_shape *s = &r->g->tensors[tensor].shape;
  return th_keras_value(r, s, tensor, s->rank == 4 ? tensor : -1, value);
}

th_status th_keras_concatenate(kr_reader *r, kr_call *c, int argument) {
  TH_TRY(need_tensors(r, c, 1));
  int rank = th_keras_shape(r, c->arg[0].value)->rank, axis = -1, values[KR_MAX_ARGS], n = c->n_args;
  bool images = true;
  TH_TRY(th_keras_ints(r, c->layer, "axis", 1, -rank, rank - 1, &axis));
  if (axis < 0) axis += rank;
  if (axis < 1) return th_keras_fail(r, c->layer, "axis %d is the batch, which is not part of a model", axis);
  for (int i = 0; i < n; i++) {
    values[i] = c->arg[i].value;
    images &= r->values[values[i]].image >= 0;
    if (th_keras_shape(r, values[i])->rank != rank)
      return th_keras_fail(r, c->layer, "its inputs have different numbers of dimensions");
  }
  while (n > 8) { /* more than the operator takes: the first eight become one */
    TH_TRY(concat_some(r, c, values, 8, axis, images, &values[0]));
    memmove(values + 1, values + 8, sizeof *values * (size_t)(n - 8));
    n -= 7;
  }
  if (n > 1) TH_TRY(concat_some(r, c, values, n, axis, images, &values[0]));
  return done(c, values[0]);
}

/* --- operations --- */

typedef struct operation {
  const char *tensorflow, *keras; /* "math.add" of TFOpLambda, class "Add" of keras.ops */
  th_op_id op;
  int operands;
} operation;

static const operation operations[] = {
    {"math.add", "Add", TH_OP_ADD, 2},
    {"__operators__.add", "Add", TH_OP_ADD, 2},
    {"math.subtract", "Subtract", TH_OP_SUB, 2},
    {"__operators__.subtract", "Subtract", TH_OP_SUB, 2},
    {"math.multiply", "Multiply", TH_OP_MUL, 2},
    {"__operators__.multiply", "Multiply", TH_OP_MUL, 2},
    {"math.truediv", "TrueDivide", TH_OP_DIV, 2},
    {"math.divide", "Divide", TH_OP_DIV, 2},
    {"math.maximum", "Maximum", TH_OP_MAXIMUM, 2},
    {"math.minimum", "Minimum", TH_OP_MINIMUM, 2},
    {"math.pow", "Power", TH_OP_POW, 2},
    {"math.negative", "Negative", TH_OP_NEG, 1},
    {"math.abs", "Absolute", TH_OP_ABS, 1},
    {"math.exp", "Exp", TH_OP_EXP, 1},
    {"math.log", "Log", TH_OP_LOG, 1},
    {"math.sqrt", "Sqrt", TH_OP_SQRT, 1},
    {"math.rsqrt", "Rsqrt", TH_OP_RSQRT, 1},
    {"math.square", "Square", TH_OP_SQUARE, 1},
    {"math.sigmoid", "Sigmoid", TH_OP_SIGMOID, 1},
    {"math.tanh", "Tanh", TH_OP_TANH, 1},
    {"nn.relu", "Relu", TH_OP_RELU, 1},
    {"nn.relu6", "Relu6", TH_OP_RELU6, 1},
    {"nn.silu", "Silu", TH_OP_SILU, 1},
};

static const operation *find_operation(const kr_layer *l) {
  const char *function = th_keras_text(l, "function", "");
  bool tensorflow = th_str_eq(l->class_name, "TFOpLambda");
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
    if (th_str_eq(tensorflow ? operations[i].tensorflow : operations[i].keras, tensorflow ? function : l->class_name))
      return &operations[i];
  return NULL;
}

bool th_keras_is_operation(const char *class_name) {
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
    if (th_str_eq(operations[i].keras, class_name)) return true;
  return false;
}

static th_status two_operands(kr_reader *r, kr_call *c, th_op_id op) {
  const kr_arg *a = &c->arg[0], *b = &c->arg[1];
  int value;
  if (a->value < 0 && b->value < 0) return th_keras_fail(r, c->layer, "both operands are numbers");
  if (a->value >= 0 && b->value >= 0) {
    TH_TRY(th_keras_binary(r, c, op, NULL, a->value, b->value, &value));
  } else {
    bool swapped = a->value < 0;
    float number = (float)(swapped ? a->number : b->number);
    TH_TRY(th_keras_with_const(r, c, op, "operation", swapped ? b->value : a->value, &number, 1, swapped, &value));
  }
  return done(c, value);
}

th_status th_keras_operation(kr_reader *r, kr_call *c, int argument) {
  const operation *o = find_operation(c->layer);
  int value;
  if (!o) {
    const char *name = th_keras_text(c->layer, "function", c->layer->class_name);
    return th_keras_fail(r, c->layer, "operation %.64s is not supported", name);
  }
  if (c->n_args != o->operands)
    return th_keras_fail(r, c->layer, "it has %d operand(s) that are tensors or numbers, expected %d", c->n_args,
                         o->operands);
  if (o->operands == 2) return two_operands(r, c, o->op);
  if (c->arg[0].value < 0) return th_keras_fail(r, c->layer, "its operand is a number");
  TH_TRY(th_keras_unary(r, c, o->op, NULL, c->arg[0].value, &value));
  return done(c, value);
}
