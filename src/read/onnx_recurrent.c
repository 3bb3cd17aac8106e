/* The LSTM of ONNX. X is (time, batch, values), or with layout 1 (batch, time, values); W, R and B hold the gates i o f
 * c below each other for each direction. Every direction becomes a node that begins each run with states of zero
 * (restart); one that goes backwards gets its steps in the opposite order and returns them so.
 *
 * Source: ONNX operator reference, "LSTM". SPDX-License-Identifier: Apache-2.0 */
#include <onnx.pb-c.h>
#include <string.h>

#include "base/str.h"
#include "read/onnx_internal.h"

enum { IN_X, IN_W, IN_R, IN_B, IN_LENGTHS, IN_H, IN_C, IN_PEEPHOLES };
enum { OUT_Y, OUT_H, OUT_C };
enum { GATES = 4, OPERANDS = 15, REC = 5, BIAS = 9, HIDDEN = 13 };

typedef struct lstm {
  onnx_value w, r, b; /* b: kind ONNX_UNSET when absent */
  int32_t units, in, time, layout;
  int directions;
  bool backwards; /* the first direction */
  th_act act;
} lstm;

/* --- settings --- */

static th_status read_direction(onnx_reader *r, const onnx_node *n, lstm *s) {
  const char *text;
  TH_TRY(th_onnx_attr_text(r, n, "direction", "forward", &text));
  s->backwards = th_str_eq(text, "reverse");
  s->directions = th_str_eq(text, "bidirectional") ? 2 : 1;
  if (s->backwards || s->directions == 2 || th_str_eq(text, "forward")) return TH_OK;
  return th_onnx_fail(r, n, "direction %.40s is not supported", text);
}

static bool is_word(const ProtobufCBinaryData *text, const char *word) {
  return text->len == strlen(word) && memcmp(text->data, word, text->len) == 0;
}

/* Of gates, candidate and cell, once per direction. */
static th_status read_activations(onnx_reader *r, const onnx_node *n, lstm *s) {
  const Onnx__AttributeProto *a = th_onnx_attr(n, "activations");
  s->act = TH_ACT_TANH;
  if (!a || a->n_strings == 0) return TH_OK;
  bool good = a->n_strings == (size_t)(3 * s->directions);
  for (size_t i = 0; i < a->n_strings && good; i++) {
    const bool relu = is_word(&a->strings[i], "Relu");
    good = i % 3 == 0 ? is_word(&a->strings[i], "Sigmoid") : relu || is_word(&a->strings[i], "Tanh");
    if (i == 1 && relu) s->act = TH_ACT_RELU;
    good = good && (i % 3 == 0 || relu == (s->act == TH_ACT_RELU));
  }
  return good ? TH_OK
              : th_onnx_fail(r, n,
                             "activations other than Sigmoid, Tanh, Tanh or Sigmoid, Relu, Relu are not "
                             "supported");
}

static th_status read_settings(onnx_reader *r, const onnx_node *n, lstm *s) {
  float clip;
  int32_t coupled;
  TH_TRY(read_direction(r, n, s));
  TH_TRY(read_activations(r, n, s));
  TH_TRY(th_onnx_attr_float(r, n, "clip", 0, &clip));
  TH_TRY(th_onnx_attr_int(r, n, "input_forget", 0, &coupled));
  TH_TRY(th_onnx_attr_int(r, n, "layout", 0, &s->layout));
  if (clip != 0) return th_onnx_fail(r, n, "clip is not supported");
  if (coupled) return th_onnx_fail(r, n, "input_forget (coupled gates) is not supported");
  if (s->layout != 0 && s->layout != 1) return th_onnx_fail(r, n, "layout is %d, expected 0 or 1", (int)s->layout);
  if (n->in[IN_LENGTHS])
    return th_onnx_fail(r, n, "sequence_lens is not supported: all sequences have their full length");
  if (n->in[IN_PEEPHOLES]) return th_onnx_fail(r, n, "peepholes (input P) are not supported");
  if (n->out[OUT_C]) return th_onnx_fail(r, n, "its output Y_c is used, which is not supported; Y and Y_h are");
  return TH_OK;
}

static th_status need_zeros(onnx_reader *r, const onnx_node *n, int i, const char *name) {
  const onnx_value *v = n->in[i];
  const float *data;
  if (!v) return TH_OK;
  bool zero = v->kind == ONNX_CONST;
  if (zero) TH_TRY(th_onnx_floats(r, n, v, &data));
  for (int64_t k = 0; zero && k < th_shape_elems(&v->shape); k++) zero = data[k] == 0;
  return zero ? TH_OK : th_onnx_fail(r, n, "%s (%.80s) is not constant zero, which is not supported", name, v->name);
}

