/* Architecture text -> graph, a line at a time: one row of `layers` says what a layer takes, one function builds it.
 *
 * The graph is kept inferred: after each line the new node's shape is known, so a wrong size is reported at the line
 * that caused it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "read/arch.h"

#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "op/op.h"
#include "read/arch_line.h"

enum { MAX_TEXT = 1 << 20, MAX_FROM = 8, MAX_SIZE = 1 << 16 };
#define MAX_WEIGHTS ((int64_t)1 << 26)

typedef struct builder {
  th_graph *g;
  th_arena *scratch;
  int last; /* tensor of the line before; -1 at the start */
  int inputs[8], n_inputs;
  int64_t weights;
  const char *name; /* of the layer being built: name=, or its word with a number if that is taken */
  bool ended;       /* an `output` line was seen */
} builder;

typedef struct layer layer;
typedef th_status layer_fn(builder *b, const arch_line *l, const layer *row);

struct layer {
  const char *word;
  th_op_id op;
  const char *argument; /* what the word after the layer means; NULL: none allowed */
  bool needed;          /* the argument must be there */
  uint32_t keys;        /* allowed, by bit; name is always allowed */
  int min_from, max_from;
  layer_fn *build;
};

/* --- naming and wiring --- */

static th_status settle_name(builder *b, const arch_line *l) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
  b->name = l->value[KEY_NAME];
  if (!b->name) {
    b->name = l->word;
    for (int k = 2; b->name && th_graph_find_tensor(b->g, b->name) >= 0; ++k)
      b->name = th_arena_printf(b->scratch, "%s_%d", l->word, k);
    return b->name ? TH_OK : TH_ERR_RESOURCE;
  }
  if (strlen(b->name) > 64 || strspn(b->name, allowed) != strlen(b->name))
    return th_arch_fail(l, "name '%s': expected at most 64 letters, digits, and _ - . /", b->name);
  if (th_graph_find_tensor(b->g, b->name) >= 0)
    return th_arch_fail(l, "the name '%s' is taken by an earlier layer", b->name);
  return TH_OK;
}

static th_status find_from(builder *b, const arch_line *l, const char *name, int *tensor) {
  const char *known[256];
  int n = 0;
  for (int i = 0; i < b->g->n_tensors; ++i) {
    const th_tensor *t = &b->g->tensors[i];
    if (t->data) continue;
    if (th_str_eq(t->name, name)) {
      *tensor = i;
      return TH_OK;
    }
    if (n < 256) known[n++] = t->name;
  }
  const char *close = th_str_closest(name, known, n);
  if (close) return th_arch_fail(l, "no earlier layer is named '%s': did you mean '%s'?", name, close);
  return th_arch_fail(l, "no earlier layer is named '%s' (name= gives a layer its name)", name);
}

/* Inputs of a layer: those of from=; a layer that needs one more takes the line before as its first. */
static th_status wire(builder *b, const arch_line *l, const layer *row, int *in, int *n_in) {
  *n_in = 0;
  const char *names[MAX_FROM];
  int n = 0;
  if (l->value[KEY_FROM]) TH_TRY(th_arch_list(l, "from", l->value[KEY_FROM], b->scratch, names, MAX_FROM, &n));
  if (n < row->min_from || n == 0) {
    if (b->last < 0) return th_arch_fail(l, "there is no layer before it; a network begins with `input SHAPE`");
    in[(*n_in)++] = b->last;
  }
  for (int i = 0; i < n; ++i) {
    if (*n_in == MAX_FROM) return th_arch_fail(l, "more than %d inputs", MAX_FROM);
    TH_TRY(find_from(b, l, names[i], &in[(*n_in)++]));
  }
  if (*n_in >= row->min_from && *n_in <= row->max_from) return TH_OK;
  return th_arch_fail(l, "has %d input(s), expected %d to %d: from=NAME names the others", *n_in, row->min_from,
                      row->max_from);
}

