/* Finding channel spaces and cutting channels out of them: see channels.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/channels.h"

#include <string.h>

#include "pass/edit.h"

/* --- finding --- */

typedef struct finder {
  const th_graph *g;
  th_channels *c;
  int *parent; /* union-find over spaces */
} finder;

static int root_of(const finder *f, int space) {
  while (f->parent[space] != space) space = f->parent[space];
  return space;
}

static int32_t last_dim(const th_tensor *t) {
  return t->shape.rank > 0 ? t->shape.dim[t->shape.rank - 1] : 1;
}

static void open_space(finder *f, int tensor, bool frozen) {
  int s = f->c->n_spaces++;
  f->parent[s] = s;
  f->c->size[s] = last_dim(&f->g->tensors[tensor]);
  f->c->frozen[s] = frozen;
  f->c->map[tensor] = (th_channel_map){s, 1};
}

static void freeze(finder *f, int tensor) {
  if (tensor >= 0 && f->c->map[tensor].space >= 0) f->c->frozen[root_of(f, f->c->map[tensor].space)] = true;
}

static void carry(finder *f, int from, int to, int div_factor) {
  f->c->map[to] = f->c->map[from];
  f->c->map[to].div *= div_factor;
}

static void join(finder *f, int a, int b) {
  int sa = root_of(f, f->c->map[a].space), sb = root_of(f, f->c->map[b].space);
  bool frozen = f->c->frozen[sa] || f->c->frozen[sb];
  if (f->c->size[sa] != f->c->size[sb] || f->c->map[a].div != f->c->map[b].div) {
    f->c->frozen[sa] = f->c->frozen[sb] = true;
    return;
  }
  if (sa != sb) f->parent[sb] = sa;
  f->c->frozen[sa] = frozen;
}

static void freeze_node(finder *f, const th_node *n) {
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] >= 0) freeze(f, n->in[i]);
  for (int i = 0; i < n->n_out; i++) open_space(f, n->out[i], true);
}

static bool is_const(const finder *f, int tensor) {
  return f->g->tensors[tensor].data != NULL;
}

static void visit_elementwise(finder *f, const th_node *n) {
  int a = n->in[0], b = n->in[1], y = n->out[0];
  int32_t channels = last_dim(&f->g->tensors[y]);
  int lead = is_const(f, a) ? b : a, other = lead == a ? b : a;
  bool fits = !is_const(f, lead) && last_dim(&f->g->tensors[lead]) == channels;
  int32_t other_last = last_dim(&f->g->tensors[other]);
  if (is_const(f, other))
    fits = fits && (other_last == channels || other_last == 1);
  else
    fits = fits && other_last == channels;
  if (!fits) {
    freeze_node(f, n);
    return;
  }
  carry(f, lead, y, 1);
  if (!is_const(f, other)) join(f, lead, other);
}

static void visit_reshape(finder *f, const th_node *n) {
  int32_t in = last_dim(&f->g->tensors[n->in[0]]), out = last_dim(&f->g->tensors[n->out[0]]);
  if (in > 0 && out % in == 0)
    carry(f, n->in[0], n->out[0], 1);
  else
    freeze_node(f, n);
}

static void link_parts(finder *f, const th_node *n) {
  int offset = 0;
  open_space(f, n->out[0], false);
  for (int i = 0; i < n->n_in; i++) {
    const int part = f->c->map[n->in[i]].space;
    f->c->link[f->c->n_links++] = (th_channel_link){f->c->map[n->out[0]].space, part, offset};
    offset += f->c->size[part];
  }
}

