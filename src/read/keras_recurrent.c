/* The LSTM layer of Keras. The gates of its three weights lie side by side, (rows, 4 units) in the order i f c o; the
 * graph has each as (units, rows). A layer that is not stateful begins every sample with states of zero, which the node
 * is told (restart).
 *
 * Equations and weights: Keras API reference, "LSTM layer". SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "read/keras_internal.h"

enum { GATES = 4, WEIGHTS = 3 * GATES, MOST_UNITS = 65536 };

typedef struct lstm {
  int units, in, time;
  bool bias;
  th_act act; /* of the candidate and of the cell */
} lstm;

/* --- settings --- */

static const char *activation_of(const kr_layer *l, const char *key, const char *otherwise) {
  const th_json *j = th_json_get(l->config, key);
  return j ? th_json_string(j, "a function of its own") : otherwise;
}

static th_status check_settings(const kr_reader *r, const kr_call *c, lstm *s) {
  static const char *const refused[] = {"return_state", "time_major", NULL};
  const kr_layer *l = c->layer;
  const char *act = activation_of(l, "activation", "tanh");
  const char *gate = activation_of(l, "recurrent_activation", "sigmoid");
  for (int i = 0; refused[i]; i++)
    if (th_keras_flag(l, refused[i], false)) return th_keras_fail(r, l, "%s is not supported", refused[i]);
  if (!th_str_eq(gate, "sigmoid"))
    return th_keras_fail(r, l, "recurrent_activation %.40s is not supported; sigmoid is", gate);
  if (!th_str_eq(act, "tanh") && !th_str_eq(act, "relu"))
    return th_keras_fail(r, l, "activation %.40s is not supported; tanh and relu are", act);
  s->act = th_str_eq(act, "tanh") ? TH_ACT_TANH : TH_ACT_RELU;
  s->bias = th_keras_flag(l, "use_bias", true);
  s->units = 0;
  TH_TRY(th_keras_ints(r, l, "units", 1, 1, MOST_UNITS, &s->units));
  return s->units ? TH_OK : th_keras_fail(r, l, "units is missing");
}

/* --- weights --- */

/* One weight of four gates; rows 0: a bias, which data may leave out. */
static th_status split(kr_reader *r, const kr_call *c, const char *role, const float *data, int rows, int units,
                       int *tensors) {
  static const char *const gates[GATES] = {"i", "f", "c", "o"};
  const int n = rows ? rows : 1;
  const th_shape shape = rows ? th_shape_make(2, units, rows) : th_shape_make(1, units);
  th_arena_pos pos = th_arena_mark(r->scratch);
  float *part = th_arena_array(r->scratch, (size_t)units * (size_t)n, sizeof *part);
  th_status status = part ? TH_OK : TH_ERR_RESOURCE;
  for (int k = 0; k < GATES && status == TH_OK; k++) {
    for (size_t i = 0; i < (size_t)n; i++)
      for (size_t u = 0; u < (size_t)units; u++)
        part[u * (size_t)n + i] = data ? data[(i * GATES + (size_t)k) * (size_t)units + u] : 0;
    const char *name = th_arena_printf(r->scratch, "%s_%s", role, gates[k]);
    status = name ? th_keras_const(r, c, name, &shape, part, &tensors[k]) : TH_ERR_RESOURCE;
  }
  th_arena_release(r->scratch, pos);
  return status;
}

/* .keras has them in a part of the layer, its cell. */
static th_status load(kr_reader *r, const kr_call *c, const lstm *s, int *tensors) {
  static const char *const role[] = {"kernel", "recurrent_kernel", "bias"};
  const int rows[] = {s->in, s->units, 0}, n = s->bias ? 3 : 2;
  kr_layer cell = *c->layer;
  const float *data[3] = {NULL};
  cell.store = th_arena_printf(r->scratch, "%s/cell", c->layer->store);
  if (!cell.store) return TH_ERR_RESOURCE;
  for (int i = 0; i < n; i++) {
    const kr_weight kernel = {.role = role[i], .rank = 2, .dim = {rows[i], (int64_t)GATES * s->units}};
    const kr_weight bias = th_keras_channel_weight(role[i], GATES * s->units);
    TH_TRY(th_keras_weight_data(r, &cell, rows[i] ? &kernel : &bias, i, n, &data[i]));
  }
  for (int i = 0; i < 3; i++) TH_TRY(split(r, c, role[i], data[i], rows[i], s->units, tensors + GATES * i));
  return TH_OK;
}

