/* Weights: q = round(w / s[c]) in [-127, 127], one step per output channel (fully connected: per tensor unless asked).
 * Bias: round(b / (s_in * s[c])) as int32. A step is never so small that its bias leaves 31 bits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/quantize_weights.h"

#include <math.h>

#include "op/op.h"
#include "pass/edit.h"

enum { WEIGHT_MAX = 127, MSE_STEPS = 50, BIAS_MAX = 1 << 30 };

typedef struct layer {
  th_graph *g;
  int node;
  const th_quantize_options *o;
  th_slices s; /* of the weights, along the output channels */
  const float *w, *b;
  float in_scale, out_scale;
  int n_scales;
  float *scale;
} layer;

static int64_t channel_elems(const layer *l) {
  return l->s.outer * l->s.inner;
}

static float weight(const layer *l, int64_t channel, int64_t i) {
  return l->w[(i / l->s.inner * l->s.dim + channel) * l->s.inner + i % l->s.inner];
}

/* Channels that share scale k: one, or all. */
static void channels_of(const layer *l, int k, int64_t *first, int64_t *end) {
  *first = l->n_scales > 1 ? k : 0;
  *end = l->n_scales > 1 ? k + 1 : l->s.dim;
}

static double largest(const layer *l, int64_t first, int64_t end) {
  double m = 0;
  for (int64_t c = first; c < end; c++)
    for (int64_t i = 0; i < channel_elems(l); i++) m = fmax(m, fabs((double)weight(l, c, i)));
  return m;
}

static double squared_error(const layer *l, int64_t first, int64_t end, double step) {
  double sum = 0;
  for (int64_t c = first; c < end; c++)
    for (int64_t i = 0; i < channel_elems(l); i++) {
      double w = (double)weight(l, c, i), q = fmin(fmax(round(w / step), -WEIGHT_MAX), WEIGHT_MAX);
      sum += (w - q * step) * (w - q * step);
    }
  return sum;
}

/* The step with the least squared error among fractions of the one that clips nothing. */
static double mse_step(const layer *l, int64_t first, int64_t end, double widest) {
  double best = widest, best_error = squared_error(l, first, end, widest);
  for (int i = 1; i < MSE_STEPS; i++) {
    double step = widest * (1 - 0.01 * i), error = squared_error(l, first, end, step);
    if (error < best_error) {
      best = step;
      best_error = error;
    }
  }
  return best;
}

static double largest_bias(const layer *l, int64_t first, int64_t end) {
  double m = 0;
  for (int64_t c = first; c < end && l->b; c++) m = fmax(m, fabs((double)l->b[c]));
  return m;
}

static double own_step(const layer *l, int k) {
  int64_t first, end;
  channels_of(l, k, &first, &end);
  double max = largest(l, first, end), step = max / WEIGHT_MAX;
  double least = largest_bias(l, first, end) / ((double)l->in_scale * BIAS_MAX);
  /* All zero: any step will do; this one gives the bias a 1/256 of the output's step. */
  if (max == 0)
    step = (double)l->out_scale / (double)l->in_scale / 256;
  else if (l->o->weight_range == TH_WEIGHT_RANGE_MSE)
    step = mse_step(l, first, end, step);
  return fmax(fmax(step, least), 1e-30);
}

static th_status given_scales(layer *l, const th_quant *q, const char *name) {
  int axis = th_op_weight_axis(l->g->nodes[l->node].op);
  if (q->count != 1 && (q->count != l->s.dim || q->axis != axis))
    return th_fail(TH_ERR_INPUT, "weights %s: %d scales along axis %d, expected 1 or %lld along axis %d", name,
                   q->count, q->axis, (long long)l->s.dim, axis);
  l->n_scales = q->count;
  for (int k = 0; k < q->count; k++) {
    int64_t first, end;
    if (!(q->scale[k] > 0) || (q->zero && q->zero[k] != 0))
      return th_fail(TH_ERR_INPUT, "weights %s: scale %g, zero %d; expected a positive scale and zero 0", name,
                     (double)q->scale[k], q->zero ? q->zero[k] : 0);
    channels_of(l, k, &first, &end);
    bool free_choice = largest(l, first, end) == 0;
    l->scale[k] = free_choice ? (float)own_step(l, k) : q->scale[k];
  }
  return TH_OK;
}

/* Rounds each step up to the largest times 2^(-k/4), by exact powers and a loop so that every machine agrees. */
static void make_few(layer *l) {
  static const double quarter[4] = {1, 0.84089641525371454, 0.70710678118654752, 0.59460355750136054}; /* 2^(-r/4) */
  float top = 0;
  for (int k = 0; k < l->n_scales; k++) top = fmaxf(top, l->scale[k]);
  for (int k = 0; k < l->n_scales; k++) {
    double step = (double)top;
    for (int i = 1; i < 4 * 60 && (double)top * ldexp(quarter[i % 4], -(i / 4)) >= (double)l->scale[k]; i++)
      step = (double)top * ldexp(quarter[i % 4], -(i / 4));
    l->scale[k] = (float)step;
  }
}