static th_status add_const(builder *b, const arch_line *l, const char *role, const th_shape *shape, float value,
                           int *id) {
  int64_t elems = th_shape_elems(shape);
  b->weights += elems;
  if (b->weights > MAX_WEIGHTS)
    return th_arch_fail(l, "the network has more than %lld weights", (long long)MAX_WEIGHTS);
  th_arena_pos pos = th_arena_mark(b->scratch);
  float *data = TH_ARRAY(b->scratch, float, elems);
  if (!data) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; ++i) data[i] = value;
  const char *name = th_arena_printf(b->g->arena, "%s.%s", b->name, role);
  th_status status = name ? th_graph_add_const(b->g, name, TH_DTYPE_F32, shape, data, id) : TH_ERR_RESOURCE;
  th_arena_release(b->scratch, pos);
  return status;
}

/* Appends the node with an output of yet unknown shape; finish_node settles it once the attributes are set. */
static th_status add_node(builder *b, const layer *row, const int *in, int n_in, th_node **node) {
  int out, id;
  th_shape unknown = th_shape_make(1, 1);
  TH_TRY(th_graph_add_tensor(b->g, b->name, TH_DTYPE_F32, &unknown, &out));
  TH_TRY(th_graph_add_node(b->g, b->g->n_nodes, row->op, b->name, in, n_in, &out, 1, &id));
  *node = &b->g->nodes[id];
  return TH_OK;
}

static th_status finish_node(builder *b, const arch_line *l, th_node *node) {
  th_status status = th_op_get(node->op)->infer(b->g, node);
  if (status == TH_ERR_INPUT) return th_fail_in(status, "%s:%d", l->what, l->line);
  TH_TRY(status);
  b->last = node->out[0];
  return TH_OK;
}

/* --- attributes --- */

static th_status set_pair(const arch_line *l, arch_key key, int hi, th_node *n, th_attr_id y, th_attr_id x) {
  int v[2];
  if (!l->value[key]) return TH_OK;
  TH_TRY(th_arch_pair(l, th_arch_key_names[key], l->value[key], 1, hi, v));
  n->attr[y].i = v[0];
  n->attr[x].i = v[1];
  return TH_OK;
}

static th_status set_activation(const arch_line *l, th_node *n) {
  const char *text = l->value[KEY_ACTIVATION];
  if (!text) return TH_OK;
  th_act act = th_act_from_name(text);
  if (act == TH_ACT_COUNT)
    return th_arch_fail(l,
                        "activation is '%s', expected none, relu, relu6, relu_n1_1 or tanh; others are layers of "
                        "their own",
                        text);
  n->attr[TH_ATTR_ACTIVATION].i = (int32_t)act;
  return TH_OK;
}

static th_status four_sizes(builder *b, const arch_line *l, const char *text, int pads[4]) {
  const char *items[4];
  int n, pair[2];
  if (!strchr(text, ',')) {
    TH_TRY(th_arch_pair(l, "padding", text, 0, MAX_SIZE, pair));
    pads[0] = pads[1] = pair[0];
    pads[2] = pads[3] = pair[1];
    return TH_OK;
  }
  TH_TRY(th_arch_list(l, "padding", text, b->scratch, items, 4, &n));
  if (n != 4) return th_arch_fail(l, "padding has %d sizes, expected 1, or 4: top,bottom,left,right", n);
  for (int i = 0; i < 4; ++i) TH_TRY(th_arch_int(l, "padding", items[i], 0, MAX_SIZE, &pads[i]));
  return TH_OK;
}

static th_status need_picture(builder *b, const arch_line *l, int tensor) {
  const th_shape *s = &b->g->tensors[tensor].shape;
  char text[TH_SHAPE_TEXT];
  if (s->rank == 4) return TH_OK;
  return th_arch_fail(l, "its input is %s, expected a picture 1 x height x width x channels", th_shape_text(s, text));
}

