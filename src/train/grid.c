/* The grid constraint: fake quantization.
 *
 * Weights: one scale per tensor or channel, integers in [-Q, Q] with Q = 2^(bits-1) - 1, or from another lowest level.
 * Forward uses s round(th_grid_clamp(w / s)), backward lets the gradient through inside the range (straight-through).
 * The scale follows the largest magnitude (observed), or is learned: with q = round(th_grid_clamp(v)), v = w / s, ds =
 * sum dout * (q - v inside, q outside) / sqrt(N Q)        (LSQ, Esser et al. 2020, eq. 3 and section 2.2) and starts
 * from the scale of least squared error. Activations: affine with lo <= 0 <= hi, so that zero is exact; the range
 * follows a moving average of what is seen, or its ends are learned by the same formula, where moving s at fixed zero
 * moves hi by the number of levels times as much. SPDX-License-Identifier: Apache-2.0 */
#include "train/grid_state.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "train/vec.h"

#define EDGE 1.00001f  /* the largest weight over its own scale may exceed Q by a rounding */
#define COUNT_STEPS 16 /* shares of levels change slowly */
#define CLIP_STEPS 40  /* candidates of the search for the first learned scale */

/* --- weights --- */

typedef struct span { /* consecutive elements of one channel */
  int64_t at, n;
  int channel;
} span;

static int64_t span_count(const th_grid *g) {
  return g->channels > 1 ? g->n / g->inner : 1;
}

static span span_get(const th_grid *g, int64_t i) {
  if (g->channels == 1) return (span){0, g->n, 0};
  return (span){i * g->inner, g->inner, (int)(i % g->channels)};
}

static void project_span(const float *in, float *out, int64_t n, float scale, float lo, float hi) {
  int64_t i = 0;
  for (; i + TH_VEC <= n; i += TH_VEC) {
    th_vec v = th_vec_min(th_vec_max(th_vec_load(in + i) / scale, th_vec_all(lo)), th_vec_all(hi));
    th_vec_store(out + i, scale * th_vec_round(v));
  }
  for (; i < n; i++) out[i] = scale * th_round(th_grid_clamp(in[i] / scale, lo, hi));
}

/* --- rate --- */

static void count_levels(th_grid *g, const float *in) {
  th_rate_count count = {0};
  for (int64_t i = 0; i < span_count(g); i++) {
    const span s = span_get(g, i);
    th_rate_add(&g->rate, in + s.at, s.n, g->scale[s.channel], &count);
  }
  th_rate_settle(&g->rate, &count, g->n);
}

static void project_with_rate(const th_grid *g, const float *in, float *out) {
  for (int64_t i = 0; i < span_count(g); i++) {
    const span s = span_get(g, i);
    const float scale = g->scale[s.channel];
    for (int64_t k = s.at; k < s.at + s.n; k++) out[k] = scale * th_rate_level(&g->rate, in[k] / scale);
  }
}

static void grid_project(th_constraint *c, const float *in, float *out, int64_t n) {
  const th_grid *g = (const th_grid *)c;
  (void)n;
  if (g->o.rate > 0.0f) {
    project_with_rate(g, in, out);
    return;
  }
  for (int64_t i = 0; i < span_count(g); i++) {
    span s = span_get(g, i);
    project_span(in + s.at, out + s.at, s.n, g->scale[s.channel], (float)th_grid_lo(g), (float)th_grid_hi(g));
  }
}

