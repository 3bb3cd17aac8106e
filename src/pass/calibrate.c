/* Two sweeps over the samples, in blocks: first the extremes of every activation, then histograms between them, from
 * which the clipping methods choose. See calibrate.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/calibrate.h"

#include <math.h>

#include "base/str.h"
#include "eval/eval.h"

enum { BINS = 2048, BLOCK = 32, CANDIDATES = 80, NEAR = 8, PEAK = 2 };

static const char *const METHOD_NAMES[TH_CALIBRATION_COUNT] = {"minmax", "percentile", "mse", "entropy"};

const char *th_calibration_name(th_calibration c) {
  return c < TH_CALIBRATION_COUNT ? METHOD_NAMES[c] : "?";
}

th_calibration th_calibration_from_name(const char *name) {
  int c = 0;
  while (c < TH_CALIBRATION_COUNT && !th_str_eq(name, METHOD_NAMES[c])) c++;
  return (th_calibration)c;
}

typedef struct observed { /* of one activation tensor */
  bool wanted;
  float lo, hi;
  uint64_t *bins; /* BINS counts over [lo, hi]; NULL when not needed */
} observed;

typedef struct calibration {
  th_graph *g;
  const th_calibrate_options *o;
  th_eval *eval;
  observed *seen;
  float **outputs; /* of one block; not used otherwise */
  int samples, done;
} calibration;

void th_grid_of_range(th_dtype type, float lo, float hi, float *scale, int32_t *zero) {
  double a = fmin((double)lo, 0), b = fmax((double)hi, 0);
  if (!(b - a > 1e-30)) b = a + 1; /* always zero: any grid will do */
  if (type == TH_DTYPE_S16) {
    *scale = (float)(fmax(-a, b) / 32767);
    *zero = 0;
    return;
  }
  double s = (b - a) / 255;
  *scale = (float)s;
  double z = round(-128 - a / s);
  *zero = z < -128 ? -128 : z > 127 ? 127 : (int32_t)z;
}

static void see_extremes(observed *s, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (x[i] < s->lo) s->lo = x[i];
    if (x[i] > s->hi) s->hi = x[i];
  }
}

static void see_histogram(observed *s, const float *x, int64_t n) {
  float width = s->hi - s->lo, per = width > 0 ? (float)BINS / width : 0;
  for (int64_t i = 0; i < n; i++) {
    int b = (int)((x[i] - s->lo) * per);
    s->bins[b < 0 ? 0 : b >= BINS ? BINS - 1 : b]++;
  }
}

static th_status see_block(calibration *c, const float *const *inputs, int begin, int count, bool histogram) {
  const float *at[TH_MAX_INPUTS];
  for (int i = 0; i < c->g->n_inputs; i++)
    at[i] = inputs[i] + (int64_t)begin * th_shape_elems(&c->g->tensors[c->g->inputs[i]].shape);
  TH_TRY(th_eval_run_f32(c->eval, count, at, c->outputs));
  for (int t = 0; t < c->g->n_tensors; t++) {
    if (!c->seen[t].wanted) continue;
    const float *x = th_eval_tensor(c->eval, t);
    if (!x) return th_fail(TH_ERR_INTERNAL, "calibration: tensor %s was not computed", c->g->tensors[t].name);
    int64_t n = (int64_t)count * th_shape_elems(&c->g->tensors[t].shape);
    if (histogram)
      see_histogram(&c->seen[t], x, n);
    else
      see_extremes(&c->seen[t], x, n);
  }
  return TH_OK;
}

static th_status sweep(calibration *c, const float *const *inputs, bool histogram, int sweeps) {
  for (int begin = 0; begin < c->samples; begin += BLOCK) {
    int count = c->samples - begin < BLOCK ? c->samples - begin : BLOCK;
    TH_TRY(see_block(c, inputs, begin, count, histogram));
    c->done += count;
    th_progress p = {.stage = "calibrate",
                     .done = c->done,
                     .total = (double)c->samples * sweeps,
                     .unit = "samples",
                     .loss = (double)NAN,
                     .accuracy = (double)NAN,
                     .end = c->done == c->samples * sweeps};
    if (!th_progress_report(c->o->ctx, &p)) return th_fail(TH_ERR_INTERRUPTED, "calibration was interrupted");
  }
  return TH_OK;
}

/* --- choosing the range --- */