/* padding=valid (default), same, causal (conv1d), N, NxM or top,bottom,left,right */
static th_status set_padding(builder *b, const arch_line *l, const th_shape *in, th_node *n) {
  const char *text = l->value[KEY_PADDING];
  const th_attr *a = n->attr;
  int pads[4] = {0};
  int span_y = (a[TH_ATTR_KERNEL_Y].i - 1) * a[TH_ATTR_DILATION_Y].i;
  int span_x = (a[TH_ATTR_KERNEL_X].i - 1) * a[TH_ATTR_DILATION_X].i;
  if (!text || th_str_eq(text, "valid")) {
  } else if (th_str_eq(text, "same")) {
    th_op_same_padding(in->dim[1], a[TH_ATTR_KERNEL_Y].i, a[TH_ATTR_STRIDE_Y].i, a[TH_ATTR_DILATION_Y].i, &pads[0],
                       &pads[1]);
    th_op_same_padding(in->dim[2], a[TH_ATTR_KERNEL_X].i, a[TH_ATTR_STRIDE_X].i, a[TH_ATTR_DILATION_X].i, &pads[2],
                       &pads[3]);
  } else if (th_str_eq(text, "causal")) {
    pads[0] = span_y;
    pads[2] = span_x;
  } else if (text[0] >= '0' && text[0] <= '9') {
    TH_TRY(four_sizes(b, l, text, pads));
  } else {
    return th_arch_fail(l, "padding is '%s', expected valid, same, causal, a number, or top,bottom,left,right", text);
  }
  n->attr[TH_ATTR_PAD_TOP].i = pads[0];
  n->attr[TH_ATTR_PAD_BOTTOM].i = pads[1];
  n->attr[TH_ATTR_PAD_LEFT].i = pads[2];
  n->attr[TH_ATTR_PAD_RIGHT].i = pads[3];
  return TH_OK;
}

/* Before the node exists there is nowhere to keep attributes; layers with weights need them first. */
static th_node blank_node(th_op_id op) {
  th_node n = {.op = op};
  for (int a = 0; a < TH_ATTR_COUNT; ++a) n.attr[a] = th_attr_default((th_attr_id)a);
  return n;
}

/* A row of positions is a picture of height 1, so conv1d's sizes go along x. */
static void lay_down(th_node *n) {
  static const th_attr_id y[] = {TH_ATTR_KERNEL_Y, TH_ATTR_STRIDE_Y, TH_ATTR_DILATION_Y};
  for (int i = 0; i < 3; ++i) n->attr[y[i]].i = 1;
}

static th_status window_attributes(builder *b, const arch_line *l, const layer *row, int tensor, th_node *n) {
  TH_TRY(set_pair(l, KEY_KERNEL, 1024, n, TH_ATTR_KERNEL_Y, TH_ATTR_KERNEL_X));
  TH_TRY(set_pair(l, KEY_STRIDE, 1024, n, TH_ATTR_STRIDE_Y, TH_ATTR_STRIDE_X));
  TH_TRY(set_pair(l, KEY_DILATION, 1024, n, TH_ATTR_DILATION_Y, TH_ATTR_DILATION_X));
  if (th_str_eq(row->word, "conv1d")) lay_down(n);
  TH_TRY(need_picture(b, l, tensor));
  const th_shape *in = &b->g->tensors[tensor].shape;
  if (th_str_eq(row->word, "conv1d") && in->dim[1] != 1) {
    char text[TH_SHAPE_TEXT];
    return th_arch_fail(l, "its input is %s, expected height 1 (input LENGTHxCHANNELS)", th_shape_text(in, text));
  }
  TH_TRY(set_activation(l, n));
  return set_padding(b, l, in, n);
}

/* --- layers --- */