/* --- weights --- */

static th_status read_weights(onnx_reader *r, const onnx_node *n, lstm *s) {
  int32_t hidden;
  TH_TRY(th_onnx_weights(r, n, IN_W, &s->w));
  TH_TRY(th_onnx_weights(r, n, IN_R, &s->r));
  s->b.kind = ONNX_UNSET;
  if (n->in[IN_B]) TH_TRY(th_onnx_weights(r, n, IN_B, &s->b));
  s->units = s->r.shape.rank == 3 ? s->r.shape.dim[2] : 0;
  TH_TRY(th_onnx_attr_int(r, n, "hidden_size", s->units, &hidden));
  if (s->units < 1 || s->units > INT32_MAX / 8 || hidden != s->units)
    return th_onnx_fail(r, n, "recurrent weights %s do not fit hidden_size %d", s->r.name, (int)hidden);
  const th_shape w = th_shape_make(3, s->directions, GATES * s->units, s->in);
  const th_shape u = th_shape_make(3, s->directions, GATES * s->units, s->units);
  const th_shape b = th_shape_make(2, s->directions, 2 * GATES * s->units);
  if (!th_shape_eq(&s->w.shape, &w) || !th_shape_eq(&s->r.shape, &u) ||
      (s->b.kind != ONNX_UNSET && !th_shape_eq(&s->b.shape, &b)))
    return th_onnx_fail(r, n, "its weights do not fit %d direction(s), %d inputs and %d units", s->directions,
                        (int)s->in, (int)s->units);
  return th_onnx_spend(r, th_shape_elems(&w) + th_shape_elems(&u) + th_shape_elems(&b));
}

/* The four gates of a direction, in the graph's order i f c o. */
static th_status put_gates(onnx_reader *r, const onnx_value *v, int direction, int32_t units, int32_t columns,
                           int *tensors) {
  static const int from[GATES] = {0, 2, 3, 1};
  const th_shape shape = th_shape_make(2, units, columns);
  const size_t elems = (size_t)units * (size_t)columns;
  for (int k = 0; k < GATES; k++) {
    const float *data = (const float *)v->data + (size_t)(GATES * direction + from[k]) * elems;
    TH_TRY(th_onnx_const(r, v->name, TH_DTYPE_F32, &shape, data, &tensors[k]));
  }
  return TH_OK;
}

/* ONNX has a bias of the input and one of the hidden state; only their sum matters. */
static th_status put_biases(onnx_reader *r, const lstm *s, int direction, int *tensors) {
  static const int from[GATES] = {0, 2, 3, 1};
  const th_shape shape = th_shape_make(1, s->units);
  const size_t units = (size_t)s->units;
  float *sum = TH_ARRAY(r->arena, float, s->units);
  if (!sum) return TH_ERR_RESOURCE;
  for (int k = 0; k < GATES; k++) {
    const size_t at = (size_t)(2 * GATES * direction + from[k]) * units;
    const float *data = s->b.kind == ONNX_UNSET ? NULL : (const float *)s->b.data + at;
    for (size_t u = 0; data && u < units; u++) sum[u] = data[u] + data[GATES * units + u];
    TH_TRY(th_onnx_const(r, data ? s->b.name : "bias", TH_DTYPE_F32, &shape, sum, &tensors[k]));
  }
  return TH_OK;
}

/* --- nodes --- */

/* Steps from `begin` on, to before `end`, of (1, time, values). */
static th_status steps(onnx_reader *r, const onnx_node *n, int tensor, int32_t begin, int32_t end, int32_t step,
                       int *out) {
  const int32_t table[9] = {0, 1, 1, begin, end, step, 0, r->g->tensors[tensor].shape.dim[2], 1};
  const th_shape shape = th_shape_make(2, 3, 3);
  int in[2] = {tensor, 0};
  th_node *node;
  TH_TRY(th_onnx_const(r, "slices", TH_DTYPE_S32, &shape, table, &in[1]));
  TH_TRY(th_onnx_node(r, n, TH_OP_STRIDED_SLICE, in, 2, &node));
  return th_onnx_finish(r, n, out);
}

static th_status add_state(onnx_reader *r, const char *name, int32_t units, int *tensor) {
  const th_shape shape = th_shape_make(2, 1, units);
  TH_TRY(th_graph_add_tensor(r->g, name, TH_DTYPE_F32, &shape, tensor));
  r->g->tensors[*tensor].is_variable = true;
  return TH_OK;
}

