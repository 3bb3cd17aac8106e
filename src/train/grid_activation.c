/* Grids on activations: applied piece by piece, observed or learned ranges. See grid.c for the formulas.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "train/grid_state.h"
#include "train/vec.h"

#define OBSERVE_KEEP 0.98f /* of the moving average of activation ranges, per step */
#define SUM_BLOCK 1024

/* Scale and zero from lo and hi: zero moves to the nearest integer, so that 0.0 is exact. */
void th_grid_nudge(th_grid *g) {
  float span_of = (float)(th_grid_hi(g) - th_grid_lo(g));
  float lo = g->lo < 0.0f ? g->lo : 0.0f, hi = g->hi > 0.0f ? g->hi : 0.0f;
  float scale = (hi - lo) / span_of;
  g->scale[0] = scale > TH_GRID_SMALLEST ? scale : TH_GRID_SMALLEST;
  float zero = (float)th_grid_lo(g) - th_round(lo / g->scale[0]);
  g->zero = (int32_t)th_grid_clamp(zero, (float)th_grid_lo(g), (float)th_grid_hi(g));
}

th_grid_part th_grid_part_empty(void) {
  return (th_grid_part){.lo = INFINITY, .hi = -INFINITY};
}

static th_grid_part widened(th_grid_part p, float lo, float hi) {
  p.lo = lo < p.lo ? lo : p.lo;
  p.hi = hi > p.hi ? hi : p.hi;
  return p;
}

void th_grid_apply(const th_constraint *c, const float *in, float *out, int64_t n, th_grid_part *part) {
  const th_grid *g = (const th_grid *)c;
  float scale = g->scale[0], inverse = 1.0f / scale;
  float lo = (float)(th_grid_lo(g) - g->zero), hi = (float)(th_grid_hi(g) - g->zero);
  th_grid_part seen = th_grid_part_empty();
  th_vec least = th_vec_all(INFINITY), most = th_vec_all(-INFINITY);
  int64_t i = 0;
  for (; i + TH_VEC <= n; i += TH_VEC) {
    th_vec x = th_vec_load(in + i), v = th_vec_min(th_vec_max(x * inverse, th_vec_all(lo)), th_vec_all(hi));
    least = th_vec_min(x, least);
    most = th_vec_max(x, most);
    th_vec_store(out + i, scale * th_vec_round(v));
  }
  for (; i < n; i++) {
    seen = widened(seen, in[i], in[i]);
    out[i] = scale * th_round(th_grid_clamp(in[i] * inverse, lo, hi));
  }
  for (int k = 0; k < TH_VEC; k++) seen = widened(seen, least[k], most[k]);
  if (part) *part = widened(*part, seen.lo, seen.hi);
}

typedef struct range_gradient {
  float scale, lo, hi;
} range_gradient;

/* Few enough elements that float sums lose nothing that matters. */
static range_gradient backward_block(const float *in, float *d, int64_t n, float inverse, float lo, float hi) {
  th_vec scale = th_vec_all(0.0f), below = scale, above = scale, zero = scale;
  int64_t i = 0;
  for (; i + TH_VEC <= n; i += TH_VEC) {
    th_vec v = th_vec_load(in + i) * inverse, di = th_vec_load(d + i);
    th_ivec is_below = v<lo, is_above = v> hi, outside = is_below | is_above;
    below += th_vec_select(is_below, di, zero);
    above += th_vec_select(is_above, di, zero);
    di = th_vec_select(outside, zero, di);
    v = th_vec_select(outside, zero, v);
    scale += di * (th_vec_round(v) - v);
    th_vec_store(d + i, di);
  }
  range_gradient r = {th_vec_sum(scale), th_vec_sum(below), th_vec_sum(above)};
  for (; i < n; i++) {
    float v = in[i] * inverse;
    if (v < lo)
      r.lo += d[i];
    else if (v > hi)
      r.hi += d[i];
    else
      r.scale += d[i] * (th_round(v) - v);
    if (v < lo || v > hi) d[i] = 0.0f;
  }
  return r;
}

void th_grid_apply_backward(const th_constraint *c, const float *in, float *d, int64_t n, th_grid_part *part) {
  const th_grid *g = (const th_grid *)c;
  float inverse = 1.0f / g->scale[0];
  float lo = (float)(th_grid_lo(g) - g->zero), hi = (float)(th_grid_hi(g) - g->zero);
  for (int64_t at = 0; at < n; at += SUM_BLOCK) {
    int64_t count = n - at < SUM_BLOCK ? n - at : SUM_BLOCK;
    range_gradient r = backward_block(in + at, d + at, count, inverse, lo, hi);
    if (!part) continue;
    double per_level = (double)r.scale / (th_grid_hi(g) - th_grid_lo(g)); /* scale = (hi - lo) / levels */
    part->d_lo += (double)r.lo - per_level;
    part->d_hi += (double)r.hi + per_level;
  }
}

void th_grid_observe(th_constraint *c, th_grid_part *parts, int count) {
  th_grid *g = (th_grid *)c;
  th_grid_part all = th_grid_part_empty();
  for (int i = 0; i < count; i++) {
    all = widened(all, parts[i].lo, parts[i].hi);
    parts[i] = th_grid_part_empty();
  }
  if (all.lo > all.hi || g->frozen) return;
  bool first = !g->seen;
  g->seen = true;
  if (!first && g->o.range == TH_RANGE_LEARNED) return;
  float keep = first ? 0.0f : OBSERVE_KEEP;
  g->lo = keep * g->lo + (1.0f - keep) * all.lo;
  g->hi = keep * g->hi + (1.0f - keep) * all.hi;
  th_grid_nudge(g);
}

/* Under SGD an end of the range moves by levels^2 / sqrt(N Q) of its gradient, which is LSQ's move of the scale. */
void th_grid_learn(th_constraint *c, const th_grid_part *parts, int count, int64_t elems) {
  th_grid *g = (th_grid *)c;
  double d_lo = 0.0, d_hi = 0.0, levels = th_grid_hi(g) - th_grid_lo(g);
  for (int i = 0; i < count; i++) {
    d_lo += parts[i].d_lo;
    d_hi += parts[i].d_hi;
  }
  double normal = levels * levels / sqrt((double)elems * th_grid_hi(g));
  g->d_lo = d_lo * normal;
  g->d_hi = d_hi * normal;
}

void th_grid_update_range(th_grid *g, const th_optimizer *o) {
  float width = g->hi - g->lo;
  float move_lo = th_grid_clamp(th_own_delta(o, &g->own[0], (float)g->d_lo, width), -0.1f * width, 0.1f * width);
  float move_hi = th_grid_clamp(th_own_delta(o, &g->own[1], (float)g->d_hi, width), -0.1f * width, 0.1f * width);
  bool has_lo = g->lo < 0.0f; /* a range that begins at zero (after relu) keeps beginning there */
  g->lo = has_lo ? th_grid_clamp(g->lo + move_lo, -INFINITY, 0.0f) : g->lo;
  g->hi = th_grid_clamp(g->hi + move_hi, 0.0f, INFINITY);
  th_grid_nudge(g);
}