static th_status add_weighted(builder *b, const arch_line *l, const layer *row, int input, const th_node *settings,
                              const th_shape *weights, int outputs) {
  bool bias = true;
  int in[3] = {input, TH_NO_TENSOR, TH_NO_TENSOR};
  if (l->value[KEY_BIAS]) TH_TRY(th_arch_yes(l, "bias", l->value[KEY_BIAS], &bias));
  TH_TRY(add_const(b, l, "weight", weights, 0.0f, &in[1]));
  th_shape bias_shape = th_shape_make(1, outputs);
  if (bias) TH_TRY(add_const(b, l, "bias", &bias_shape, 0.0f, &in[2]));
  th_node *node;
  TH_TRY(add_node(b, row, in, bias ? 3 : 2, &node));
  memcpy(node->attr, settings->attr, sizeof node->attr);
  return finish_node(b, l, node);
}

static th_status build_conv(builder *b, const arch_line *l, const layer *row) {
  int in[MAX_FROM], n_in, outputs, groups = 1;
  TH_TRY(wire(b, l, row, in, &n_in));
  th_node n = blank_node(row->op);
  if (!l->value[KEY_KERNEL]) return th_arch_fail(l, "kernel= is missing, as in kernel=3 or kernel=3x5");
  TH_TRY(window_attributes(b, l, row, in[0], &n));
  TH_TRY(th_arch_int(l, row->argument, l->argument, 1, MAX_SIZE, &outputs));
  if (l->value[KEY_GROUPS]) TH_TRY(th_arch_int(l, "groups", l->value[KEY_GROUPS], 1, MAX_SIZE, &groups));
  int channels = b->g->tensors[in[0]].shape.dim[3];
  if (channels % groups || outputs % groups)
    return th_arch_fail(l, "groups=%d must divide the %d input and the %d output channels", groups, channels, outputs);
  n.attr[TH_ATTR_GROUPS].i = groups;
  th_shape weights =
      th_shape_make(4, outputs, n.attr[TH_ATTR_KERNEL_Y].i, n.attr[TH_ATTR_KERNEL_X].i, channels / groups);
  return add_weighted(b, l, row, in[0], &n, &weights, outputs);
}

static th_status build_depthwise(builder *b, const arch_line *l, const layer *row) {
  int in[MAX_FROM], n_in, multiplier = 1;
  TH_TRY(wire(b, l, row, in, &n_in));
  th_node n = blank_node(row->op);
  if (!l->value[KEY_KERNEL]) return th_arch_fail(l, "kernel= is missing, as in kernel=3 or kernel=3x5");
  TH_TRY(window_attributes(b, l, row, in[0], &n));
  if (l->value[KEY_MULTIPLIER]) TH_TRY(th_arch_int(l, "multiplier", l->value[KEY_MULTIPLIER], 1, 1024, &multiplier));
  int outputs = b->g->tensors[in[0]].shape.dim[3] * multiplier;
  th_shape weights = th_shape_make(4, 1, n.attr[TH_ATTR_KERNEL_Y].i, n.attr[TH_ATTR_KERNEL_X].i, outputs);
  return add_weighted(b, l, row, in[0], &n, &weights, outputs);
}

static th_status build_fully_connected(builder *b, const arch_line *l, const layer *row) {
  int in[MAX_FROM], n_in, outputs;
  TH_TRY(wire(b, l, row, in, &n_in));
  th_node n = blank_node(row->op);
  TH_TRY(set_activation(l, &n));
  TH_TRY(th_arch_int(l, row->argument, l->argument, 1, MAX_SIZE, &outputs));
  int64_t inputs = th_shape_elems(&b->g->tensors[in[0]].shape);
  th_shape weights = th_shape_make(2, outputs, (int)inputs);
  return add_weighted(b, l, row, in[0], &n, &weights, outputs);
}

