/* Weights: q = round(w / s[c]) within the levels of their type, int8 unless the tensor brings a grid of its own, one
 * step per output channel (fully connected: per tensor unless asked; weight_scales.c). Bias: round(b / (s_in * s[c]))
 * as int32. SPDX-License-Identifier: Apache-2.0 */
#include "pass/quantize_weights.h"

#include <math.h>

#include "op/op.h"
#include "pass/edit.h"
#include "pass/weight_scales.h"

enum { BIAS_MAX = 1 << 30 };

typedef struct layer {
  th_graph *g;
  int node;
  const th_quantize_options *o;
  th_weight_view v;
  int n_scales;
  float *scale;
} layer;

static th_status convert_weights(layer *l) {
  th_graph *g = l->g;
  const int axis = th_op_weight_axis(g->nodes[l->node].op);
  const double most = th_weight_type_of(TH_WEIGHT_INT8)->hi, least = -most;
  th_shape shape = g->tensors[g->nodes[l->node].in[1]].shape;
  int8_t *q = TH_ARRAY(g->arena, int8_t, th_shape_elems(&shape));
  if (!q) return TH_ERR_RESOURCE;
  for (int64_t c = 0; c < l->v.channels; c++)
    for (int64_t i = 0; i < l->v.elems; i++) {
      const int64_t at = th_weight_at(&l->v, c, i);
      const double v = round((double)l->v.w[at] / (double)l->scale[l->n_scales > 1 ? c : 0]);
      q[at] = (int8_t)fmin(fmax(v, least), most);
    }
  TH_TRY(th_node_set_const(g, l->node, 1, TH_DTYPE_S8, &shape, q));
  return th_graph_set_quant(g, g->nodes[l->node].in[1], l->n_scales > 1 ? axis : -1, l->n_scales, l->scale, NULL);
}

/* --- bias --- */

static double bias_step(const layer *l, int64_t c) {
  return (double)l->v.in_scale * (double)l->scale[l->n_scales > 1 ? c : 0];
}

static int64_t round_to(int64_t v, int k) { /* nearest multiple of 2^k, half away from zero; divided by 2^k */
  int64_t half = k > 0 ? (int64_t)1 << (k - 1) : 0, m = ((v < 0 ? -v : v) + half) >> k;
  return v < 0 ? -m : m;
}

static bool fits(const int64_t *bias, int64_t n, int k, int bits) {
  int64_t limit = ((int64_t)1 << (bits - 1)) - 1;
  for (int64_t c = 0; c < n; c++) {
    int64_t v = round_to(bias[c], k);
    if (v > limit || v < -limit) return false;
  }
  return true;
}

/* The largest k for which half a multiple of 2^k moves no output by more than the allowed part of its
 * step. */
static int most_rounding(const layer *l) {
  double finest = 0;
  for (int64_t c = 0; c < l->v.channels; c++) finest = fmax(finest, bias_step(l, c) / (double)l->v.out_scale);
  int k = 0;
  while (k < 24 && ldexp(finest, k) <= (double)l->o->bias_error)
    k++; /* k + 1 would be too much: 2^k * finest = error of k + 1 */
  return k;
}

static void round_all(const layer *l, int64_t *bias, int k) {
  for (int64_t c = 0; c < l->v.channels; c++) bias[c] = round_to(bias[c], k) * ((int64_t)1 << k);
}

static void narrow(const layer *l, int64_t *bias) {
  int most = most_rounding(l);
  if (l->o->coded_biases) {
    round_all(l, bias, most);
    return;
  }
  for (int bits = 8; bits <= 16; bits += 8)
    for (int k = 0; k <= most; k++)
      if (fits(bias, l->v.channels, k, bits)) {
        round_all(l, bias, k);
        return;
      }
}

/* 32 bits for int8 activations, 64 for int16: TFLite's specification. */
static th_status set_bias(layer *l, const int64_t *q, const float *scale) {
  th_graph *g = l->g;
  const th_node *n = &g->nodes[l->node];
  const th_shape shape = g->tensors[n->in[2]].shape;
  const bool wide = l->o->activation == TH_DTYPE_S16;
  int32_t *narrow_q = wide ? NULL : TH_ARRAY(g->arena, int32_t, l->v.channels);
  if (!wide && !narrow_q) return TH_ERR_RESOURCE;
  for (int64_t c = 0; c < l->v.channels && !wide; c++) narrow_q[c] = (int32_t)q[c];
  TH_TRY(
      th_node_set_const(g, l->node, 2, wide ? TH_DTYPE_S64 : TH_DTYPE_S32, &shape, wide ? (const void *)q : narrow_q));
  return th_graph_set_quant(g, g->nodes[l->node].in[2], l->n_scales > 1 ? 0 : -1, l->n_scales, scale, NULL);
}

static th_status convert_bias(layer *l) {
  const double most = l->o->activation == TH_DTYPE_S16 ? 0x1p39 : 2.0 * BIAS_MAX; /* 40 bits: sums stay within 48 */
  if (!l->v.b) return TH_OK;
  int64_t *q = TH_ARRAY(l->g->arena, int64_t, l->v.channels);
  float *scale = TH_ARRAY(l->g->arena, float, l->v.channels);
  if (!q || !scale) return TH_ERR_RESOURCE;
  for (int64_t c = 0; c < l->v.channels; c++) {
    double v = round((double)l->v.b[c] / bias_step(l, c));
    if (!(fabs(v) < most))
      return th_fail(TH_ERR_INPUT, "%s: bias %g of channel %lld is too large for step %g", l->g->nodes[l->node].name,
                     (double)l->v.b[c], (long long)c, bias_step(l, c));
    q[c] = (int64_t)v;
    scale[c] = (float)bias_step(l, c);
  }
  if (l->o->bias_error > 0) narrow(l, q);
  return set_bias(l, q, scale);
}

th_status th_quantize_layer(th_graph *g, int node, const th_quantize_options *o) {
  const th_node *n = &g->nodes[node];
  const th_tensor *w = th_node_in(g, n, 1);
  if (w->data && w->dtype == TH_DTYPE_S8) return TH_OK; /* integer already */
  layer l = {.g = g, .node = node, .o = o};
  TH_TRY(th_weight_view_of(g, node, &l.v));
  l.scale = TH_ARRAY(g->arena, float, l.v.channels);
  if (!l.scale) return TH_ERR_RESOURCE;
  TH_TRY(th_weight_scales(&l.v, th_weight_type_of(TH_WEIGHT_INT8), o, l.scale, &l.n_scales));
  TH_TRY(convert_weights(&l));
  return convert_bias(&l);
}