/* Lets the gradient through inside the range; returns sum dout * (q - v inside, q outside). */
static float backward_span(const float *in, const float *d_out, float *d_in, int64_t n, float scale, float lo,
                           float hi) {
  th_vec sums = th_vec_all(0.0f);
  float sum = 0.0f, below = lo * EDGE, above = hi * EDGE;
  int64_t i = 0;
  for (; i + TH_VEC <= n; i += TH_VEC) {
    th_vec d = th_vec_load(d_out + i), v = th_vec_load(in + i) / scale, zero = th_vec_all(0.0f);
    th_ivec inside = (v <= above) & (v >= below);
    th_vec at = th_vec_min(th_vec_max(v, th_vec_all(lo)), th_vec_all(hi));
    sums += d * (th_vec_round(at) - th_vec_select(inside, v, zero));
    th_vec_store(d_in + i, th_vec_select(inside, d, zero));
  }
  for (; i < n; i++) {
    float v = in[i] / scale;
    bool inside = v <= above && v >= below;
    sum += d_out[i] * (th_round(th_grid_clamp(v, lo, hi)) - (inside ? v : 0.0f));
    d_in[i] = inside ? d_out[i] : 0.0f;
  }
  return sum + th_vec_sum(sums);
}

static void grid_backward(th_constraint *c, const float *in, const float *d_out, float *d_in, int64_t n) {
  th_grid *g = (th_grid *)c;
  float lo = (float)th_grid_lo(g), hi = (float)th_grid_hi(g), normal = 1.0f / sqrtf((float)(n / g->channels) * hi);
  for (int ch = 0; ch < g->channels; ch++) g->d_scale[ch] = 0.0f;
  for (int64_t i = 0; i < span_count(g); i++) {
    span s = span_get(g, i);
    g->d_scale[s.channel] += backward_span(in + s.at, d_out + s.at, d_in + s.at, s.n, g->scale[s.channel], lo, hi);
  }
  for (int ch = 0; ch < g->channels; ch++) g->d_scale[ch] *= normal;
}

static void observe_weights(th_grid *g, const float *in) {
  for (int ch = 0; ch < g->channels; ch++) g->scale[ch] = 0.0f;
  for (int64_t i = 0; i < span_count(g); i++) {
    span s = span_get(g, i);
    float most = g->scale[s.channel];
    for (int64_t k = s.at; k < s.at + s.n; k++) most = fabsf(in[k]) > most ? fabsf(in[k]) : most;
    g->scale[s.channel] = most;
  }
  for (int ch = 0; ch < g->channels; ch++) {
    float scale = g->scale[ch] / (float)th_grid_hi(g);
    g->scale[ch] = scale > TH_GRID_SMALLEST ? scale : TH_GRID_SMALLEST;
  }
}

static void add_errors(const th_grid *g, const float *in, const float *largest, float part, double *error) {
  float lo = (float)th_grid_lo(g), hi = (float)th_grid_hi(g);
  for (int64_t i = 0; i < span_count(g); i++) {
    span s = span_get(g, i);
    float scale = largest[s.channel] * part;
    for (int64_t k = s.at; k < s.at + s.n; k++) {
      double e = (double)(scale * th_round(th_grid_clamp(in[k] / scale, lo, hi)) - in[k]);
      error[s.channel] += e * e;
    }
  }
}

/* The scale of least squared error among fractions of the one that clips nothing. */
static th_status fit_scales(th_grid *g, const float *in) {
  observe_weights(g, in);
  double *error = th_alloc((size_t)g->channels * 2 * sizeof *error);
  float *largest = th_alloc((size_t)g->channels * sizeof *largest);
  if (error && largest) {
    double *best = error + g->channels;
    memcpy(largest, g->scale, (size_t)g->channels * sizeof *largest);
    for (int step = CLIP_STEPS; step >= CLIP_STEPS / 4; step--) {
      memset(error, 0, (size_t)g->channels * sizeof *error);
      add_errors(g, in, largest, (float)step / CLIP_STEPS, error);
      for (int ch = 0; ch < g->channels; ch++) {
        if (step < CLIP_STEPS && error[ch] >= best[ch]) continue;
        best[ch] = error[ch];
        g->scale[ch] = largest[ch] * ((float)step / CLIP_STEPS);
      }
    }
  }
  th_status status = error && largest ? TH_OK : TH_ERR_RESOURCE;
  th_free(error);
  th_free(largest);
  return status;
}

