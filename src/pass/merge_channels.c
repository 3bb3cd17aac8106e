/* Equal channels of int8 graphs: what two channels of a tensor do alike, one of them can do for both.
 *
 * Channels are equal when their weights, bias and scale are and they read equal channels; element-wise operators, pools
 * and depthwise layers hand equality on. A reader's weights of the second channel are then added to those of the first
 * and become 0, if all sums fit int8: w1 x + w2 x = (w1 + w2) x, exactly. Pass dead removes what is left over.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "pass/edit.h"
#include "pass/pass.h"

typedef struct classes {
  const th_graph *g;
  int32_t **of; /* per tensor: the first channel that equals this one; NULL: nothing known, all differ */
} classes;

enum { CHANNELS_MOST = 4096 }; /* each is compared with each; what has more is taken to have no equal ones */

static int32_t last_dim(const th_tensor *t) {
  return t->shape.rank > 0 ? t->shape.dim[t->shape.rank - 1] : 1;
}

static int32_t class_of(const classes *k, int tensor, int32_t i) {
  return k->of[tensor] ? k->of[tensor][i] : i;
}

/* --- rows of weights --- */

typedef struct rows {
  const th_tensor *w, *b;
  th_slices s; /* along the axis of output channels */
} rows;

static bool symmetric(const th_tensor *w) {
  if (!w || !w->data || w->dtype != TH_DTYPE_S8) return false;
  for (int i = 0; i < w->quant.count; i++)
    if (w->quant.zero && w->quant.zero[i] != 0) return false;
  return true;
}

static bool same_row(const rows *r, int64_t a, int64_t b) {
  const th_quant *q = &r->w->quant;
  const int8_t *w = r->w->data;
  if (q->count > 1 && q->scale[a] != q->scale[b]) return false;
  if (r->b && ((const int32_t *)r->b->data)[a] != ((const int32_t *)r->b->data)[b]) return false;
  for (int64_t o = 0; o < r->s.outer; o++)
    for (int64_t i = 0; i < r->s.inner; i++)
      if (w[(o * r->s.dim + a) * r->s.inner + i] != w[(o * r->s.dim + b) * r->s.inner + i]) return false;
  return true;
}

/* The first row like row `c` whose input, for depthwise layers, is equal too. */
static int32_t first_like(const classes *k, const th_node *n, const rows *r, int32_t c) {
  const bool depthwise = n->op == TH_OP_DEPTHWISE_CONV2D;
  const int32_t multiplier = depthwise ? (int32_t)r->s.dim / last_dim(th_node_in(k->g, n, 0)) : 1;
  for (int32_t o = 0; o < c; o++) {
    if (depthwise && class_of(k, n->in[0], o / multiplier) != class_of(k, n->in[0], c / multiplier)) continue;
    if (same_row(r, o, c)) return o;
  }
  return c;
}

static bool rows_of(const classes *k, const th_node *n, rows *r) {
  const int axis = n->op == TH_OP_DEPTHWISE_CONV2D ? 3 : 0;
  *r = (rows){th_node_in(k->g, n, 1), th_node_in(k->g, n, 2), {0}};
  if (!symmetric(r->w) || (r->b && (!r->b->data || r->b->dtype != TH_DTYPE_S32))) return false;
  if (n->op == TH_OP_CONV2D && n->attr[TH_ATTR_GROUPS].i != 1) return false;
  r->s = th_slices_of(&r->w->shape, axis);
  return r->s.dim == last_dim(th_node_out(k->g, n, 0));
}

/* --- handing equality on --- */

/* Whether a constant operand treats two channels alike; it may have one value for all of them. */
static bool same_constant(const th_tensor *t, int32_t a, int32_t b) {
  const int64_t elems = th_shape_elems(&t->shape);
  if (elems == 1) return true;
  if (elems != last_dim(t) || t->dtype != TH_DTYPE_S8) return false;
  return ((const int8_t *)t->data)[a] == ((const int8_t *)t->data)[b];
}

static bool same_operands(const classes *k, const th_node *n, int32_t a, int32_t b) {
  for (int i = 0; i < n->n_in; i++) {
    const th_tensor *t = th_node_in(k->g, n, i);
    if (!t || (t->data && i > 0 && n->op == TH_OP_PAD)) continue;
    if (t->data ? !same_constant(t, a, b) : class_of(k, n->in[i], a) != class_of(k, n->in[i], b)) return false;
  }
  return true;
}