static th_status choose_scales(layer *l) {
  const th_node *n = &l->g->nodes[l->node];
  const th_tensor *w = th_node_in(l->g, n, 1);
  l->scale = TH_ARRAY(l->g->arena, float, l->s.dim);
  if (!l->scale) return TH_ERR_RESOURCE;
  if (w->quant.count > 0) return given_scales(l, &w->quant, w->name);
  l->n_scales = n->op == TH_OP_FULLY_CONNECTED && !l->o->per_channel_fc ? 1 : (int)l->s.dim;
  for (int k = 0; k < l->n_scales; k++) l->scale[k] = (float)own_step(l, k);
  if (l->o->few_scales) make_few(l);
  return TH_OK;
}

static th_status convert_weights(layer *l) {
  th_graph *g = l->g;
  int axis = th_op_weight_axis(g->nodes[l->node].op);
  th_shape shape = g->tensors[g->nodes[l->node].in[1]].shape;
  int8_t *q = TH_ARRAY(g->arena, int8_t, th_shape_elems(&shape));
  if (!q) return TH_ERR_RESOURCE;
  for (int64_t c = 0; c < l->s.dim; c++)
    for (int64_t i = 0; i < channel_elems(l); i++) {
      double v = round((double)weight(l, c, i) / (double)l->scale[l->n_scales > 1 ? c : 0]);
      int64_t at = (i / l->s.inner * l->s.dim + c) * l->s.inner + i % l->s.inner;
      q[at] = (int8_t)fmin(fmax(v, -WEIGHT_MAX), WEIGHT_MAX);
    }
  TH_TRY(th_node_set_const(g, l->node, 1, TH_DTYPE_S8, &shape, q));
  return th_graph_set_quant(g, g->nodes[l->node].in[1], l->n_scales > 1 ? axis : -1, l->n_scales, l->scale, NULL);
}

/* --- bias --- */

static double bias_step(const layer *l, int64_t c) {
  return (double)l->in_scale * (double)l->scale[l->n_scales > 1 ? c : 0];
}

static int64_t round_to(int64_t v, int k) { /* nearest multiple of 2^k, half away from zero; divided by 2^k */
  int64_t half = k > 0 ? (int64_t)1 << (k - 1) : 0, m = ((v < 0 ? -v : v) + half) >> k;
  return v < 0 ? -m : m;
}

static bool fits(const int32_t *bias, int64_t n, int k, int bits) {
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
  for (int64_t c = 0; c < l->s.dim; c++) finest = fmax(finest, bias_step(l, c) / (double)l->out_scale);
  int k = 0;
  while (k < 24 && ldexp(finest, k) <= (double)l->o->bias_error)
    k++; /* k + 1 would be too much: 2^k * finest = error of k + 1 */
  return k;
}

static void narrow(const layer *l, int32_t *bias) {
  int most = most_rounding(l);
  for (int bits = 8; bits <= 16; bits += 8)
    for (int k = 0; k <= most; k++)
      if (fits(bias, l->s.dim, k, bits)) {
        for (int64_t c = 0; c < l->s.dim; c++) bias[c] = (int32_t)(round_to(bias[c], k) * ((int64_t)1 << k));
        return;
      }
}

static th_status convert_bias(layer *l) {
  th_graph *g = l->g;
  const th_node *n = &g->nodes[l->node];
  if (!l->b) return TH_OK;
  int32_t *q = TH_ARRAY(g->arena, int32_t, l->s.dim);
  float *scale = TH_ARRAY(g->arena, float, l->s.dim);
  if (!q || !scale) return TH_ERR_RESOURCE;
  for (int64_t c = 0; c < l->s.dim; c++) {
    double v = round((double)l->b[c] / bias_step(l, c));
    if (!(fabs(v) < 2.0 * BIAS_MAX))
      return th_fail(TH_ERR_INPUT, "%s: bias %g of channel %lld does not fit 32 bits at step %g", n->name,
                     (double)l->b[c], (long long)c, bias_step(l, c));
    q[c] = (int32_t)v;
    scale[c] = (float)bias_step(l, c);
  }
  if (l->o->bias_error > 0) narrow(l, q);
  th_shape shape = g->tensors[n->in[2]].shape;
  TH_TRY(th_node_set_const(g, l->node, 2, TH_DTYPE_S32, &shape, q));
  return th_graph_set_quant(g, n->in[2], l->n_scales > 1 ? 0 : -1, l->n_scales, scale, NULL);
}

th_status th_quantize_layer(th_graph *g, int node, const th_quantize_options *o) {
  const th_node *n = &g->nodes[node];
  const th_tensor *w = th_node_in(g, n, 1);
  if (w->data && w->dtype == TH_DTYPE_S8) return TH_OK; /* integer already */
  layer l = {.g = g, .node = node, .o = o, .w = th_const_f32(g, n->in[1])};
  l.b = n->n_in > 2 ? th_const_f32(g, n->in[2]) : NULL;
  if (!l.w || (n->n_in > 2 && n->in[2] >= 0 && !l.b))
    return th_fail(TH_ERR_INPUT, "%s (%s): weights and bias must be float constants", n->name, th_op_name(n->op));
  l.s = th_slices_of(&w->shape, th_op_weight_axis(n->op));
  l.in_scale = g->tensors[n->in[0]].quant.scale[0];
  l.out_scale = g->tensors[n->out[0]].quant.scale[0];
  TH_TRY(choose_scales(&l));
  TH_TRY(convert_weights(&l));
  return convert_bias(&l);
}
