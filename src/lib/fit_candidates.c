/* Candidates: all combinations of the techniques' values, what each would take, what each would lose. See fit.h.
 *
 * Bytes are predicted by counting: channels and elements that stay, times the bits of a weight after coding; then a
 * few hundred of these are scaled by what sizing jobs say of their neighbours, and the best are sized themselves. The
 * drop is predicted as a sum over the techniques of (a factor) x (the drop of the whole network by that value without
 * training) x (the nats that the value takes away): untrained drops saturate, the second term does not. The factors
 * begin with a guess and are fitted to the first rung's trials by ridge regression (Hoerl & Kennard 1970).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fit.h"

/* --- all combinations --- */

static bool spares_any(const th_fit_search *s, int technique) {
  for (int i = 0; i < s->layers; i++)
    if (th_fit_spares(s, i, technique)) return true;
  return false;
}

static bool uses_what_spares(const th_fit_search *s, const th_candidate *c) {
  static const th_technique_id sparing[] = {TH_TECHNIQUE_channels, TH_TECHNIQUE_bits}; /* their stages name layers */
  for (size_t i = 0; i < sizeof sparing / sizeof *sparing; i++)
    if (c->level[sparing[i]] >= 0 && spares_any(s, sparing[i])) return true;
  return false;
}

static bool excludes(const th_candidate *c, int technique) {
  for (int t = 0; t < technique; t++)
    if (c->level[t] >= 0 && th_technique_of(t)->group == th_technique_of(technique)->group) return true;
  return false;
}

/* `c` with every choice for the techniques from `t` on; n counts when there is no room yet. */
static void combine(th_fit_search *s, th_candidate c, int t, th_candidate *room, int *n) {
  if (t == TH_TECHNIQUE_COUNT) {
    for (int spare = 0; spare <= uses_what_spares(s, &c); spare++) {
      c.spare = spare;
      if (room) room[*n] = c;
      ++*n;
    }
    return;
  }
  c.level[t] = -1;
  combine(s, c, t + 1, room, n);
  for (int i = 0; i < th_technique_values(t) && !excludes(&c, t); i++) {
    c.level[t] = i;
    combine(s, c, t + 1, room, n);
  }
}

static th_candidate plain(int untrained) {
  th_candidate c = {.untrained = untrained};
  for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) c.level[t] = -1;
  return c;
}

th_status th_fit_list_candidates(th_fit_search *s) {
  int trained = 0, n = 0;
  const bool is_float = th_graph_is_float(s->model->graph);
  const int untrained = is_float ? th_fit_untrained_rows() : 1;
  if (s->trains) combine(s, plain(-1), 0, NULL, &trained);
  s->candidate = TH_ARRAY(s->arena, th_candidate, untrained + trained);
  if (!s->candidate) return TH_ERR_RESOURCE;
  for (n = 0; n < untrained; n++) s->candidate[n] = plain(n);
  if (s->trains) combine(s, plain(-1), 0, s->candidate, &n);
  s->candidates = n;
  return TH_OK;
}

/* --- bytes --- */

static const char *value_of(const th_candidate *c, int technique, char word[16]) {
  return c->level[technique] < 0 ? NULL : th_technique_value(technique, c->level[technique], word);
}

static double keeps(const th_candidate *c, int technique) {
  char word[16];
  const char *value = value_of(c, technique, word);
  return value ? th_technique_keeps(technique, value) : 1;
}

/* Channels go from what a layer makes and from what it reads; the input of the first and the output of the last stay.
 */
static double weights_left(const th_fit_search *s, double channels) {
  double sum = 0;
  for (int i = 0; i < s->layers; i++) {
    const bool both = i > 0 && i < s->layers - 1 && !s->weights[i].is_depthwise;
    sum += (double)s->weights[i].elems * channels * (both ? channels : 1);
  }
  return sum;
}

/* Of a coded weight: where the zeros are, and what the others hold. */
static double bits_of_weight(double density, double kept) {
  const double zeros = 1 - density;
  const double where = zeros > 0 ? -(density * log2(density) + zeros * log2(zeros)) : 0;
  return where + density * fmin(8 * kept, 7) * 0.9;
}

static double counted_bytes(const th_fit_search *s, const th_candidate *c) {
  const double kept = keeps(c, TH_TECHNIQUE_clusters) * keeps(c, TH_TECHNIQUE_bits) * keeps(c, TH_TECHNIQUE_rate);
  return weights_left(s, keeps(c, TH_TECHNIQUE_channels)) * bits_of_weight(keeps(c, TH_TECHNIQUE_elements), kept) / 8;
}

/* --- sizing --- */