static th_status weights(kr_reader *r, const kr_call *c, const lstm *s, int *tensors) {
  kr_layer *l = c->layer;
  if (!l->n_weights) TH_TRY(load(r, c, s, l->weight));
  l->n_weights = WEIGHTS;
  if (r->g->tensors[l->weight[0]].shape.dim[1] != s->in)
    return th_keras_fail(r, l, "is used for inputs of different sizes");
  memcpy(tensors, l->weight, sizeof(int) * WEIGHTS);
  return TH_OK;
}

/* --- the layer --- */

/* Steps from `begin` on, to before `end`, of (1, time, values). */
static th_status steps(kr_reader *r, const kr_call *c, const char *part, int tensor, int begin, int end, int step,
                       int *out) {
  const int32_t table[9] = {0, 1, 1, begin, end, step, 0, r->g->tensors[tensor].shape.dim[2], 1};
  const th_shape shape = th_shape_make(2, 3, 3);
  int in[2] = {tensor, -1};
  th_node *node;
  const char *name = th_arena_printf(r->scratch, "%s/slices", part);
  const char *full = name ? th_keras_name(r, c, name) : NULL;
  if (!full) return TH_ERR_RESOURCE;
  TH_TRY(th_graph_add_const(r->g, full, TH_DTYPE_S32, &shape, table, &in[1]));
  TH_TRY(th_keras_node(r, c, TH_OP_STRIDED_SLICE, part, in, 2, &node));
  return th_keras_finish(r, c, node, out);
}

static th_status add_state(kr_reader *r, const kr_call *c, const char *part, int units, int *tensor) {
  const th_shape shape = th_shape_make(2, 1, units);
  const char *name = th_keras_name(r, c, part);
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_graph_add_tensor(r->g, name, TH_DTYPE_F32, &shape, tensor));
  r->g->tensors[*tensor].is_variable = true;
  return TH_OK;
}

static th_status add_node(kr_reader *r, kr_call *c, const lstm *s, int *tensor) {
  int in[1 + WEIGHTS + 2];
  th_node *node;
  TH_TRY(th_keras_tensor(r, c->arg[0].value, &in[0]));
  if (th_keras_flag(c->layer, "go_backwards", false))
    TH_TRY(steps(r, c, "backwards", in[0], s->time - 1, -1, -1, &in[0]));
  TH_TRY(weights(r, c, s, in + 1));
  TH_TRY(add_state(r, c, "hidden", s->units, &in[1 + WEIGHTS]));
  TH_TRY(add_state(r, c, "cell", s->units, &in[2 + WEIGHTS]));
  TH_TRY(th_keras_node(r, c, TH_OP_LSTM, NULL, in, 3 + WEIGHTS, &node));
  node->attr[TH_ATTR_ACTIVATION].i = s->act;
  node->attr[TH_ATTR_RESTART].i = !th_keras_flag(c->layer, "stateful", false);
  return th_keras_finish(r, c, node, tensor);
}

th_status th_keras_lstm(kr_reader *r, kr_call *c, int argument) {
  lstm s;
  int tensor;
  TH_TRY(th_keras_rank(r, c, 3, 3));
  TH_TRY(check_settings(r, c, &s));
  if (th_keras_flag(c->layer, "stateful", false) && c->layer->n_uses > 1)
    return th_keras_fail(r, c->layer, "is stateful and used more than once");
  s.time = th_keras_shape(r, c->arg[0].value)->dim[1];
  s.in = th_keras_shape(r, c->arg[0].value)->dim[2];
  TH_TRY(add_node(r, c, &s, &tensor));
  th_shape shape = th_shape_make(3, 1, s.time, s.units);
  if (!th_keras_flag(c->layer, "return_sequences", false)) {
    shape = th_shape_make(2, 1, s.units);
    TH_TRY(steps(r, c, "last", tensor, s.time - 1, s.time, 1, &tensor));
    const char *name = th_keras_name(r, c, "row");
    if (!name) return TH_ERR_RESOURCE;
    TH_TRY(th_keras_reshape(r, name, tensor, &shape, &tensor));
  }
  c->n_out = 1;
  return th_keras_value(r, &shape, tensor, -1, &c->out[0]);
}