static th_status build_pool(builder *b, const arch_line *l, const layer *row) {
  int in[MAX_FROM], n_in, window[2];
  TH_TRY(wire(b, l, row, in, &n_in));
  TH_TRY(th_arch_pair(l, row->argument, l->argument, 1, 1024, window));
  th_node n = blank_node(row->op);
  n.attr[TH_ATTR_KERNEL_Y].i = n.attr[TH_ATTR_STRIDE_Y].i = window[0];
  n.attr[TH_ATTR_KERNEL_X].i = n.attr[TH_ATTR_STRIDE_X].i = window[1];
  TH_TRY(window_attributes(b, l, row, in[0], &n));
  th_node *node;
  TH_TRY(add_node(b, row, in, 1, &node));
  memcpy(node->attr, n.attr, sizeof node->attr);
  return finish_node(b, l, node);
}

static th_status build_batch_norm(builder *b, const arch_line *l, const layer *row) {
  static const char *const roles[4] = {"gamma", "beta", "mean", "variance"};
  int in[MAX_FROM], n_in;
  TH_TRY(wire(b, l, row, in, &n_in));
  const th_shape *s = &b->g->tensors[in[0]].shape;
  th_shape channels = th_shape_make(1, s->dim[s->rank - 1]);
  for (int i = 0; i < 4; ++i) TH_TRY(add_const(b, l, roles[i], &channels, i == 0 || i == 3 ? 1.0f : 0.0f, &in[1 + i]));
  th_node *node;
  TH_TRY(add_node(b, row, in, 5, &node));
  if (l->value[KEY_EPSILON])
    TH_TRY(th_arch_float(l, "epsilon", l->value[KEY_EPSILON], 1e-12, 1, &node->attr[TH_ATTR_EPSILON].f));
  if (l->value[KEY_MOMENTUM])
    TH_TRY(th_arch_float(l, "momentum", l->value[KEY_MOMENTUM], 0, 1, &node->attr[TH_ATTR_MOMENTUM].f));
  return finish_node(b, l, node);
}

static th_status set_axes(builder *b, const arch_line *l, int rank, th_node *node) {
  const char *items[TH_MAX_RANK];
  int n, axis;
  if (!l->value[KEY_AXES]) return th_arch_fail(l, "axes= is missing, as in axes=1,2 (0 is the batch)");
  TH_TRY(th_arch_list(l, "axes", l->value[KEY_AXES], b->scratch, items, TH_MAX_RANK, &n));
  for (int i = 0; i < n; ++i) {
    TH_TRY(th_arch_int(l, "axes", items[i], 1, rank - 1, &axis));
    node->attr[TH_ATTR_AXES_MASK].i |= 1 << axis;
  }
  return TH_OK;
}

/* Layers without weights: attributes from whichever keys are given. */
static th_status build_plain(builder *b, const arch_line *l, const layer *row) {
  int in[MAX_FROM], n_in;
  th_node *node;
  bool keep;
  TH_TRY(wire(b, l, row, in, &n_in));
  TH_TRY(add_node(b, row, in, n_in, &node));
  int rank = b->g->tensors[in[0]].shape.rank;
  TH_TRY(set_activation(l, node));
  if (l->value[KEY_ALPHA]) TH_TRY(th_arch_float(l, "alpha", l->value[KEY_ALPHA], 0, 1, &node->attr[TH_ATTR_ALPHA].f));
  if (l->value[KEY_BETA]) TH_TRY(th_arch_float(l, "beta", l->value[KEY_BETA], 1e-6, 1e6, &node->attr[TH_ATTR_BETA].f));
  if (l->value[KEY_AXIS]) TH_TRY(th_arch_int(l, "axis", l->value[KEY_AXIS], 1, rank - 1, &node->attr[TH_ATTR_AXIS].i));
  if (row->op == TH_OP_MEAN) TH_TRY(set_axes(b, l, rank, node));
  if (l->value[KEY_KEEP_DIMS]) {
    TH_TRY(th_arch_yes(l, "keep_dims", l->value[KEY_KEEP_DIMS], &keep));
    node->attr[TH_ATTR_KEEP_DIMS].i = keep;
  }
  if (row->op == TH_OP_DROPOUT && l->argument)
    TH_TRY(th_arch_float(l, row->argument, l->argument, 0, 0.99, &node->attr[TH_ATTR_RATE].f));
  return finish_node(b, l, node);
}

