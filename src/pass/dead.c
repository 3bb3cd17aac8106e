/* Dead code: nodes whose results nobody uses, and channels that cannot influence the result.
 *
 * A channel goes when every layer that reads it either multiplies it by zeros only, or can take it into its bias: a
 * channel whose own weights are all zero has the constant value activation(bias) everywhere, which stays constant
 * through element-wise operators, pooling and depthwise convolution. At a padded border a constant other than zero is
 * not constant for the reader, so it is kept there. In float the result differs by rounding of the changed sums only;
 * in integer graphs, where only channels that meet nothing but zero weights are removed, not at all.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "pass/channels.h"
#include "pass/edit.h"
#include "pass/pass.h"

/* --- unused nodes --- */

static void remove_unused(th_graph *g) {
  for (int i = g->n_nodes - 1; i >= 0; i--) {
    if (g->nodes[i].dead) continue;
    int uses = 0;
    for (int o = 0; o < g->nodes[i].n_out; o++) uses += th_graph_uses(g, g->nodes[i].out[o]);
    if (uses == 0) th_graph_remove_node(g, i);
  }
}

/* --- weights that are zero --- */

static bool is_zero(const th_tensor *t, int64_t i) {
  return t->dtype == TH_DTYPE_F32 ? ((const float *)t->data)[i] == 0 : ((const int8_t *)t->data)[i] == 0;
}

static bool knows_zero(const th_tensor *w) {
  if (!w->data) return false;
  if (w->dtype == TH_DTYPE_F32) return true;
  if (w->dtype != TH_DTYPE_S8) return false;
  for (int i = 0; i < w->quant.count; i++)
    if (w->quant.zero && w->quant.zero[i] != 0) return false;
  return true;
}

static bool slice_is_zero(const th_tensor *w, int axis, int64_t at) {
  th_slices s = th_slices_of(&w->shape, axis);
  for (int64_t o = 0; o < s.outer; o++)
    for (int64_t i = 0; i < s.inner; i++)
      if (!is_zero(w, (o * s.dim + at) * s.inner + i)) return false;
  return true;
}

/* --- values that are constant; NaN = not constant. value[t][i] for index i of the last dimension --- */

static float activate(th_act act, float v) {
  switch (act) {
    case TH_ACT_RELU:
      return v > 0 ? v : 0;
    case TH_ACT_RELU6:
      return v < 0 ? 0 : v > 6 ? 6 : v;
    case TH_ACT_RELU_N1_1:
      return v < -1 ? -1 : v > 1 ? 1 : v;
    case TH_ACT_TANH:
      return tanhf(v);
    default:
      return v;
  }
}

static float bias_at(const th_graph *g, const th_node *n, int64_t c) {
  const float *b = n->n_in > 2 ? th_const_f32(g, n->in[2]) : NULL;
  return b ? b[c] : 0;
}

static bool has_padding(const th_node *n) {
  return n->attr[TH_ATTR_PAD_TOP].i || n->attr[TH_ATTR_PAD_BOTTOM].i || n->attr[TH_ATTR_PAD_LEFT].i ||
         n->attr[TH_ATTR_PAD_RIGHT].i;
}

static float depthwise_value(const th_graph *g, const th_node *n, int64_t c, float v) {
  const th_tensor *w = th_node_in(g, n, 1);
  th_slices s = th_slices_of(&w->shape, 3);
  if (isnan(v) || (v != 0 && has_padding(n))) return NAN;
  float sum = bias_at(g, n, c);
  for (int64_t o = 0; o < s.outer; o++) sum += v * ((const float *)w->data)[o * s.dim + c];
  return sum;
}

static float batch_norm_value(const th_graph *g, const th_node *n, int64_t c, float v) {
  const float *p[5];
  for (int i = 1; i < 5; i++)
    if (!(p[i] = th_const_f32(g, n->in[i]))) return NAN;
  return (v - p[3][c]) / sqrtf(p[4][c] + n->attr[TH_ATTR_EPSILON].f) * p[1][c] + p[2][c];
}