static void visit_concat(finder *f, const th_node *n) {
  int rank = f->g->tensors[n->out[0]].shape.rank, axis = n->attr[TH_ATTR_AXIS].i;
  bool over_channels = axis < 0 ? axis == -1 : axis == rank - 1;
  bool plain = true; /* every part a whole space */
  for (int i = 0; i < n->n_in; i++) {
    const th_channel_map m = is_const(f, n->in[i]) ? (th_channel_map){-1, 0} : f->c->map[n->in[i]];
    plain = plain && m.space >= 0 && m.div == 1 && f->c->size[m.space] == last_dim(&f->g->tensors[n->in[i]]);
    over_channels = over_channels || is_const(f, n->in[i]);
  }
  if (over_channels && plain) {
    link_parts(f, n);
    return;
  }
  if (over_channels) {
    freeze_node(f, n);
    return;
  }
  carry(f, n->in[0], n->out[0], 1);
  for (int i = 1; i < n->n_in; i++) join(f, n->in[0], n->in[i]);
}

static bool pads_channels(const finder *f, const th_node *n) {
  const th_tensor *p = th_node_in(f->g, n, 1);
  int rank = f->g->tensors[n->in[0]].shape.rank;
  if (!p->data || p->dtype != TH_DTYPE_S32 || th_shape_elems(&p->shape) != 2 * rank) return true;
  const int32_t *v = p->data;
  return v[2 * rank - 2] != 0 || v[2 * rank - 1] != 0;
}

static void visit_weighted(finder *f, const th_node *n) {
  int x = n->in[0], w = n->in[1], y = n->out[0];
  bool plain = is_const(f, w) && (n->n_in < 3 || n->in[2] < 0 || is_const(f, n->in[2]));
  if (!plain || (n->op == TH_OP_CONV2D && n->attr[TH_ATTR_GROUPS].i != 1)) {
    freeze_node(f, n);
  } else if (n->op == TH_OP_DEPTHWISE_CONV2D) {
    carry(f, x, y, last_dim(&f->g->tensors[y]) / last_dim(&f->g->tensors[x]));
  } else {
    open_space(f, y, false);
  }
}

static void visit(finder *f, const th_node *n) {
  switch (n->op) {
    case TH_OP_CONV2D:
    case TH_OP_DEPTHWISE_CONV2D:
    case TH_OP_FULLY_CONNECTED:
      visit_weighted(f, n);
      break;
    case TH_OP_MAX_POOL2D:
    case TH_OP_AVG_POOL2D:
    case TH_OP_GLOBAL_AVG_POOL:
    case TH_OP_BATCH_NORM:
    case TH_OP_RELU:
    case TH_OP_RELU6:
    case TH_OP_LEAKY_RELU:
    case TH_OP_HARD_SWISH:
    case TH_OP_SIGMOID:
    case TH_OP_TANH:
    case TH_OP_DROPOUT:
    case TH_OP_QUANTIZE:
    case TH_OP_DEQUANTIZE:
      carry(f, n->in[0], n->out[0], 1);
      break;
    case TH_OP_ADD:
    case TH_OP_SUB:
    case TH_OP_MUL:
      visit_elementwise(f, n);
      break;
    case TH_OP_RESHAPE:
    case TH_OP_FLATTEN:
      visit_reshape(f, n);
      break;
    case TH_OP_CONCAT:
      visit_concat(f, n);
      break;
    case TH_OP_PAD:
      if (pads_channels(f, n))
        freeze_node(f, n);
      else
        carry(f, n->in[0], n->out[0], 1);
      break;
    case TH_OP_MEAN:
      if (n->attr[TH_ATTR_AXES_MASK].i >> (f->g->tensors[n->in[0]].shape.rank - 1) & 1)
        freeze_node(f, n);
      else
        carry(f, n->in[0], n->out[0], 1);
      break;
    default:
      freeze_node(f, n);
  }
}

