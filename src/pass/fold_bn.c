/* Folds batch normalization into the layer before it.
 *
 * At inference batch norm is y = s * x + t per channel, s = gamma / sqrt(variance + epsilon), t = beta - s * mean
 * (Ioffe & Szegedy 2015, algorithm 2). After a linear layer, s goes into its weights and t into its bias. One that has
 * no such layer before it becomes mul and add with constants, which every later stage knows.
 *
 * Weights that lie on a symmetric grid (th_quant) still do afterwards, with the step of channel c times |s[c]|: so
 * clustered and quantization-aware weights stay exact.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "pass/edit.h"
#include "pass/pass.h"

typedef struct affine { /* y = scale[c] * x + shift[c] */
  int64_t channels;
  float *scale, *shift;
} affine;

static th_status read_affine(th_graph *g, const th_node *bn, affine *a) {
  const float *v[5];
  a->channels = th_shape_elems(&g->tensors[bn->in[1]].shape);
  for (int i = 1; i < 5; i++) {
    v[i] = th_const_f32(g, bn->in[i]);
    if (!v[i] || th_shape_elems(&g->tensors[bn->in[i]].shape) != a->channels)
      return th_fail(TH_ERR_INPUT, "%s (batch_norm): parameter %d is not a float constant of %lld values", bn->name, i,
                     (long long)a->channels);
  }
  a->scale = TH_ARRAY(g->arena, float, a->channels);
  a->shift = TH_ARRAY(g->arena, float, a->channels);
  if (!a->scale || !a->shift) return TH_ERR_RESOURCE;
  for (int64_t c = 0; c < a->channels; c++) {
    double s = (double)v[1][c] / sqrt((double)v[4][c] + (double)bn->attr[TH_ATTR_EPSILON].f);
    a->scale[c] = (float)s;
    a->shift[c] = (float)((double)v[2][c] - s * (double)v[3][c]);
  }
  return TH_OK;
}

/* The linear layer whose only reader is this batch norm, or -1. */
static int foldable_producer(const th_graph *g, int bn) {
  int x = g->nodes[bn].in[0], p = th_graph_producer(g, x);
  if (p < 0 || th_graph_only_user(g, x) != bn) return -1;
  const th_node *n = &g->nodes[p];
  if (th_op_weight_input(n->op) != 1 || n->attr[TH_ATTR_ACTIVATION].i != TH_ACT_NONE) return -1;
  if (!th_const_f32(g, n->in[1])) return -1;
  if (n->n_in > 2 && n->in[2] >= 0 && !th_const_f32(g, n->in[2])) return -1;
  return p;
}

/* The grid of the scaled weights; leaves `next` empty when the old ones had none. */
static th_status scaled_grid(th_graph *g, const th_quant *q, int axis, const affine *a, th_quant *next) {
  *next = (th_quant){.axis = -1};
  if (q->count == 0) return TH_OK;
  float *scale = TH_ARRAY(g->arena, float, a->channels);
  int32_t *zero = TH_ARRAY(g->arena, int32_t, a->channels);
  if (!scale || !zero) return TH_ERR_RESOURCE;
  for (int64_t c = 0; c < a->channels; c++) {
    float old = q->scale[q->count > 1 ? c : 0];
    scale[c] = a->scale[c] != 0 ? old * fabsf(a->scale[c]) : old;
    if (q->zero && q->zero[q->count > 1 ? c : 0] != 0) return TH_OK; /* an asymmetric grid does not survive */
  }
  *next = (th_quant){(int)a->channels, axis, scale, zero};
  return TH_OK;
}

