/* Cross-layer equalization (Nagel et al. 2019, section 4.1): relu(s x) = s relu(x), so channel c of a layer may be
 * divided by s[c] when the layer that reads it multiplies by it. With r1[c], r2[c] the largest magnitudes of the
 * weights that make and read the channel, s[c] = sqrt(r1[c] / r2[c]) gives both the range sqrt(r1[c] r2[c]) (eq. 11).
 * Pairs are repeated until nothing moves. Pools, padding with zeros and flattening may stand between; relu6, whose bend
 * would move, may not. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "pass/edit.h"
#include "pass/pass.h"

enum { MOST_ROUNDS = 20 };
#define STILL 1e-3 /* largest |s - 1| that counts as no move */

typedef struct pair {
  int first, second;
  int64_t channels;
} pair;

static bool has_weights(const th_graph *g, int node) {
  const th_node *n = &g->nodes[node];
  return (n->op == TH_OP_CONV2D || n->op == TH_OP_DEPTHWISE_CONV2D || n->op == TH_OP_FULLY_CONNECTED) &&
         th_const_f32(g, n->in[1]) && th_used_only_by(g, n->in[1], node) && !g->tensors[n->in[1]].quant.count;
}

static bool is_homogeneous(const th_node *n) {
  return n->attr[TH_ATTR_ACTIVATION].i == TH_ACT_NONE || n->attr[TH_ATTR_ACTIVATION].i == TH_ACT_RELU;
}

static bool lets_through(const th_graph *g, const th_node *n) {
  switch (n->op) {
    case TH_OP_RELU:
    case TH_OP_MAX_POOL2D:
    case TH_OP_AVG_POOL2D:
    case TH_OP_GLOBAL_AVG_POOL:
    case TH_OP_FLATTEN:
      return is_homogeneous(n);
    case TH_OP_RESHAPE: /* channels must stay the last dimension: only to a single row */
      return th_shape_elems(&g->tensors[n->out[0]].shape) ==
             g->tensors[n->out[0]].shape.dim[g->tensors[n->out[0]].shape.rank - 1];
    default:
      return false;
  }
}

/* Input channel that a weight at `at` multiplies, modulo the channels of the pair. */
static int64_t reads_channel(const th_graph *g, const pair *p, int64_t at) {
  const th_shape *w = &g->tensors[g->nodes[p->second].in[1]].shape;
  const int64_t last = w->dim[w->rank - 1];
  if (g->nodes[p->second].op == TH_OP_DEPTHWISE_CONV2D) return at % last / (last / p->channels);
  return at % last % p->channels;
}

static bool fits(const th_graph *g, const pair *p) {
  const th_node *second = &g->nodes[p->second];
  const th_shape *w = &g->tensors[second->in[1]].shape;
  if (second->op == TH_OP_CONV2D && second->attr[TH_ATTR_GROUPS].i != 1) return false;
  return w->dim[w->rank - 1] % p->channels == 0;
}

static bool find_pair(const th_graph *g, int first, pair *p) {
  const th_node *n = &g->nodes[first];
  if (n->dead || !has_weights(g, first) || !is_homogeneous(n)) return false;
  const th_shape *out = &g->tensors[n->out[0]].shape;
  *p = (pair){.first = first, .channels = out->dim[out->rank - 1]};
  int next = th_graph_only_user(g, n->out[0]);
  while (next >= 0 && lets_through(g, &g->nodes[next])) next = th_graph_only_user(g, g->nodes[next].out[0]);
  p->second = next;
  return next >= 0 && has_weights(g, next) && fits(g, p);
}

/* Output channel of a weight of the first layer. */
static int64_t makes_channel(const th_graph *g, const pair *p, int64_t at) {
  const th_node *n = &g->nodes[p->first];
  const th_slices s = th_slices_of(&g->tensors[n->in[1]].shape, th_op_weight_axis(n->op));
  return at / s.inner % s.dim;
}

typedef int64_t channel_of(const th_graph *g, const pair *p, int64_t at);

static int64_t elems_of(const th_graph *g, int node) {
  return th_shape_elems(&g->tensors[g->nodes[node].in[1]].shape);
}

static void ranges(const th_graph *g, const pair *p, int node, channel_of *of, float *range) {
  const float *w = th_const_f32(g, g->nodes[node].in[1]);
  memset(range, 0, (size_t)p->channels * sizeof *range);
  for (int64_t i = 0; i < elems_of(g, node); i++) {
    const int64_t c = of(g, p, i);
    range[c] = fmaxf(range[c], fabsf(w[i]));
  }
}

static th_status scale_weights(th_graph *g, const pair *p, int node, channel_of *of, const float *factor) {
  const float *w = th_const_f32(g, g->nodes[node].in[1]);
  const th_shape shape = g->tensors[g->nodes[node].in[1]].shape;
  float *scaled = th_alloc((size_t)elems_of(g, node) * sizeof *scaled);
  if (!scaled) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems_of(g, node); i++) scaled[i] = w[i] * factor[of(g, p, i)];
  const th_status status = th_node_set_const(g, node, 1, TH_DTYPE_F32, &shape, scaled);
  th_free(scaled);
  return status;
}

static th_status scale_bias(th_graph *g, const pair *p, const float *factor, float *room) {
  const th_node *n = &g->nodes[p->first];
  const float *b = n->n_in > 2 && n->in[2] >= 0 ? th_const_f32(g, n->in[2]) : NULL;
  if (!b) return TH_OK;
  for (int64_t c = 0; c < p->channels; c++) room[c] = b[c] * factor[c];
  const th_shape shape = g->tensors[n->in[2]].shape;
  return th_node_set_const(g, p->first, 2, TH_DTYPE_F32, &shape, room);
}

/* `room`: 3 values a channel. */
static th_status equalize_pair(th_graph *g, const pair *p, float *room, double *moved) {
  float *up = room, *down = room + p->channels, *spare = down + p->channels;
  ranges(g, p, p->first, makes_channel, up);
  ranges(g, p, p->second, reads_channel, down);
  for (int64_t c = 0; c < p->channels; c++) {
    const float s = up[c] > 0 && down[c] > 0 ? sqrtf(up[c] / down[c]) : 1;
    *moved = fmax(*moved, fabs((double)s - 1));
    up[c] = s;
    down[c] = 1 / s;
  }
  TH_TRY(scale_weights(g, p, p->first, makes_channel, down));
  TH_TRY(scale_bias(g, p, down, spare));
  return scale_weights(g, p, p->second, reads_channel, up);
}

static th_status equalize_once(th_graph *g, double *moved) {
  pair p;
  *moved = 0;
  for (int i = 0; i < g->n_nodes; i++) {
    if (!find_pair(g, i, &p)) continue;
    float *room = th_alloc(3 * (size_t)p.channels * sizeof *room);
    const th_status status = room ? equalize_pair(g, &p, room, moved) : TH_ERR_RESOURCE;
    th_free(room);
    TH_TRY(status);
  }
  return TH_OK;
}

th_status th_pass_equalize(th_graph *g, const th_pass_options *o) {
  double moved = 1;
  (void)o;
  for (int round = 0; round < MOST_ROUNDS && moved > STILL; round++) TH_TRY(equalize_once(g, &moved));
  return TH_OK;
}
