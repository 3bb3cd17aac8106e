/* Pairs by size, and the two losses. See match.h. With raw maps q and t of lengths n and m, and c the cosine between
 * them, the loss of attention is 2 (1 - c), its derivative 2 / n * (c q / n - t / m) by q, and by an activation a times
 * 2 a more.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/match.h"

#include <math.h>

#define SMALLEST 1e-20 /* squared lengths: less is no map at all */

/* --- pairs --- */

/* The tensor that an activation may be matched at: a node's output that is not the answer, nor the same values again.
 */
static int candidate(const th_graph *g, int node) {
  const th_node *n = &g->nodes[node];
  if (n->dead || n->n_out != 1 || n->op == TH_OP_FLATTEN || n->op == TH_OP_RESHAPE || n->op == TH_OP_SOFTMAX) return -1;
  const int t = n->out[0], user = th_graph_only_user(g, t);
  const bool is_answer = user < 0 ? th_graph_uses(g, t) < 2 : g->nodes[user].op == TH_OP_SOFTMAX;
  return is_answer || g->tensors[t].dtype != TH_DTYPE_F32 ? -1 : t;
}

static bool has_map(const th_shape *s) {
  return s->rank == 4 && s->dim[1] * s->dim[2] > 1;
}

static bool same_size(th_match_kind kind, const th_shape *a, const th_shape *b) {
  if (kind == TH_MATCH_FEATURES) return th_shape_eq(a, b);
  return has_map(a) && has_map(b) && a->dim[1] == b->dim[1] && a->dim[2] == b->dim[2];
}

/* The last activation of the size of `like`, or -1. */
static int last_of_size(th_match_kind kind, const th_graph *g, const th_shape *like) {
  for (int i = g->n_nodes - 1; i >= 0; i--) {
    const int t = candidate(g, i);
    if (t >= 0 && same_size(kind, &g->tensors[t].shape, like)) return t;
  }
  return -1;
}

static void add_pair(th_match *m, const th_graph *student, const th_graph *teacher, int s, int t) {
  const th_shape *a = &student->tensors[s].shape, *b = &teacher->tensors[t].shape;
  th_match_pair p = {
      .student = s, .teacher = t, .channels = a->dim[a->rank - 1], .teacher_channels = b->dim[b->rank - 1]};
  p.positions = (int)(th_shape_elems(a) / p.channels);
  m->pair[m->n++] = p;
}

th_status th_match_find(th_match_kind kind, float weight, const th_graph *student, const th_graph *teacher,
                        th_match *match) {
  *match = (th_match){.kind = kind, .weight = weight};
  for (int i = student->n_nodes - 1; i >= 0 && match->n < TH_MOST_PAIRS; i--) {
    const int s = candidate(student, i);
    if (s < 0 || last_of_size(kind, student, &student->tensors[s].shape) != s) continue;
    const int t = last_of_size(kind, teacher, &student->tensors[s].shape);
    if (t >= 0) add_pair(match, student, teacher, s, t);
  }
  if (match->n) return TH_OK;
  return th_fail(TH_ERR_INPUT, "match: no layer of %s has the %s of a layer of its teacher %s", student->name,
                 kind == TH_MATCH_FEATURES ? "shape" : "height and width (more than one position)", teacher->name);
}

int th_match_of(const th_match *match, int student) {
  for (int i = 0; i < match->n; i++)
    if (match->pair[i].student == student) return i;
  return -1;
}

/* --- losses of one sample; `scale` is that of the gradient --- */

static double energy(const float *x, int channels) {
  double sum = 0;
  for (int c = 0; c < channels; c++) sum += (double)x[c] * (double)x[c];
  return sum;
}

static double attention(const th_match_pair *p, const float *x, const float *target, float *d, double scale) {
  double own = 0, other = 0, both = 0;
  for (int i = 0; i < p->positions; i++) {
    const double q = energy(x + i * p->channels, p->channels);
    const double t = energy(target + i * p->teacher_channels, p->teacher_channels);
    own += q * q;
    other += t * t;
    both += q * t;
  }
  if (own < SMALLEST || other < SMALLEST) return 0;
  const double n = sqrt(own), m = sqrt(other), cosine = both / (n * m);
  for (int i = 0; i < p->positions; i++) {
    const float *a = x + i * p->channels;
    const double q = energy(a, p->channels), t = energy(target + i * p->teacher_channels, p->teacher_channels);
    const double by_q = scale * 2 / n * (cosine * q / n - t / m);
    for (int c = 0; c < p->channels; c++) d[i * p->channels + c] += (float)(by_q * 2 * (double)a[c]);
  }
  return 2 * (1 - cosine);
}

static double features(const th_match_pair *p, const float *x, const float *target, float *d, double scale) {
  const int elems = p->positions * p->channels;
  const double size = energy(target, elems);
  double sum = 0;
  if (size < SMALLEST) return 0;
  for (int k = 0; k < elems; k++) {
    const double e = (double)x[k] - (double)target[k];
    sum += e * e;
    d[k] += (float)(scale * 2 * e / size);
  }
  return sum / size;
}

double th_match_eval(const th_match *match, int i, const float *x, float *d, int begin, int end, int batch) {
  const th_match_pair *p = &match->pair[i];
  const int64_t elems = (int64_t)p->positions * p->channels, others = (int64_t)p->positions * p->teacher_channels;
  const double weight = (double)match->weight, scale = weight / batch;
  double sum = 0;
  for (int64_t s = begin; s < end; s++) {
    const float *target = p->target + s * others;
    sum += match->kind == TH_MATCH_FEATURES ? features(p, x + s * elems, target, d + s * elems, scale)
                                            : attention(p, x + s * elems, target, d + s * elems, scale);
  }
  return weight * sum;
}