static th_status fold_weights(th_graph *g, int node, const affine *a) {
  const th_tensor w = g->tensors[g->nodes[node].in[1]];
  int axis = th_op_weight_axis(g->nodes[node].op);
  th_slices s = th_slices_of(&w.shape, axis);
  if (s.dim != a->channels)
    return th_fail(TH_ERR_INPUT, "%s: %lld output channels, the batch norm after it has %lld", g->nodes[node].name,
                   (long long)s.dim, (long long)a->channels);
  float *data = TH_ARRAY(g->arena, float, s.outer *s.dim *s.inner);
  if (!data) return TH_ERR_RESOURCE;
  for (int64_t o = 0; o < s.outer; o++)
    for (int64_t c = 0; c < s.dim; c++)
      for (int64_t i = 0; i < s.inner; i++) {
        int64_t at = (o * s.dim + c) * s.inner + i;
        data[at] = ((const float *)w.data)[at] * a->scale[c];
      }
  th_quant grid;
  TH_TRY(scaled_grid(g, &w.quant, axis, a, &grid));
  TH_TRY(th_node_set_const(g, node, 1, TH_DTYPE_F32, &w.shape, data));
  if (grid.count == 0) return TH_OK;
  return th_graph_set_quant(g, g->nodes[node].in[1], grid.axis, grid.count, grid.scale, grid.zero);
}

static th_status fold_bias(th_graph *g, int node, const affine *a) {
  const th_node *n = &g->nodes[node];
  const float *old = n->n_in > 2 ? th_const_f32(g, n->in[2]) : NULL;
  float *data = TH_ARRAY(g->arena, float, a->channels);
  if (!data) return TH_ERR_RESOURCE;
  for (int64_t c = 0; c < a->channels; c++) data[c] = (old ? old[c] * a->scale[c] : 0) + a->shift[c];
  if (!old) return th_node_add_bias(g, node, a->channels, data);
  th_shape shape = g->tensors[n->in[2]].shape;
  return th_node_set_const(g, node, 2, TH_DTYPE_F32, &shape, data);
}

static th_status fold(th_graph *g, int node, int bn, const affine *a) {
  TH_TRY(fold_weights(g, node, a));
  TH_TRY(fold_bias(g, node, a));
  g->tensors[g->nodes[node].out[0]].quant =
      (th_quant){.axis = -1}; /* a range seen before the batch norm is of no use */
  if (th_node_bypass(g, bn)) return TH_OK;
  return th_fail(TH_ERR_INTERNAL, "%s (batch_norm) cannot be taken out", g->nodes[bn].name);
}

static th_status add_constant(th_graph *g, const char *name, const char *what, int64_t channels, const float *data,
                              int *id) {
  th_shape shape = th_shape_make(1, (int32_t)channels);
  const char *full = th_arena_printf(g->arena, "%s_%s", name, what);
  if (!full) return TH_ERR_RESOURCE;
  return th_graph_add_const(g, full, TH_DTYPE_F32, &shape, data, id);
}

/* x -> mul scale -> add shift, in the place of the batch norm. */
static th_status expand(th_graph *g, int bn, const affine *a) {
  th_node old = g->nodes[bn];
  th_shape shape = g->tensors[old.in[0]].shape;
  const char *mid_name = th_arena_printf(g->arena, "%s_scaled", old.name);
  if (!mid_name) return TH_ERR_RESOURCE;
  int scale, shift, mid, mul, add;
  TH_TRY(add_constant(g, old.name, "scale", a->channels, a->scale, &scale));
  TH_TRY(add_constant(g, old.name, "shift", a->channels, a->shift, &shift));
  TH_TRY(th_graph_add_tensor(g, mid_name, TH_DTYPE_F32, &shape, &mid));
  g->nodes[bn].dead = true; /* its output lives on */
  TH_TRY(th_graph_add_node(g, bn + 1, TH_OP_MUL, mid_name, (int[]){old.in[0], scale}, 2, &mid, 1, &mul));
  return th_graph_add_node(g, bn + 2, TH_OP_ADD, old.name, (int[]){mid, shift}, 2, old.out, 1, &add);
}

th_status th_pass_fold_bn(th_graph *g, const th_pass_options *o) {
  for (int i = 0; i < g->n_nodes; i++) {
    if (g->nodes[i].dead || g->nodes[i].op != TH_OP_BATCH_NORM) continue;
    affine a;
    TH_TRY(read_affine(g, &g->nodes[i], &a));
    int p = foldable_producer(g, i);
    TH_TRY(p >= 0 ? fold(g, p, i, &a) : expand(g, i, &a));
  }
  return TH_OK;
}