static void take_size(th_fit_search *s, th_candidate *c, const th_fit_job *job) {
  const th_fit_outcome *o = &job->outcome;
  c->tried |= o->error != NULL; /* this network cannot be treated so */
  c->sized = true;
  if (o->error || !o->builds) return;
  int best = 0;
  for (int i = 1; i < o->builds; i++) {
    const double a = th_fit_build_excess(s, &o->build[i]), b = th_fit_build_excess(s, &o->build[best]);
    if (a < b || (a == b && o->build[i].flash_bytes < o->build[best].flash_bytes)) best = i;
  }
  c->flash_bytes = o->build[best].flash_bytes;
  c->ram_bytes = o->build[best].ram_bytes;
  if (c->untrained) return; /* the first row is plain int8 */
  s->int8_bytes = o->build[best].bytes;
  s->int8_flash = o->build[best].flash_bytes;
}

static th_status size(th_fit_search *s, const int *which, int n) {
  th_fit_job *job = TH_ARRAY(s->arena, th_fit_job, n + 1), **jobs = TH_ARRAY(s->arena, th_fit_job *, n + 1);
  int done;
  if (!job || !jobs) return TH_ERR_RESOURCE;
  for (int i = 0; i < n; i++) {
    job[i] = (th_fit_job){.kind = TH_FIT_SIZE, .recipe = th_fit_recipe(s, &s->candidate[which[i]], 0)};
    if (!job[i].recipe) return TH_ERR_RESOURCE;
    jobs[i] = &job[i];
  }
  TH_TRY(th_fit_run_jobs(s, jobs, n, NULL, &done));
  for (int i = 0; i < n; i++)
    if (job[i].done) take_size(s, &s->candidate[which[i]], &job[i]);
  return TH_OK;
}

/* --- the predicted drop --- */

static double feature(const th_fit_search *s, const th_candidate *c, int technique) {
  char word[16];
  const char *value = value_of(c, technique, word);
  if (!value) return 0;
  const double drop = th_fit_probe_drop(s, -1, technique, value), kept = th_technique_keeps(technique, value);
  return fmax(isnan(drop) ? 100 : drop, 0.01) * -log(fmax(kept, 1e-3));
}

static double predicted_drop(const th_fit_search *s, const th_candidate *c) {
  double sum = 0;
  for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) sum += s->factor[t] * feature(s, c, t);
  return sum;
}

static void predict_drops(th_fit_search *s) {
  for (int i = 0; i < s->candidates; i++)
    if (s->candidate[i].untrained < 0) s->candidate[i].drop = predicted_drop(s, &s->candidate[i]);
}

/* (A + ridge) f = b by elimination; a handful of unknowns, and the ridge keeps the diagonal from zero. */
static void solve(int n, double a[TH_TECHNIQUE_COUNT][TH_TECHNIQUE_COUNT + 1], double *f) {
  for (int i = 0; i < n; i++)
    for (int k = i + 1; k < n; k++) {
      const double m = a[k][i] / a[i][i];
      for (int x = i; x <= n; x++) a[k][x] -= m * a[i][x];
    }
  for (int i = n - 1; i >= 0; i--) {
    f[i] = a[i][n];
    for (int k = i + 1; k < n; k++) f[i] -= a[i][k] * f[k];
    f[i] /= a[i][i];
  }
}

#define FIRST_DROP \
  2.0 /* points that a technique's strongest value is taken to cost after training, until it is known */
#define RIDGE 1.0

static double largest_feature(const th_fit_search *s, int technique) {
  th_candidate c = plain(-1);
  c.level[technique] = th_technique_values(technique) - 1;
  return feature(s, &c, technique);
}

/* In units of the strongest value, so that one ridge suits all. */
void th_fit_learn(th_fit_search *s) {
  double a[TH_TECHNIQUE_COUNT][TH_TECHNIQUE_COUNT + 1] = {{0}}, f[TH_TECHNIQUE_COUNT], unit[TH_TECHNIQUE_COUNT];
  for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) {
    unit[t] = largest_feature(s, t);
    a[t][t] = RIDGE;
    a[t][TH_TECHNIQUE_COUNT] = RIDGE * FIRST_DROP;
  }
  for (int i = 0; i < s->trials; i++) {
    const th_fit_trial *r = &s->trial[i];
    const th_candidate *c = &s->candidate[r->candidate];
    if (r->epochs != TH_FIT_FIRST_EPOCHS || c->untrained >= 0 || !r->job.done || isnan(r->drop)) continue;
    double x[TH_TECHNIQUE_COUNT];
    for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) x[t] = feature(s, c, t) / unit[t];
    for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) {
      for (int u = 0; u < TH_TECHNIQUE_COUNT; u++) a[t][u] += x[t] * x[u];
      a[t][TH_TECHNIQUE_COUNT] += x[t] * r->drop;
    }
  }
  solve(TH_TECHNIQUE_COUNT, a, f);
  for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) s->factor[t] = fmax(f[t], 0.02) / unit[t];
  predict_drops(s);
}

/* --- choosing --- */

/* Scouts: each value of the technique that decides about RAM, with the middle of those that decide about bytes. */
th_status th_fit_scout(th_fit_search *s) {
  int which[64], n = 0;
  for (int i = 0; i < s->candidates && n < 64; i++) {
    const th_candidate *c = &s->candidate[i];
    const bool middle = c->level[TH_TECHNIQUE_elements] == th_technique_values(TH_TECHNIQUE_elements) / 2 &&
                        c->level[TH_TECHNIQUE_bits] == 0 && !c->spare;
    if (c->untrained >= 0 ? c->untrained == 0 : middle) which[n++] = i;
  }
  return size(s, which, n);
}