static void measure_units(th_grid *g, const float *in) {
  for (int ch = 0; ch < g->channels; ch++) g->unit[ch] = 0.0f;
  for (int64_t i = 0; i < span_count(g); i++) {
    span s = span_get(g, i);
    for (int64_t k = s.at; k < s.at + s.n; k++) g->unit[s.channel] += fabsf(in[k]);
  }
  for (int ch = 0; ch < g->channels; ch++) {
    float mean = g->unit[ch] / (float)(g->n / g->channels);
    g->unit[ch] = mean > 0.0f ? g->scale[ch] / mean : 0.0f;
  }
}

static th_status follow_range(th_grid *g, const float *in, const th_tick *t) {
  if (g->seen && t->progress >= (double)g->o.freeze_at) g->frozen = true;
  if (g->frozen || !g->o.symmetric) return TH_OK; /* activations are observed as they pass */
  if (g->o.range == TH_RANGE_OBSERVED) {
    observe_weights(g, in);
  } else if (!g->seen) {
    if (!g->begun) TH_TRY(fit_scales(g, in));
    measure_units(g, in);
  }
  g->seen = true;
  return TH_OK;
}

static th_status grid_tick(th_constraint *c, const float *in, int64_t n, const th_tick *t) {
  th_grid *g = (th_grid *)c;
  TH_TRY(follow_range(g, in, t));
  if (g->o.rate > 0.0f && t->step % COUNT_STEPS == 0) count_levels(g, in);
  return TH_OK;
}

static void grid_update(th_constraint *c, const th_optimizer *o) {
  th_grid *g = (th_grid *)c;
  if (g->o.range != TH_RANGE_LEARNED || g->frozen || !g->seen) return;
  if (!g->o.symmetric) {
    th_grid_update_range(g, o);
    return;
  }
  for (int ch = 0; ch < g->channels; ch++) {
    float s = g->scale[ch], most = 0.1f * s; /* no wild jump, and never through zero */
    float moved = s + th_grid_clamp(th_own_delta(o, &g->own[ch], g->d_scale[ch], g->unit[ch]), -most, most);
    g->scale[ch] = moved > TH_GRID_SMALLEST ? moved : TH_GRID_SMALLEST;
  }
}

/* --- the class --- */

static int grid_scales(const th_constraint *c, const float **scale, int *axis) {
  const th_grid *g = (const th_grid *)c;
  *scale = g->scale;
  *axis = g->channels > 1 ? g->o.channel_axis : -1;
  return g->channels;
}

int th_grid_scales(const th_constraint *c, const float **scale, const int32_t **zero) {
  const th_grid *g = (const th_grid *)c;
  *scale = g->scale;
  if (zero) *zero = g->o.symmetric ? NULL : &g->zero;
  return g->channels;
}

static void grid_save(const th_constraint *c, th_buf *b) {
  const th_grid *g = (const th_grid *)c;
  int owns = g->channels < 2 ? 2 : g->channels;
  th_buf_u8(b, g->seen);
  th_buf_u8(b, g->frozen);
  th_buf_f32(b, g->lo);
  th_buf_f32(b, g->hi);
  th_buf_append(b, g->scale, (size_t)g->channels * sizeof *g->scale);
  th_buf_append(b, g->unit, (size_t)g->channels * sizeof *g->unit);
  th_buf_append(b, g->own, (size_t)owns * sizeof *g->own);
  if (g->o.rate > 0.0f) th_buf_append(b, g->rate.cost, sizeof g->rate.cost);
}

static void take(th_reader *r, void *to, size_t bytes) {
  const uint8_t *from = th_reader_take(r, bytes);
  if (from) memcpy(to, from, bytes);
}