/* Value of output index c of a node whose input has the constant v at the matching index. */
static float value_through(const th_graph *g, const th_node *n, int64_t c, float v) {
  const th_tensor *w = th_node_in(g, n, 1);
  if (isnan(v) && th_op_weight_input(n->op) != 1) return NAN;
  switch (n->op) {
    case TH_OP_CONV2D:
    case TH_OP_FULLY_CONNECTED:
      return slice_is_zero(w, 0, c) ? bias_at(g, n, c) : NAN;
    case TH_OP_DEPTHWISE_CONV2D:
      return slice_is_zero(w, 3, c) ? bias_at(g, n, c) : depthwise_value(g, n, c, v);
    case TH_OP_BATCH_NORM:
      return batch_norm_value(g, n, c, v);
    case TH_OP_RELU:
      return activate(TH_ACT_RELU, v);
    case TH_OP_RELU6:
      return activate(TH_ACT_RELU6, v);
    case TH_OP_LEAKY_RELU:
      return v < 0 ? v * n->attr[TH_ATTR_ALPHA].f : v;
    case TH_OP_MAX_POOL2D:
    case TH_OP_AVG_POOL2D:
    case TH_OP_GLOBAL_AVG_POOL:
    case TH_OP_MEAN:
    case TH_OP_DROPOUT:
    case TH_OP_RESHAPE:
    case TH_OP_FLATTEN:
      return v;
    default:
      return NAN;
  }
}

static int32_t last_dim(const th_tensor *t) {
  return t->shape.rank > 0 ? t->shape.dim[t->shape.rank - 1] : 1;
}

static void node_values(const th_graph *g, const th_node *n, const th_channels *c, float *const *value) {
  const float *in = value[n->in[0]];
  float *out = value[n->out[0]];
  const th_tensor *w = th_op_weight_input(n->op) == 1 ? th_node_in(g, n, 1) : NULL;
  if (g->tensors[n->out[0]].dtype != TH_DTYPE_F32 || (w && !th_const_f32(g, n->in[1]))) return;
  if (c->map[n->out[0]].space < 0 || (n->op == TH_OP_CONV2D && n->attr[TH_ATTR_GROUPS].i != 1)) return;
  int32_t in_dim = last_dim(&g->tensors[n->in[0]]), out_dim = last_dim(&g->tensors[n->out[0]]);
  for (int64_t i = 0; i < out_dim; i++) {
    int64_t from = n->op == TH_OP_DEPTHWISE_CONV2D ? i / (out_dim / in_dim) : i % in_dim;
    float v = value_through(g, n, i, in ? in[from] : NAN);
    out[i] = isnan(v) ? v : activate((th_act)n->attr[TH_ATTR_ACTIVATION].i, v);
  }
}

static th_status find_values(const th_graph *g, th_arena *arena, const th_channels *c, float ***result) {
  float **value = TH_ARRAY(arena, float *, g->n_tensors + 1);
  if (!value) return TH_ERR_RESOURCE;
  for (int t = 0; t < g->n_tensors; t++) {
    if (g->tensors[t].data) continue;
    int32_t dim = last_dim(&g->tensors[t]);
    if (!(value[t] = TH_ARRAY(arena, float, dim))) return TH_ERR_RESOURCE;
    for (int32_t i = 0; i < dim; i++) value[t][i] = NAN;
  }
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead && g->nodes[i].n_in > 0 && g->nodes[i].in[0] >= 0) node_values(g, &g->nodes[i], c, value);
  *result = value;
  return TH_OK;
}

/* --- choosing and removing channels --- */

static bool reads_channels(const th_node *n) {
  return !n->dead && (n->op == TH_OP_CONV2D || n->op == TH_OP_FULLY_CONNECTED);
}

/* Clears `removable` for the channels that this reader needs. */
static void keep_needed(const th_graph *g, const th_node *n, const th_channels *c, float *const *value,
                        bool **removable) {
  int x = n->in[0], space = c->map[x].space;
  if (space < 0 || !removable[space]) return;
  const th_tensor *w = th_node_in(g, n, 1);
  bool known = knows_zero(w), is_float = w->dtype == TH_DTYPE_F32;
  int axis = n->op == TH_OP_CONV2D ? 3 : 1;
  for (int32_t i = 0; i < w->shape.dim[axis]; i++) {
    bool *r = &removable[space][th_channel_at(c, x, i)];
    if (!*r) continue;
    float v = value[x] ? value[x][i % last_dim(&g->tensors[x])] : NAN;
    bool absorbs = is_float && !isnan(v) && (v == 0 || !has_padding(n) || n->op == TH_OP_FULLY_CONNECTED);
    if (!known || (!absorbs && !slice_is_zero(w, axis, i))) *r = false;
  }
}