static th_status build_pad(builder *b, const arch_line *l, const layer *row) {
  int in[MAX_FROM], n_in, pads[4];
  TH_TRY(wire(b, l, row, in, &n_in));
  TH_TRY(need_picture(b, l, in[0]));
  TH_TRY(four_sizes(b, l, l->argument, pads));
  int32_t table[8] = {0, 0, pads[0], pads[1], pads[2], pads[3], 0, 0};
  th_shape shape = th_shape_make(2, 4, 2);
  const char *name = th_arena_printf(b->g->arena, "%s.paddings", b->name);
  if (!name) return TH_ERR_RESOURCE;
  TH_TRY(th_graph_add_const(b->g, name, TH_DTYPE_S32, &shape, table, &in[1]));
  th_node *node;
  TH_TRY(add_node(b, row, in, 2, &node));
  return finish_node(b, l, node);
}

static th_status build_reshape(builder *b, const arch_line *l, const layer *row) {
  int in[MAX_FROM], n_in;
  th_shape shape, full = {.rank = 1, .dim = {1}};
  TH_TRY(wire(b, l, row, in, &n_in));
  TH_TRY(th_arch_shape(l, row->argument, l->argument, TH_MAX_RANK - 1, &shape));
  for (int i = 0; i < shape.rank; ++i) full.dim[full.rank++] = shape.dim[i];
  th_node *node;
  TH_TRY(add_node(b, row, in, 1, &node));
  b->g->tensors[node->out[0]].shape = full;
  return finish_node(b, l, node);
}

static th_status build_input(builder *b, const arch_line *l, const layer *row) {
  th_shape shape, full = {.rank = 1, .dim = {1}};
  TH_TRY(th_arch_shape(l, row->argument, l->argument, 3, &shape));
  if (b->n_inputs == 8) return th_arch_fail(l, "more than 8 inputs");
  if (shape.rank == 2) full.dim[full.rank++] = 1; /* LENGTHxCHANNELS: a picture of height 1 */
  for (int i = 0; i < shape.rank; ++i) full.dim[full.rank++] = shape.dim[i];
  TH_TRY(th_graph_add_tensor(b->g, b->name, TH_DTYPE_F32, &full, &b->last));
  b->inputs[b->n_inputs++] = b->last;
  return TH_OK;
}

static th_status build_output(builder *b, const arch_line *l, const layer *row) {
  const char *names[MAX_FROM];
  int ids[MAX_FROM], n;
  TH_TRY(th_arch_list(l, row->argument, l->argument, b->scratch, names, MAX_FROM, &n));
  for (int i = 0; i < n; ++i) TH_TRY(find_from(b, l, names[i], &ids[i]));
  b->ended = true;
  return th_graph_set_outputs(b->g, ids, n);
}

static th_status build_model(builder *b, const arch_line *l, const layer *row) {
  if (b->g->n_tensors) return th_arch_fail(l, "must come before everything else");
  b->g->name = th_arena_strdup(b->g->arena, l->argument);
  return b->g->name ? TH_OK : TH_ERR_RESOURCE;
}