static th_status grid_load(th_constraint *c, th_reader *r) {
  th_grid *g = (th_grid *)c;
  int owns = g->channels < 2 ? 2 : g->channels;
  g->seen = th_reader_u8(r) != 0;
  g->frozen = th_reader_u8(r) != 0;
  g->lo = th_reader_f32(r);
  g->hi = th_reader_f32(r);
  take(r, g->scale, (size_t)g->channels * sizeof *g->scale);
  take(r, g->unit, (size_t)g->channels * sizeof *g->unit);
  take(r, g->own, (size_t)owns * sizeof *g->own);
  if (g->o.rate > 0.0f) take(r, g->rate.cost, sizeof g->rate.cost);
  if (!g->o.symmetric) th_grid_nudge(g);
  return th_reader_status(r);
}

static void grid_destroy(th_constraint *c) {
  th_grid *g = (th_grid *)c;
  th_free(g->scale);
  th_free(g->d_scale);
  th_free(g->unit);
  th_free(g->own);
  th_free(g);
}

const th_constraint_class th_constraint_grid = {.name = "grid",
                                                .project = grid_project,
                                                .backward = grid_backward,
                                                .update = grid_update,
                                                .tick = grid_tick,
                                                .finish = grid_project,
                                                .scales = grid_scales,
                                                .save = grid_save,
                                                .load = grid_load,
                                                .destroy = grid_destroy};

static th_status allocate(th_grid *g) {
  size_t n = (size_t)g->channels, owns = n < 2 ? 2 : n;
  g->scale = th_alloc(n * sizeof *g->scale);
  g->d_scale = th_alloc(n * sizeof *g->d_scale);
  g->unit = th_alloc(n * sizeof *g->unit);
  g->own = th_alloc(owns * sizeof *g->own);
  return g->scale && g->d_scale && g->unit && g->own ? TH_OK : TH_ERR_RESOURCE;
}

static th_status check(const th_grid_options *o, const float *w, int64_t n, const th_shape *shape) {
  if (o->bits < 2 || o->bits > 16) return th_fail(TH_ERR_USAGE, "grid: bits is %d, expected 2 to 16", o->bits);
  if (o->symmetric && (n < 1 || !shape || o->channel_axis >= shape->rank))
    return th_fail(TH_ERR_USAGE, "grid: channel axis is %d, the tensor has %d dimensions", o->channel_axis,
                   shape ? shape->rank : 0);
  if (o->rate > 0.0f && (!o->symmetric || o->bits > 8))
    return th_fail(TH_ERR_USAGE, "grid: a rate is for weights of at most 8 bits");
  if (!o->symmetric && (o->channel_axis >= 0 || w))
    return th_fail(TH_ERR_USAGE, "grid: an affine grid is for activations, without channels");
  return TH_OK;
}

th_status th_grid_create(const th_grid_options *o, const float *w, int64_t n, const th_shape *shape,
                         th_constraint **c) {
  *c = NULL;
  TH_TRY(check(o, w, n, shape));
  th_grid *g = th_alloc(sizeof *g);
  if (!g) return TH_ERR_RESOURCE;
  *g = (th_grid){.base = {&th_constraint_grid}, .o = *o, .n = n, .inner = 1, .channels = 1, .lo = o->lo, .hi = o->hi};
  if (o->symmetric && o->channel_axis >= 0) {
    g->channels = shape->dim[o->channel_axis];
    for (int i = o->channel_axis + 1; i < shape->rank; i++) g->inner *= shape->dim[i];
  }
  th_status status = allocate(g);
  if (status != TH_OK) {
    grid_destroy(&g->base);
    return status;
  }
  g->seen = !o->symmetric && o->hi > o->lo; /* a first range from calibration */
  if (o->bits <= 8) g->rate = (th_rate){.rate = o->rate, .lo = th_grid_lo(g), .hi = th_grid_hi(g)};
  g->begun = o->symmetric && o->begin;
  if (g->begun)
    memcpy(g->scale, o->begin, (size_t)g->channels * sizeof *g->scale);
  else if (o->symmetric && w)
    observe_weights(g, w);
  else
    th_grid_nudge(g);
  *c = &g->base;
  return TH_OK;
}
