/* Steps of weight grids: the largest magnitude on the last level, or the step of least squared error; then, if asked,
 * rounded up to a few distinct ones. See weight_scales.h. SPDX-License-Identifier: Apache-2.0 */
#include "pass/weight_scales.h"

#include <math.h>

#include "base/str.h"

enum { MSE_STEPS = 50, BIAS_MAX = 1 << 30 };

static const th_weight_type TYPES[] = {
#define TH_WEIGHT_TYPE(id, name, bits, lo, hi) {name, bits, lo, hi},
#include "pass/weight_types.def"
#undef TH_WEIGHT_TYPE
};

const th_weight_type *th_weight_type_of(th_weight_type_id id) {
  return &TYPES[id];
}

th_weight_type_id th_weight_type_from_name(const char *name) {
  int i = 0;
  while (i < TH_WEIGHT_TYPE_COUNT && !th_str_eq(TYPES[i].name, name)) i++;
  return (th_weight_type_id)i;
}

th_status th_weight_view_of(const th_graph *g, int node, th_weight_view *view) {
  const th_node *n = &g->nodes[node];
  const int axis = th_op_weight_axis(n->op), bias = th_op_bias_input(n->op);
  const bool has_bias = bias >= 0 && n->n_in > bias && n->in[bias] >= 0;
  const th_tensor *t = th_node_in(g, n, 1);
  const th_quant *in = &g->tensors[n->in[0]].quant, *out = &g->tensors[n->out[0]].quant;
  *view = (th_weight_view){.tensor = t,
                           .w = th_const_f32(g, n->in[1]),
                           .b = has_bias ? th_const_f32(g, n->in[bias]) : NULL,
                           .axis = axis,
                           .dense = n->op == TH_OP_FULLY_CONNECTED,
                           .in_scale = in->count == 1 ? in->scale[0] : 0,
                           .out_scale = out->count == 1 ? out->scale[0] : 0};
  if (!view->w || (has_bias && !view->b))
    return th_fail(TH_ERR_INPUT, "%s (%s): weights and bias must be float constants", n->name, th_op_name(n->op));
  const th_slices s = th_slices_of(&t->shape, axis);
  view->channels = s.dim;
  view->inner = s.inner;
  view->elems = s.outer * s.inner;
  return TH_OK;
}

/* --- one step --- */

typedef struct part { /* the channels that share step k */
  const th_weight_view *v;
  const th_weight_type *type;
  int64_t first, end;
} part;

static part part_of(const th_weight_view *v, const th_weight_type *type, int n, int k) {
  return (part){v, type, n > 1 ? k : 0, n > 1 ? k + 1 : v->channels};
}

static double largest(const part *p) {
  double m = 0;
  for (int64_t c = p->first; c < p->end; c++)
    for (int64_t i = 0; i < p->v->elems; i++) m = fmax(m, fabs((double)p->v->w[th_weight_at(p->v, c, i)]));
  return m;
}

static double squared_error(const part *p, double step) {
  double sum = 0;
  for (int64_t c = p->first; c < p->end; c++)
    for (int64_t i = 0; i < p->v->elems; i++) {
      const double w = (double)p->v->w[th_weight_at(p->v, c, i)];
      const double q = fmin(fmax(round(w / step), p->type->lo), p->type->hi);
      sum += (w - q * step) * (w - q * step);
    }
  return sum;
}

/* The step with the least squared error among fractions of the one that clips nothing. With few levels the best one
 * clips a lot. */
static double mse_step(const part *p, double widest) {
  const double stride = p->type->bits > 4 ? 0.01 : 0.018;
  double best = widest, best_error = squared_error(p, widest);
  for (int i = 1; i < MSE_STEPS; i++) {
    const double step = widest * (1 - stride * i), error = squared_error(p, step);
    if (error < best_error) {
      best = step;
      best_error = error;
    }
  }
  return best;
}

static double largest_bias(const part *p) {
  double m = 0;
  for (int64_t c = p->first; c < p->end && p->v->b; c++) m = fmax(m, fabs((double)p->v->b[c]));
  return m;
}

static double own_step(const part *p, const th_quantize_options *o) {
  const th_weight_view *v = p->v;
  const double max = largest(p), least = largest_bias(p) / ((double)v->in_scale * BIAS_MAX);
  double step = max / p->type->hi;
  /* All zero: any step will do; this one gives the bias a 1/256 of the output's step. */
  if (max == 0)
    step = (double)v->out_scale / (double)v->in_scale / 256;
  else if (o->weight_range == TH_WEIGHT_RANGE_MSE)
    step = mse_step(p, step);
  return fmax(fmax(step, least), 1e-30);
}

/* --- all steps --- */

static th_status given_scales(const th_weight_view *v, const th_weight_type *type, const th_quantize_options *o,
                              float *scale, int *n) {
  const th_quant *q = &v->tensor->quant;
  if (q->count != 1 && (q->count != v->channels || q->axis != v->axis))
    return th_fail(TH_ERR_INPUT, "weights %s: %d scales along axis %d, expected 1 or %lld along axis %d",
                   v->tensor->name, q->count, q->axis, (long long)v->channels, v->axis);
  *n = q->count;
  for (int k = 0; k < q->count; k++) {
    if (!(q->scale[k] > 0) || (q->zero && q->zero[k] != 0))
      return th_fail(TH_ERR_INPUT, "weights %s: scale %g, zero %d; expected a positive scale and zero 0",
                     v->tensor->name, (double)q->scale[k], q->zero ? q->zero[k] : 0);
    const part p = part_of(v, type, *n, k);
    scale[k] = largest(&p) == 0 ? (float)own_step(&p, o) : q->scale[k];
  }
  return TH_OK;
}

/* Rounds each step up to the largest times 2^(-k/4), by exact powers and a loop so that every machine agrees. */
static void make_few(float *scale, int n) {
  static const double quarter[4] = {1, 0.84089641525371454, 0.70710678118654752, 0.59460355750136054}; /* 2^(-r/4) */
  float top = 0;
  for (int k = 0; k < n; k++) top = fmaxf(top, scale[k]);
  for (int k = 0; k < n; k++) {
    double step = (double)top;
    for (int i = 1; i < 4 * 60 && (double)top * ldexp(quarter[i % 4], -(i / 4)) >= (double)scale[k]; i++)
      step = (double)top * ldexp(quarter[i % 4], -(i / 4));
    scale[k] = (float)step;
  }
}

th_status th_weight_scales(const th_weight_view *v, const th_weight_type *type, const th_quantize_options *o,
                           float *scale, int *n) {
  if (v->tensor->quant.count > 0) return given_scales(v, type, o, scale, n);
  const bool one = v->dense ? !o->per_channel_fc : o->per_layer_conv && v->axis == 0;
  *n = one ? 1 : (int)v->channels;
  for (int k = 0; k < *n; k++) {
    const part p = part_of(v, type, *n, k);
    scale[k] = (float)own_step(&p, o);
  }
  if (o->few_scales) make_few(scale, *n);
  return TH_OK;
}