#define K(name) (1u << KEY_##name)
#define WINDOW (K(FROM) | K(KERNEL) | K(STRIDE) | K(DILATION) | K(PADDING) | K(ACTIVATION) | K(BIAS))
#define POOL (K(FROM) | K(STRIDE) | K(PADDING) | K(ACTIVATION))
static const layer layers[] = {
    {"model", TH_OP_NONE, "a name", true, 0, 0, 0, build_model},
    {"input", TH_OP_NONE, "a shape", true, 0, 0, 0, build_input},
    {"output", TH_OP_NONE, "names of layers", true, 0, 0, 0, build_output},
    {"conv2d", TH_OP_CONV2D, "output channels", true, WINDOW | K(GROUPS), 1, 1, build_conv},
    {"conv1d", TH_OP_CONV2D, "output channels", true, WINDOW | K(GROUPS), 1, 1, build_conv},
    {"depthwise_conv2d", TH_OP_DEPTHWISE_CONV2D, NULL, false, WINDOW | K(MULTIPLIER), 1, 1, build_depthwise},
    {"fully_connected", TH_OP_FULLY_CONNECTED, "outputs", true, K(FROM) | K(ACTIVATION) | K(BIAS), 1, 1,
     build_fully_connected},
    {"max_pool2d", TH_OP_MAX_POOL2D, "window", true, POOL, 1, 1, build_pool},
    {"avg_pool2d", TH_OP_AVG_POOL2D, "window", true, POOL, 1, 1, build_pool},
    {"global_avg_pool", TH_OP_GLOBAL_AVG_POOL, NULL, false, K(FROM), 1, 1, build_plain},
    {"batch_norm", TH_OP_BATCH_NORM, NULL, false, K(FROM) | K(EPSILON) | K(MOMENTUM), 1, 1, build_batch_norm},
    {"relu", TH_OP_RELU, NULL, false, K(FROM), 1, 1, build_plain},
    {"relu6", TH_OP_RELU6, NULL, false, K(FROM), 1, 1, build_plain},
    {"leaky_relu", TH_OP_LEAKY_RELU, NULL, false, K(FROM) | K(ALPHA), 1, 1, build_plain},
    {"hard_swish", TH_OP_HARD_SWISH, NULL, false, K(FROM), 1, 1, build_plain},
    {"sigmoid", TH_OP_SIGMOID, NULL, false, K(FROM), 1, 1, build_plain},
    {"tanh", TH_OP_TANH, NULL, false, K(FROM), 1, 1, build_plain},
    {"softmax", TH_OP_SOFTMAX, NULL, false, K(FROM) | K(BETA), 1, 1, build_plain},
    {"add", TH_OP_ADD, NULL, false, K(FROM) | K(ACTIVATION), 2, 2, build_plain},
    {"sub", TH_OP_SUB, NULL, false, K(FROM) | K(ACTIVATION), 2, 2, build_plain},
    {"mul", TH_OP_MUL, NULL, false, K(FROM) | K(ACTIVATION), 2, 2, build_plain},
    {"concat", TH_OP_CONCAT, NULL, false, K(FROM) | K(AXIS), 2, MAX_FROM, build_plain},
    {"pad", TH_OP_PAD, "sizes", true, K(FROM), 1, 1, build_pad},
    {"reshape", TH_OP_RESHAPE, "a shape", true, K(FROM), 1, 1, build_reshape},
    {"flatten", TH_OP_FLATTEN, NULL, false, K(FROM), 1, 1, build_plain},
    {"dropout", TH_OP_DROPOUT, "rate", false, K(FROM), 1, 1, build_plain},
    {"mean", TH_OP_MEAN, NULL, false, K(FROM) | K(AXES) | K(KEEP_DIMS), 1, 1, build_plain},
};
enum { LAYERS = sizeof layers / sizeof layers[0] };

static th_status unknown_layer(const arch_line *l) {
  const char *words[LAYERS];
  for (int i = 0; i < LAYERS; ++i) words[i] = layers[i].word;
  const char *close = th_str_closest(l->word, words, LAYERS);
  if (close)
    return th_fail(TH_ERR_INPUT, "%s:%d: unknown layer '%s': did you mean '%s'?", l->what, l->line, l->word, close);
  char list[512] = "";
  for (int i = 0; i < LAYERS; ++i) strcat(strcat(list, i ? ", " : ""), words[i]);
  return th_fail(TH_ERR_INPUT, "%s:%d: unknown layer '%s', expected one of: %s", l->what, l->line, l->word, list);
}