th_status th_channels_find(const th_graph *g, th_arena *arena, th_channels *c) {
  int most = g->n_inputs + g->n_tensors + 1;
  *c = (th_channels){.n_tensors = g->n_tensors};
  finder f = {g, c, TH_ARRAY(arena, int, most)};
  c->map = TH_ARRAY(arena, th_channel_map, g->n_tensors + 1);
  c->size = TH_ARRAY(arena, int, most);
  c->frozen = TH_ARRAY(arena, bool, most);
  int parts = 0;
  for (int i = 0; i < g->n_nodes; i++) parts += g->nodes[i].op == TH_OP_CONCAT ? g->nodes[i].n_in : 0;
  c->link = TH_ARRAY(arena, th_channel_link, parts + 1);
  if (!f.parent || !c->map || !c->size || !c->frozen || !c->link) return TH_ERR_RESOURCE;
  for (int t = 0; t < g->n_tensors; t++) c->map[t].space = -1;
  for (int i = 0; i < g->n_inputs; i++) open_space(&f, g->inputs[i], true);
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    bool ready = !n->dead;
    if (ready && n->in[0] >= 0 && c->map[n->in[0]].space < 0 && !is_const(&f, n->in[0])) ready = false;
    if (ready && n->op != TH_OP_ADD && n->op != TH_OP_MUL && n->op != TH_OP_SUB && is_const(&f, n->in[0])) {
      freeze_node(&f, n);
      continue;
    }
    if (ready) visit(&f, n);
  }
  for (int i = 0; i < g->n_outputs; i++) freeze(&f, g->outputs[i]);
  for (int t = 0; t < g->n_tensors; t++)
    if (c->map[t].space >= 0) c->map[t].space = root_of(&f, c->map[t].space);
  for (int i = 0; i < c->n_links; i++) {
    c->link[i].whole = root_of(&f, c->link[i].whole);
    c->link[i].part = root_of(&f, c->link[i].part);
  }
  for (int s = 0; s < c->n_spaces; s++)
    if (f.parent[s] != s) c->size[s] = 0;
  return TH_OK;
}

bool th_channels_linked(const th_channels *c, int space) {
  for (int i = 0; i < c->n_links; i++)
    if (c->link[i].whole == space || c->link[i].part == space) return true;
  return false;
}

int th_channel_at(const th_channels *c, int tensor, int64_t i) {
  th_channel_map m = c->map[tensor];
  return m.space < 0 ? -1 : (int)(i / m.div % c->size[m.space]);
}

/* --- removing --- */

typedef struct cut { /* which indices of one axis stay, or in which order they come */
  const th_channels *c;
  const bool *const *keep; /* NULL: all */
  const int *const *order; /* NULL: as they are */
  int tensor;              /* the activation whose map rules the axis */
} cut;

static bool stays(const cut *k, int64_t i) {
  int space = k->c->map[k->tensor].space;
  return space < 0 || !k->keep || !k->keep[space] || k->keep[space][th_channel_at(k->c, k->tensor, i)];
}

static int64_t count_staying(const cut *k, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) count += stays(k, i);
  return count;
}

/* from[new index] = old index along an axis of `dim` indices; returns how many there are. */
static int64_t pick(const cut *k, int64_t dim, int64_t *from) {
  const th_channel_map m = k->c->map[k->tensor];
  int64_t n = 0;
  for (int64_t i = 0; i < dim; i++) {
    if (!stays(k, i)) continue;
    from[n] = i;
    if (m.space >= 0 && k->order && k->order[m.space]) {
      const int64_t size = k->c->size[m.space], channel = i / m.div % size;
      from[n] = i + (k->order[m.space][channel] - channel) * m.div;
    }
    n++;
  }
  return n;
}

/* The same choice among the entries of a per-channel quantization of this axis. */
static th_status cut_quant(th_graph *g, int tensor, const th_quant *q, int axis, int64_t dim, const cut *k) {
  if (q->count != dim || q->axis != axis || q->count <= 1)
    return th_graph_set_quant(g, tensor, q->axis, q->count, q->scale, q->zero);
  float *scale = TH_ARRAY(g->arena, float, q->count);
  int32_t *zero = TH_ARRAY(g->arena, int32_t, q->count);
  if (!scale || !zero) return TH_ERR_RESOURCE;
  int64_t *from = TH_ARRAY(g->arena, int64_t, q->count);
  if (!from) return TH_ERR_RESOURCE;
  const int count = (int)pick(k, q->count, from);
  for (int i = 0; i < count; i++) {
    scale[i] = q->scale[from[i]];
    zero[i] = q->zero ? q->zero[from[i]] : 0;
  }
  return th_graph_set_quant(g, tensor, axis, count, scale, zero);
}