/* Cuts equal tails so that at most (100 - percentile) per cent of the values lie outside. */
static void percentile_range(const observed *s, double percentile, float *lo, float *hi) {
  uint64_t total = 0, below = 0, above = 0;
  for (int b = 0; b < BINS; b++) total += s->bins[b];
  double tail = (double)total * (100 - percentile) / 200, width = ((double)s->hi - (double)s->lo) / BINS;
  int first = 0, last = BINS - 1;
  while (first < last && (double)(below + s->bins[first]) <= tail) below += s->bins[first++];
  while (last > first && (double)(above + s->bins[last]) <= tail) above += s->bins[last--];
  *lo = (float)((double)s->lo + first * width);
  *hi = (float)((double)s->lo + (last + 1) * width);
}

/* Mean squared error of int8 rounding with this range, from the histogram. */
static double range_error(const observed *s, float lo, float hi) {
  float scale;
  int32_t zero;
  th_grid_of_range(TH_DTYPE_S8, lo, hi, &scale, &zero);
  double sum = 0, width = ((double)s->hi - (double)s->lo) / BINS, step = (double)scale;
  for (int b = 0; b < BINS; b++) {
    if (s->bins[b] == 0) continue;
    double x = (double)s->lo + (b + 0.5) * width, q = round(x / step) + zero;
    q = q < -128 ? -128 : q > 127 ? 127 : q;
    double e = x - (q - zero) * step;
    /* a bin wider than a step cannot tell rounding errors apart: the usual step^2 / 12 inside the range */
    sum += (double)s->bins[b] * (fabs(e) <= step / 2 ? step * step / 12 : e * e);
  }
  return sum;
}

/* Bins [first, end) that level q of a range of `levels` levels covers, when the range covers bins [a, b). */
static int level_begin(int a, int b, int level, int levels) {
  return a + (int)((int64_t)(b - a) * level / levels);
}

/* The histogram without single values that are taken again and again: 0 after a relu, which every grid holds without
 * error, and what a layer gives for an empty background. Such a bin would be spread over all bins of its level, and the
 * narrowest range, whose levels have the fewest, would always seem the best. */
static void level_peaks(const observed *s, uint64_t bins[BINS]) {
  for (int i = 0; i < BINS; i++) {
    uint64_t around = 0;
    for (int k = i - NEAR; k <= i + NEAR; k++) around += k >= 0 && k < BINS && k != i ? s->bins[k] : 0;
    const uint64_t most = PEAK * around / (2 * NEAR) + 1;
    bins[i] = s->bins[i] < most ? s->bins[i] : most;
  }
  const double zero = (0 - (double)s->lo) * BINS / ((double)s->hi - (double)s->lo);
  if (zero >= 0 && zero < BINS) bins[(int)zero] = 0;
}

/* Divergence of the values rounded to 8 bits in [lo, hi] from those clipped there (Migacz 2017, "8-bit inference with
 * TensorRT"): a level's count is spread over those of its bins that are not empty. Counts
 * that chance alone makes unequal diverge, too, by half a value for each bin but one of a level (Miller 1955): without
 * taking that off, few samples would ask for narrow ranges. */
static double range_divergence(const observed *s, float lo, float hi) {
  enum { LEVELS = 256 };
  const double per = BINS / ((double)s->hi - (double)s->lo);
  int a = (int)floor(((double)lo - (double)s->lo) * per), b = (int)ceil(((double)hi - (double)s->lo) * per);
  a = a < 0 ? 0 : a;
  b = b > BINS ? BINS : b;
  double total = 0, inside = 0, sum = 0, below = 0, above = 0;
  for (int i = 0; i < BINS; i++) {
    total += (double)s->bins[i];
    inside += i >= a && i < b ? (double)s->bins[i] : 0;
    below += i < a ? (double)s->bins[i] : 0;
    above += i >= b ? (double)s->bins[i] : 0;
  }
  if (b - a < LEVELS / 2 || !(inside > 0)) return INFINITY;
  for (int level = 0; level < LEVELS; level++) {
    const int first = level_begin(a, b, level, LEVELS), end = level_begin(a, b, level + 1, LEVELS);
    double count = 0, used = 0;
    for (int i = first; i < end; i++) {
      count += (double)s->bins[i];
      used += s->bins[i] > 0;
    }
    for (int i = first; i < end; i++) {
      const double p = ((double)s->bins[i] + (i == a ? below : 0) + (i == b - 1 ? above : 0)) / total;
      const double q = s->bins[i] > 0 ? count / used / inside : 0;
      if (p > 0) sum += p * log(p / fmax(q, 1e-9));
    }
    sum -= used > 1 ? (used - 1) / (2 * total) : 0;
  }
  return sum;
}

typedef double range_cost(const observed *s, float lo, float hi);