/* Operators whose output channel i depends on input channel i alone, by the same function for all. */
static bool hands_on(const classes *k, const th_node *n) {
  const int32_t dim = last_dim(th_node_out(k->g, n, 0));
  switch (n->op) {
    case TH_OP_MAX_POOL2D:
    case TH_OP_AVG_POOL2D:
    case TH_OP_GLOBAL_AVG_POOL:
    case TH_OP_RELU:
    case TH_OP_RELU6:
    case TH_OP_LEAKY_RELU:
    case TH_OP_HARD_SWISH:
    case TH_OP_SIGMOID:
    case TH_OP_TANH:
      return last_dim(th_node_in(k->g, n, 0)) == dim;
    case TH_OP_ADD:
    case TH_OP_SUB:
    case TH_OP_MUL:
      for (int i = 0; i < 2; i++)
        if (!th_node_in(k->g, n, i)->data && last_dim(th_node_in(k->g, n, i)) != dim) return false;
      return true;
    default:
      return false;
  }
}

static th_status classify(classes *k, th_arena *arena, const th_node *n) {
  const int y = n->out[0];
  const int32_t dim = last_dim(&k->g->tensors[y]);
  rows r = {0};
  if (n->n_out != 1 || n->n_in < 1 || n->in[0] < 0 || k->g->tensors[y].dtype != TH_DTYPE_S8) return TH_OK;
  const bool weighted = th_op_weight_input(n->op) == 1 && rows_of(k, n, &r), through = hands_on(k, n);
  const bool flat = n->op == TH_OP_RESHAPE || n->op == TH_OP_FLATTEN;
  const int32_t in_dim = last_dim(th_node_in(k->g, n, 0));
  if ((!weighted && !through && !(flat && dim % in_dim == 0)) || dim > CHANNELS_MOST) return TH_OK;
  int32_t *of = TH_ARRAY(arena, int32_t, dim);
  if (!of) return TH_ERR_RESOURCE;
  for (int32_t c = 0; c < dim; c++) {
    of[c] = c;
    if (weighted) of[c] = first_like(k, n, &r, c);
    if (flat) of[c] = c - c % in_dim + class_of(k, n->in[0], c % in_dim);
    for (int32_t o = 0; through && o < c && of[c] == c; o++)
      if (same_operands(k, n, o, c)) of[c] = o;
  }
  k->of[y] = of;
  return TH_OK;
}

/* --- merging --- */

/* Adds column `from` of the weights (rows x taps x columns) to column `to`, if all sums fit. */
static bool add_column(int8_t *w, int64_t rows_taps, int64_t columns, int64_t to, int64_t from) {
  bool any = false;
  for (int64_t r = 0; r < rows_taps; r++) {
    const int sum = w[r * columns + to] + w[r * columns + from];
    if (sum < -127 || sum > 127) return false;
    any = any || w[r * columns + from] != 0;
  }
  for (int64_t r = 0; any && r < rows_taps; r++) {
    w[r * columns + to] = (int8_t)(w[r * columns + to] + w[r * columns + from]);
    w[r * columns + from] = 0;
  }
  return any;
}

static th_status merge_in_reader(th_graph *g, const classes *k, th_arena *arena, int node) {
  const th_node *n = &g->nodes[node];
  const th_tensor *w = th_node_in(g, n, 1);
  const int32_t dim = last_dim(th_node_in(g, n, 0));
  if (!symmetric(w) || (n->op == TH_OP_CONV2D && n->attr[TH_ATTR_GROUPS].i != 1) || !k->of[n->in[0]]) return TH_OK;
  const int64_t columns = last_dim(w), rows_taps = th_shape_elems(&w->shape) / columns;
  int8_t *data = th_arena_copy(arena, w->data, th_tensor_bytes(w));
  bool changed = false;
  if (!data) return TH_ERR_RESOURCE;
  for (int64_t c = 0; c < columns; c++) {
    const int32_t channel = (int32_t)(c % dim), first = class_of(k, n->in[0], channel);
    if (first != channel) changed = add_column(data, rows_taps, columns, c - channel + first, c) || changed;
  }
  if (!changed) return TH_OK;
  const th_tensor old = *w;
  TH_TRY(th_node_set_const(g, node, 1, old.dtype, &old.shape, data));
  return th_graph_set_quant(g, g->nodes[node].in[1], old.quant.axis, old.quant.count, old.quant.scale, old.quant.zero);
}

static th_status merge_all(th_graph *g, th_arena *arena) {
  classes k = {g, TH_ARRAY(arena, int32_t *, g->n_tensors + 1)};
  if (!k.of) return TH_ERR_RESOURCE;
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead) TH_TRY(classify(&k, arena, &g->nodes[i]));
  const int n_nodes = g->n_nodes;
  for (int i = 0; i < n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (!n->dead && (n->op == TH_OP_CONV2D || n->op == TH_OP_FULLY_CONNECTED) && n->in[0] >= 0)
      TH_TRY(merge_in_reader(g, &k, arena, i));
  }
  return TH_OK;
}

th_status th_pass_merge_channels(th_graph *g, const th_pass_options *o) {
  (void)o;
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  const th_status status = merge_all(g, arena);
  th_arena_destroy(arena);
  return status;
}