static th_status cut_const(th_graph *g, int node, int input, int axis, const cut *k) {
  if (input >= g->nodes[node].n_in || g->nodes[node].in[input] < 0) return TH_OK;
  const th_tensor t = g->tensors[g->nodes[node].in[input]];
  th_slices s = th_slices_of(&t.shape, axis);
  th_shape shape = t.shape;
  int64_t *from = TH_ARRAY(g->arena, int64_t, s.dim);
  if (!from) return TH_ERR_RESOURCE;
  const int64_t count = pick(k, s.dim, from);
  shape.dim[axis] = (int32_t)count;
  if (count == s.dim && !k->order) return TH_OK;
  size_t bytes = (size_t)s.inner * th_dtype_bytes(t.dtype);
  uint8_t *data = TH_ARRAY(g->arena, uint8_t, (size_t)th_shape_elems(&shape) * th_dtype_bytes(t.dtype)), *to = data;
  if (!data) return TH_ERR_RESOURCE;
  for (int64_t o = 0; o < s.outer; o++)
    for (int64_t i = 0; i < count; i++, to += bytes)
      memcpy(to, (const uint8_t *)t.data + (size_t)(o * s.dim + from[i]) * bytes, bytes);
  TH_TRY(th_node_set_const(g, node, input, t.dtype, &shape, data));
  return cut_quant(g, g->nodes[node].in[input], &t.quant, axis, s.dim, k);
}

static th_status cut_node(th_graph *g, int node, const cut *in, const cut *out) {
  const th_node *n = &g->nodes[node];
  switch (n->op) {
    case TH_OP_CONV2D:
      if (n->attr[TH_ATTR_GROUPS].i != 1) return TH_OK;
      TH_TRY(cut_const(g, node, 1, 3, in));
      TH_TRY(cut_const(g, node, 1, 0, out));
      return cut_const(g, node, 2, 0, out);
    case TH_OP_FULLY_CONNECTED:
      TH_TRY(cut_const(g, node, 1, 1, in));
      TH_TRY(cut_const(g, node, 1, 0, out));
      return cut_const(g, node, 2, 0, out);
    case TH_OP_DEPTHWISE_CONV2D:
      TH_TRY(cut_const(g, node, 1, 3, out));
      return cut_const(g, node, 2, 0, out);
    case TH_OP_BATCH_NORM:
      for (int i = 1; i < 5; i++) TH_TRY(cut_const(g, node, i, 0, in));
      return TH_OK;
    case TH_OP_ADD:
    case TH_OP_SUB:
    case TH_OP_MUL:
      for (int i = 0; i < 2; i++) {
        const th_tensor *t = th_node_in(g, n, i);
        if (t->data && t->shape.rank > 0 && last_dim(t) > 1) TH_TRY(cut_const(g, node, i, t->shape.rank - 1, out));
      }
      return TH_OK;
    default:
      return TH_OK;
  }
}

static th_status cut_all(th_graph *g, const th_channels *c, const bool *const *keep, const int *const *order) {
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (n->dead || n->n_in < 1 || n->in[0] < 0) continue;
    cut in = {c, keep, order, n->in[0]}, out = {c, keep, order, n->out[0]};
    TH_TRY(cut_node(g, i, &in, &out));
  }
  for (int t = 0; t < c->n_tensors; t++) {
    th_shape *shape = &g->tensors[t].shape;
    cut k = {c, keep, order, t};
    if (c->map[t].space >= 0 && shape->rank > 0)
      shape->dim[shape->rank - 1] = (int32_t)count_staying(&k, shape->dim[shape->rank - 1]);
  }
  return TH_OK;
}

th_status th_channels_remove(th_graph *g, const th_channels *c, const bool *const *keep) {
  return cut_all(g, c, keep, NULL);
}

th_status th_channels_reorder(th_graph *g, const th_channels *c, const int *const *order) {
  return cut_all(g, c, NULL, order);
}