/* One direction: all steps in the order of the input, and the last one that it came to. */
static th_status one_direction(onnx_reader *r, onnx_node *n, const lstm *s, int direction, int x, int *all, int *last) {
  const bool back = direction == 1 || s->backwards;
  int in[OPERANDS] = {x};
  th_node *node;
  if (back) TH_TRY(steps(r, n, x, s->time - 1, -1, -1, &in[0]));
  TH_TRY(put_gates(r, &s->w, direction, s->units, s->in, in + 1));
  TH_TRY(put_gates(r, &s->r, direction, s->units, s->units, in + REC));
  TH_TRY(put_biases(r, s, direction, in + BIAS));
  TH_TRY(add_state(r, "hidden", s->units, &in[HIDDEN]));
  TH_TRY(add_state(r, "cell", s->units, &in[HIDDEN + 1]));
  TH_TRY(th_onnx_node(r, n, TH_OP_LSTM, in, OPERANDS, &node));
  node->attr[TH_ATTR_ACTIVATION].i = s->act;
  node->attr[TH_ATTR_RESTART].i = 1;
  TH_TRY(th_onnx_finish(r, n, all));
  TH_TRY(steps(r, n, *all, s->time - 1, s->time, 1, last));
  return back ? steps(r, n, *all, s->time - 1, -1, -1, all) : TH_OK;
}

/* (1, steps, units) of each direction -> (1, steps, directions, units) */
static th_status join(onnx_reader *r, const onnx_node *n, const lstm *s, const int *part, int *tensor) {
  th_node *node;
  th_shape shape = r->g->tensors[part[0]].shape;
  *tensor = part[0];
  if (s->directions == 2) {
    TH_TRY(th_onnx_node(r, n, TH_OP_CONCAT, part, 2, &node));
    node->attr[TH_ATTR_AXIS].i = 2;
    TH_TRY(th_onnx_finish(r, n, tensor));
  }
  shape = th_shape_make(4, 1, shape.dim[1], s->directions, s->units);
  return th_onnx_reshape(r, n, *tensor, &shape, tensor);
}

static th_status give(onnx_reader *r, const onnx_node *n, const lstm *s, const int *all, const int *last) {
  static const onnx_layout layout[2][2] = {{{4, {2, 0, 1, 3}}, {4, {1, -1, 0, 2}}},
                                           {{4, {0, 1, 2, 3}}, {4, {0, -1, 1, 2}}}};
  const bool batch_first = s->layout == 1;
  const th_shape y = batch_first ? th_shape_make(4, 1, s->time, s->directions, s->units)
                                 : th_shape_make(4, s->time, s->directions, 1, s->units);
  const th_shape h =
      batch_first ? th_shape_make(3, 1, s->directions, s->units) : th_shape_make(3, s->directions, 1, s->units);
  int tensor;
  TH_TRY(join(r, n, s, all, &tensor));
  TH_TRY(th_onnx_set(r, n, OUT_Y, tensor, &y, &layout[batch_first][OUT_Y]));
  if (!n->out[OUT_H]) return TH_OK;
  TH_TRY(join(r, n, s, last, &tensor));
  return th_onnx_set(r, n, OUT_H, tensor, &h, &layout[batch_first][OUT_H]);
}

th_status th_onnx_op_lstm(onnx_reader *r, onnx_node *n) {
  static const onnx_layout order[2] = {{3, {1, 0, 2}}, {3, {0, 1, 2}}};
  lstm s;
  onnx_value x;
  int tensor, all[2], last[2];
  TH_TRY(read_settings(r, n, &s));
  TH_TRY(need_zeros(r, n, IN_H, "initial_h"));
  TH_TRY(need_zeros(r, n, IN_C, "initial_c"));
  TH_TRY(th_onnx_data(r, n, IN_X, &x));
  if (x.shape.rank != 3 || x.shape.dim[s.layout ? 0 : 1] != 1) {
    char text[TH_SHAPE_TEXT];
    return th_onnx_fail(r, n, "its input is %s, expected %s with a batch of 1", th_shape_text(&x.shape, text),
                        s.layout ? "batch x time x values" : "time x batch x values");
  }
  s.time = x.shape.dim[s.layout ? 1 : 0];
  s.in = x.shape.dim[2];
  TH_TRY(read_weights(r, n, &s));
  TH_TRY(th_onnx_arrange(r, n, &x, &order[s.layout], &tensor));
  for (int d = 0; d < s.directions; d++) TH_TRY(one_direction(r, n, &s, d, tensor, &all[d], &last[d]));
  return give(r, n, &s, all, last);
}