static th_status build_line(builder *b, const arch_line *l) {
  const layer *row = NULL;
  for (int i = 0; i < LAYERS && !row; ++i)
    if (th_str_eq(l->word, layers[i].word)) row = &layers[i];
  if (!row) return unknown_layer(l);
  if (b->ended) return th_arch_fail(l, "comes after `output`, which must be last");
  if (l->argument && !row->argument) return th_arch_fail(l, "unexpected '%s': expected key=value", l->argument);
  if (!l->argument && row->needed) return th_arch_fail(l, "expected %s after the layer", row->argument);
  for (int k = 0; k < KEY_COUNT; ++k)
    if (l->value[k] && k != KEY_NAME && !(row->keys >> k & 1))
      return th_arch_fail(l, "takes no key %s=", th_arch_key_names[k]);
  TH_TRY(settle_name(b, l));
  return row->build(b, l, row);
}

static th_status build_all(builder *b, char *text, const char *what) {
  arch_line l = {.what = what};
  for (char *line = text; line;) {
    char *end = strchr(line, '\n');
    if (end) *end = 0;
    l = (arch_line){.what = what, .line = l.line + 1};
    TH_TRY(th_arch_line_split(line, &l));
    if (l.word) TH_TRY(build_line(b, &l));
    line = end ? end + 1 : NULL;
  }
  if (b->g->n_nodes == 0) return th_fail(TH_ERR_INPUT, "%s:%d: the network has no layers", what, l.line);
  TH_TRY(th_graph_set_inputs(b->g, b->inputs, b->n_inputs));
  if (!b->ended) TH_TRY(th_graph_set_outputs(b->g, &b->last, 1));
  th_status status = th_graph_verify(b->g);
  return status == TH_OK ? TH_OK : th_fail_in(status, "%s", what);
}

static th_status read_text(builder *b, const char *text, size_t size, const char *what) {
  if (size > MAX_TEXT) return th_fail(TH_ERR_INPUT, "%s: %zu bytes are too many for an architecture text", what, size);
  if (memchr(text, 0, size)) return th_fail(TH_ERR_INPUT, "%s: holds a NUL byte, so it is not a text", what);
  char *copy = th_arena_alloc(b->scratch, size + 1);
  char *name = th_arena_strdup(b->scratch, th_path_base(what));
  if (!copy || !name) return TH_ERR_RESOURCE;
  memcpy(copy, text, size);
  char *dot = strrchr(name, '.');
  if (dot && dot != name) *dot = 0;
  TH_TRY(th_graph_create(&b->g, name));
  return build_all(b, copy, what);
}

th_status th_read_arch_bytes(const uint8_t *data, size_t size, const char *what, th_graph **graph) {
  *graph = NULL;
  builder b = {.scratch = th_arena_create(), .last = -1};
  if (!b.scratch) return TH_ERR_RESOURCE;
  th_status status = read_text(&b, (const char *)data, size, what);
  th_arena_destroy(b.scratch);
  if (status == TH_OK)
    *graph = b.g;
  else
    th_graph_destroy(b.g);
  return status;
}

th_status th_read_arch(const char *path, th_graph **graph) {
  uint8_t *data;
  size_t size;
  *graph = NULL;
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  th_status status = th_file_read(arena, path, MAX_TEXT, &data, &size);
  if (status == TH_OK) status = th_read_arch_bytes(data, size, path, graph);
  th_arena_destroy(arena);
  return status;
}

bool th_read_arch_probe(const uint8_t *data, size_t size) {
  for (size_t i = 0; i < size && i < 512; ++i)
    if (data[i] == 0 || (data[i] < 32 && data[i] != '\n' && data[i] != '\r' && data[i] != '\t')) return false;
  return size > 0;
}
