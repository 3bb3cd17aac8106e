/* Cholesky factor, triangular solves, nearest plane, coordinate descent. Written by hand because a lattice rounding
 * with bounds is in no linear algebra library that we link; sizes are a few hundred. See least_squares.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/least_squares.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"

#define DAMPING 0.01 /* of the mean diagonal, as GPTQ has it */
enum { MOST_SWEEPS = 20 };

/* --- the matrix --- */

typedef struct gram {
  const float *x;
  int64_t rows, n;
  double *h;
} gram;

/* Row i of the upper triangle. Sums over the rows of x in order, whatever the number of threads. */
static th_status gram_row(void *arg, int i, int thread) {
  const gram *g = arg;
  (void)thread;
  double *h = g->h + i * g->n;
  for (int64_t r = 0; r < g->rows; r++) {
    const float *x = g->x + r * g->n;
    const double xi = (double)x[i];
    if (xi == 0) continue;
    for (int64_t j = i; j < g->n; j++) h[j] += xi * (double)x[j];
  }
  return TH_OK;
}

static void finish(gram *g) {
  double trace = 0;
  for (int64_t i = 0; i < g->n; i++) {
    for (int64_t j = i; j < g->n; j++) g->h[j * g->n + i] = g->h[i * g->n + j] /= (double)g->rows;
    trace += g->h[i * g->n + i];
  }
  const double add = trace > 0 ? DAMPING * trace / (double)g->n : 1;
  for (int64_t i = 0; i < g->n; i++) g->h[i * g->n + i] += add;
}

/* u' u = h, row by row of u. h is positive definite: it was damped. */
static void factor(const th_squares *s) {
  const int64_t n = s->n;
  memcpy(s->u, s->h, (size_t)(n * n) * sizeof *s->u);
  for (int64_t i = 0; i < n; i++) {
    double *ui = s->u + i * n;
    memset(ui, 0, (size_t)i * sizeof *ui);
    const double root = sqrt(fmax(ui[i], 1e-300));
    for (int64_t j = i; j < n; j++) ui[j] /= root;
    for (int64_t k = i + 1; k < n; k++) {
      double *uk = s->u + k * n;
      for (int64_t j = k; j < n && ui[k] != 0; j++) uk[j] -= ui[k] * ui[j];
    }
  }
}

th_status th_squares_create(const float *x, int64_t rows, int64_t n, th_squares *s) {
  *s = (th_squares){.n = n};
  s->h = th_alloc((size_t)(n * n) * sizeof *s->h);
  s->u = th_alloc((size_t)(n * n) * sizeof *s->u);
  th_status status = s->h && s->u ? TH_OK : TH_ERR_RESOURCE;
  gram g = {x, rows, n, s->h};
  if (status == TH_OK) status = th_parallel_for((int)n, gram_row, &g);
  if (status == TH_OK) {
    finish(&g);
    factor(s);
  } else {
    th_squares_destroy(s);
  }
  return status;
}

void th_squares_destroy(th_squares *s) {
  th_free(s->h);
  th_free(s->u);
  *s = (th_squares){0};
}

void th_squares_solve(const th_squares *s, double *v) {
  const int64_t n = s->n;
  for (int64_t i = 0; i < n; i++) { /* u' y = v */
    const double *ui = s->u + i * n;
    v[i] /= ui[i];
    for (int64_t j = i + 1; j < n; j++) v[j] -= ui[j] * v[i];
  }
  for (int64_t i = n - 1; i >= 0; i--) { /* u x = y */
    const double *ui = s->u + i * n;
    for (int64_t j = i + 1; j < n; j++) v[i] -= ui[j] * v[j];
    v[i] /= ui[i];
  }
}

/* --- rounding --- */

static int level(double v, int lo, int hi) {
  const double r = round(v);
  return r < lo ? lo : r > hi ? hi : (int)r;
}

static bool is_zero(const th_levels *o, int64_t i) {
  return o->zero && o->zero[i];
}

/* From the last coordinate to the first: each takes what the later ones' errors leave to it. */
static void nearest_plane(const th_squares *s, const double *w, const th_levels *o, int *q, double *e) {
  for (int64_t i = s->n - 1; i >= 0; i--) {
    const double *ui = s->u + i * s->n;
    double carried = 0;
    for (int64_t j = i + 1; j < s->n; j++) carried += ui[j] * e[j];
    q[i] = is_zero(o, i) ? 0 : level((w[i] - carried / ui[i]) / o->step, o->lo, o->hi);
    e[i] = o->step * q[i] - w[i];
  }
}

/* One sweep; `g` = h e. Returns whether anything changed. */
static bool descend(const th_squares *s, const th_levels *o, int *q, double *g) {
  const double step = o->step;
  bool changed = false;
  for (int64_t i = 0; i < s->n; i++) {
    const double *hi_row = s->h + i * s->n;
    const int to = level(q[i] - g[i] / (hi_row[i] * step), o->lo, o->hi);
    const double d = step * (to - q[i]);
    if (to == q[i] || is_zero(o, i) || !(2 * d * g[i] + d * d * hi_row[i] < -1e-12 * hi_row[i] * step * step)) continue;
    q[i] = to;
    for (int64_t j = 0; j < s->n; j++) g[j] += d * hi_row[j];
    changed = true;
  }
  return changed;
}

void th_squares_round(const th_squares *s, const double *w, const th_levels *o, int *q, double *work) {
  double *e = work, *g = work + s->n;
  nearest_plane(s, w, o, q, e);
  for (int64_t i = 0; i < s->n; i++) {
    g[i] = 0;
    for (int64_t j = 0; j < s->n; j++) g[i] += s->h[i * s->n + j] * e[j];
  }
  for (int k = 0; k < MOST_SWEEPS && descend(s, o, q, g); k++) {
  }
}