#define NEAR 1.1 /* of the limit: a budget of bytes is not always used up */
enum { MIXED_ROWS = 4 };

/* Mixed bits when they come near the flash limit, a few of them; plain integers always. */
bool th_fit_untrained_helps(const th_fit_search *s, const th_candidate *c) {
  const double code = (double)(s->int8_flash - s->int8_bytes);
  int before = 0;
  for (int row = 0; row <= c->untrained; row++) {
    const double share = th_fit_untrained_share(row);
    if (share == 1 && row == c->untrained) return true;
    if (share == 1 || code + share * (double)s->int8_bytes > NEAR * (double)s->flash_limit) continue;
    if (row == c->untrained) return before < MIXED_ROWS;
    before++;
  }
  return false;
}

/* The sized candidate most like this one: the same channels, if there is one. */
static const th_candidate *neighbour(const th_fit_search *s, const th_candidate *c) {
  const th_candidate *best = NULL;
  int least = 1 << 30;
  for (int i = 0; i < s->candidates; i++) {
    const th_candidate *k = &s->candidate[i];
    if (!k->sized || !k->flash_bytes || k->untrained >= 0) continue;
    int distance =
        100 * abs(k->level[TH_TECHNIQUE_channels] - c->level[TH_TECHNIQUE_channels]) + (k->spare != c->spare);
    for (int t = 1; t < TH_TECHNIQUE_COUNT; t++) distance += abs(k->level[t] - c->level[t]);
    if (distance < least) least = distance, best = k;
  }
  return best;
}

/* Flash is code and weights: the neighbour's, with its weights scaled as the count says. */
static void predict_size(const th_fit_search *s, th_candidate *c) {
  const th_candidate *k = c->sized || c->untrained >= 0 ? NULL : neighbour(s, c);
  if (!k) return;
  const double mine = counted_bytes(s, c), its = counted_bytes(s, k);
  c->flash_bytes = k->flash_bytes + (int64_t)(mine - its);
  c->ram_bytes = k->ram_bytes;
}

static bool is_too_large(const th_fit_search *s, const th_candidate *c, double tolerance) {
  return (s->flash_limit && (double)c->flash_bytes > tolerance * (double)s->flash_limit) ||
         (s->ram_limit && (double)c->ram_bytes > tolerance * (double)s->ram_limit);
}

/* Steps between two candidates, over all techniques. */
static int distance(const th_candidate *a, const th_candidate *b) {
  int d = a->spare != b->spare;
  for (int t = 0; t < TH_TECHNIQUE_COUNT; t++) d += abs(a->level[t] - b->level[t]);
  return d;
}

static bool is_like_one(const th_fit_search *s, const th_candidate *c, const int *chosen, int n) {
  for (int i = 0; i < n; i++)
    if (distance(c, &s->candidate[chosen[i]]) < 2) return true;
  return false;
}

/* The one of least predicted drop that is small enough; when none is, the smallest: it makes the nearest miss. */
static int best_candidate(const th_fit_search *s, double tolerance, bool sized, const int *chosen, int n) {
  int best = -1, smallest = -1;
  for (int i = 0; i < s->candidates; i++) {
    const th_candidate *c = &s->candidate[i];
    if (c->untrained >= 0 || c->tried || (sized && !c->sized) || is_like_one(s, c, chosen, n)) continue;
    if (smallest < 0 || c->flash_bytes < s->candidate[smallest].flash_bytes) smallest = i;
    if (is_too_large(s, c, tolerance)) continue;
    if (best < 0 || c->drop < s->candidate[best].drop) best = i;
  }
  return best >= 0 || n > 0 ? best : smallest;
}

static int best_candidates(const th_fit_search *s, double tolerance, bool sized, int most, int *chosen) {
  int n = 0;
  for (int i; n < most && (i = best_candidate(s, tolerance, sized, chosen, n)) >= 0; n++) chosen[n] = i;
  return n;
}

#define SLACK 1.15 /* a count is that uncertain */
enum { SIZED_FOR_EACH = 3 };

th_status th_fit_next_candidates(th_fit_search *s, int n, int *chosen, int *count) {
  int wide[3 * SIZED_FOR_EACH * 8];
  const int most = SIZED_FOR_EACH * n < (int)(sizeof wide / sizeof *wide) ? SIZED_FOR_EACH * n : n;
  *count = 0;
  for (int i = 0; i < s->candidates; i++) predict_size(s, &s->candidate[i]);
  TH_TRY(size(s, wide, best_candidates(s, SLACK, false, most, wide)));
  *count = best_candidates(s, 1, true, n, chosen);
  for (int i = 0; i < *count; i++) s->candidate[chosen[i]].tried = true;
  return TH_OK;
}