/* The fraction of the observed range that costs least. */
static void cheapest_range(const observed *s, range_cost *cost, float *lo, float *hi) {
  double best = INFINITY;
  for (int i = 0; i < CANDIDATES; i++) {
    float f = 1 - 0.01f * (float)i, l = s->lo * f, h = s->hi * f;
    double e = cost(s, l, h);
    if (e < best) {
      best = e;
      *lo = l;
      *hi = h;
    }
  }
}

static void entropy_range(const observed *s, float *lo, float *hi) {
  uint64_t bins[BINS];
  const observed level = {.lo = s->lo, .hi = s->hi, .bins = bins};
  level_peaks(s, bins);
  cheapest_range(&level, range_divergence, lo, hi);
}

static void choose_range(const observed *s, const th_calibrate_options *o, float *lo, float *hi) {
  *lo = s->lo;
  *hi = s->hi;
  if (!(s->hi > s->lo) || o->activation == TH_DTYPE_S16) return; /* 16 bits need no clipping */
  double percentile = o->percentile > 0 ? (double)o->percentile : 99.99;
  if (o->method == TH_CALIBRATION_PERCENTILE) percentile_range(s, percentile, lo, hi);
  if (o->method == TH_CALIBRATION_MSE) cheapest_range(s, range_error, lo, hi);
  if (o->method == TH_CALIBRATION_ENTROPY) entropy_range(s, lo, hi);
}

static th_status set_grid(const calibration *c, int t) {
  const observed *s = &c->seen[t];
  if (!isfinite(s->lo) || !isfinite(s->hi))
    return th_fail(TH_ERR_INPUT, "calibration: tensor %s takes values that are not finite", c->g->tensors[t].name);
  float lo, hi, scale;
  int32_t zero;
  choose_range(s, c->o, &lo, &hi);
  th_grid_of_range(c->o->activation, lo, hi, &scale, &zero);
  if (c->o->activation != TH_DTYPE_S16 && th_graph_is_input(c->g, t) && s->lo >= 0 && s->hi <= 1 && s->hi > 0.5f) {
    scale = 1.0f / 255;
    zero = -128;
  }
  return th_graph_set_quant(c->g, t, -1, 1, &scale, &zero);
}

static th_status prepare(calibration *c, th_arena *arena) {
  const th_graph *g = c->g;
  c->seen = TH_ARRAY(arena, observed, g->n_tensors + 1);
  c->outputs = TH_ARRAY(arena, float *, g->n_outputs + 1);
  if (!c->seen || !c->outputs) return TH_ERR_RESOURCE;
  bool histogram = c->o->method != TH_CALIBRATION_MINMAX;
  for (int t = 0; t < g->n_tensors; t++) {
    const th_tensor *x = &g->tensors[t];
    c->seen[t] = (observed){.wanted = !x->dead && !x->data && x->dtype == TH_DTYPE_F32 && x->quant.count == 0 &&
                                      (th_graph_is_input(g, t) || th_graph_producer(g, t) >= 0),
                            .lo = INFINITY,
                            .hi = -INFINITY};
    if (c->seen[t].wanted && histogram && !(c->seen[t].bins = TH_ARRAY(arena, uint64_t, BINS))) return TH_ERR_RESOURCE;
  }
  for (int i = 0; i < g->n_outputs; i++) {
    int64_t elems = th_shape_elems(&g->tensors[g->outputs[i]].shape) * BLOCK;
    if (!(c->outputs[i] = TH_ARRAY(arena, float, elems))) return TH_ERR_RESOURCE;
  }
  return TH_OK;
}

static th_status calibrate(calibration *c, th_arena *arena, const float *const *inputs) {
  bool histogram = c->o->method != TH_CALIBRATION_MINMAX;
  TH_TRY(prepare(c, arena));
  TH_TRY(sweep(c, inputs, false, histogram ? 2 : 1));
  for (int t = 0; t < c->g->n_tensors && histogram; t++)
    if (c->seen[t].wanted && (!isfinite(c->seen[t].lo) || !isfinite(c->seen[t].hi))) return set_grid(c, t);
  if (histogram) TH_TRY(sweep(c, inputs, true, 2));
  for (int t = 0; t < c->g->n_tensors; t++)
    if (c->seen[t].wanted) TH_TRY(set_grid(c, t));
  return TH_OK;
}

th_status th_calibrate(th_graph *g, int samples, const float *const *inputs, const th_calibrate_options *options) {
  if (samples < 1) return th_fail(TH_ERR_USAGE, "calibration needs at least one sample");
  calibration c = {.g = g, .o = options, .samples = samples};
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  th_status status = th_eval_open(g, true, &c.eval);
  if (status == TH_OK) status = calibrate(&c, arena, inputs);
  th_eval_close(c.eval);
  th_arena_destroy(arena);
  return status;
}