/* Adds the contribution of constant channels that go to the reader's bias. */
static th_status absorb(th_graph *g, int node, const th_channels *c, float *const *value, bool **removable) {
  const th_node *n = &g->nodes[node];
  int x = n->in[0], space = c->map[x].space;
  const float *w = th_const_f32(g, n->in[1]);
  if (space < 0 || !removable[space] || !w) return TH_OK;
  const th_shape ws = g->tensors[n->in[1]].shape;
  int64_t row = th_shape_elems(&ws) / ws.dim[0], columns = ws.dim[ws.rank - 1];
  float *bias = TH_ARRAY(g->arena, float, ws.dim[0]);
  if (!bias) return TH_ERR_RESOURCE;
  bool changed = false;
  for (int32_t oc = 0; oc < ws.dim[0]; oc++) {
    double sum = bias_at(g, n, oc);
    for (int64_t i = 0; i < row; i++) {
      int64_t column = i % columns;
      float v = value[x][column % last_dim(&g->tensors[x])], weight = w[oc * row + i];
      if (!removable[space][th_channel_at(c, x, column)] || weight == 0 || isnan(v) || v == 0) continue;
      sum += (double)weight * (double)v;
      changed = true;
    }
    bias[oc] = (float)sum;
  }
  if (!changed) return TH_OK;
  if (n->n_in < 3 || n->in[2] < 0) return th_node_add_bias(g, node, ws.dim[0], bias);
  th_shape shape = g->tensors[n->in[2]].shape;
  return th_node_set_const(g, node, 2, TH_DTYPE_F32, &shape, bias);
}

static bool **start_with_all(th_arena *arena, const th_channels *c) {
  bool **removable = TH_ARRAY(arena, bool *, c->n_spaces + 1);
  for (int s = 0; removable && s < c->n_spaces; s++) {
    if (c->frozen[s] || c->size[s] <= 1) continue;
    if (!(removable[s] = TH_ARRAY(arena, bool, c->size[s]))) return NULL;
    memset(removable[s], 1, (size_t)c->size[s]);
  }
  return removable;
}

/* One channel must stay. Turns removable into keep; returns how many channels go. */
static int invert(const th_channels *c, bool **removable) {
  int gone = 0;
  for (int s = 0; s < c->n_spaces; s++) {
    if (!removable[s]) continue;
    int here = 0;
    for (int i = 0; i < c->size[s]; i++) here += removable[s][i];
    gone += here;
    for (int i = 0; i < c->size[s]; i++) removable[s][i] = !removable[s][i];
  }
  return gone;
}

/* A channel of a concatenation goes together with that of its part, or not at all. */
static void agree(const th_channels *c, bool **removable) {
  bool changed = true;
  while (changed) {
    changed = false;
    for (int i = 0; i < c->n_links; i++) {
      const th_channel_link l = c->link[i];
      for (int k = 0; k < c->size[l.part]; k++) {
        bool *part = removable[l.part] ? &removable[l.part][k] : NULL;
        bool *whole = removable[l.whole] ? &removable[l.whole][l.offset + k] : NULL;
        if (part && *part && !(whole && *whole)) changed = true, *part = false;
        if (whole && *whole && !(part && *part)) changed = true, *whole = false;
      }
    }
  }
}

static void spare_one(const th_channels *c, bool **removable) {
  for (int s = 0; s < c->n_spaces; s++) {
    bool any = !removable[s];
    for (int i = 0; !any && i < c->size[s]; i++) any = !removable[s][i];
    if (!any) removable[s][0] = false;
  }
}

static th_status remove_channels(th_graph *g, th_arena *scratch, int *gone) {
  th_channels c;
  float **value;
  TH_TRY(th_channels_find(g, scratch, &c));
  TH_TRY(find_values(g, scratch, &c, &value));
  bool **removable = start_with_all(scratch, &c);
  if (!removable) return TH_ERR_RESOURCE;
  for (int i = 0; i < g->n_nodes; i++)
    if (reads_channels(&g->nodes[i])) keep_needed(g, &g->nodes[i], &c, value, removable);
  agree(&c, removable);
  spare_one(&c, removable);
  agree(&c, removable);
  for (int i = 0; i < g->n_nodes; i++)
    if (reads_channels(&g->nodes[i])) TH_TRY(absorb(g, i, &c, value, removable));
  *gone = invert(&c, removable);
  return *gone ? th_channels_remove(g, &c, (const bool *const *)removable) : TH_OK;
}

th_status th_pass_dead(th_graph *g, const th_pass_options *o) {
  th_status status = TH_OK;
  int gone = 1, all = 0;
  remove_unused(g);
  while (status == TH_OK && gone > 0) { /* a row that goes frees columns of the layer before it */
    th_arena *scratch = th_arena_create();
    if (!scratch) return TH_ERR_RESOURCE;
    status = remove_channels(g, scratch, &gone);
    th_arena_destroy(scratch);
    all += gone;
  }
  if (all > 0 && o && status == TH_OK)
    th_log(o->ctx, TH_LOG_INFO, "%d channels removed that cannot influence the result", all);
  return status;
}
