/* Scoring and choosing channels; pass/channels.c knows which belong together and removes them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/prune_channels.h"

#include <math.h>
#include <stdlib.h>

#include "op/op.h"
#include "pass/channels.h"
#include "pass/edit.h"

typedef struct candidate {
  int space, channel;
  double score;
} candidate;

static double mean_magnitude(const float *w, th_slices s, int64_t at) {
  double sum = 0;
  for (int64_t o = 0; o < s.outer; o++)
    for (int64_t i = 0; i < s.inner; i++) sum += fabs((double)w[(o * s.dim + at) * s.inner + i]);
  return sum / (double)(s.outer * s.inner);
}

/* |gamma| / sqrt(variance + epsilon) when a batch norm alone reads the layer's output, else 1. */
static double norm_factor(const th_graph *g, const th_node *n, int64_t c) {
  int user = th_graph_only_user(g, n->out[0]);
  if (user < 0 || g->nodes[user].op != TH_OP_BATCH_NORM) return 1;
  const th_node *bn = &g->nodes[user];
  const float *gamma = th_const_f32(g, bn->in[1]), *variance = th_const_f32(g, bn->in[4]);
  if (!gamma || !variance) return 1;
  return fabs((double)gamma[c]) / sqrt((double)variance[c] + (double)bn->attr[TH_ATTR_EPSILON].f);
}

/* Adds each producer's magnitudes, divided by their mean over its channels so that producers of one space weigh the
 * same. */
static void score_node(const th_graph *g, const th_node *n, const th_channels *c, double **score) {
  int space = c->map[n->out[0]].space;
  const float *w = th_const_f32(g, n->in[1]);
  if (space < 0 || !score[space] || !w) return;
  th_slices s = th_slices_of(&g->tensors[n->in[1]].shape, th_op_weight_axis(n->op));
  double mean = 0;
  for (int64_t i = 0; i < s.dim; i++) mean += mean_magnitude(w, s, i) * norm_factor(g, n, i) / (double)s.dim;
  if (mean == 0) return;
  for (int64_t i = 0; i < s.dim; i++)
    score[space][th_channel_at(c, n->out[0], i)] += mean_magnitude(w, s, i) * norm_factor(g, n, i) / mean;
}

static double **score_all(const th_graph *g, th_arena *arena, const th_channels *c) {
  double **score = TH_ARRAY(arena, double *, c->n_spaces + 1);
  for (int s = 0; score && s < c->n_spaces; s++)
    if (!c->frozen[s] && !th_channels_linked(c, s) && c->size[s] > 0 &&
        !(score[s] = TH_ARRAY(arena, double, c->size[s])))
      return NULL;
  for (int i = 0; score && i < g->n_nodes; i++)
    if (!g->nodes[i].dead && th_op_weight_input(g->nodes[i].op) == 1) score_node(g, &g->nodes[i], c, score);
  return score;
}

static int by_score(const void *a, const void *b) {
  const candidate *x = a, *y = b;
  if (x->score != y->score) return x->score < y->score ? -1 : 1;
  if (x->space != y->space) return x->space < y->space ? -1 : 1;
  return x->channel > y->channel ? -1 : 1; /* ties: the higher number goes first */
}

/* Marks the lowest `budget` of the candidates as gone, sparing one channel of each space. */
static int drop_lowest(candidate *list, int n, int budget, bool **keep, int *left) {
  int gone = 0;
  qsort(list, (size_t)n, sizeof *list, by_score);
  for (int i = 0; i < n && gone < budget; i++) {
    if (left[list[i].space] <= 1) continue;
    keep[list[i].space][list[i].channel] = false;
    left[list[i].space]--;
    gone++;
  }
  return gone;
}

static void normalize(double *score, int n) {
  double mean = 0;
  for (int i = 0; i < n; i++) mean += score[i] / n;
  for (int i = 0; i < n && mean > 0; i++) score[i] /= mean;
}

static th_status choose(th_arena *arena, const th_channels *c, double **score, const th_prune_channels_options *o,
                        bool **keep, int *gone) {
  int total = 0, n = 0;
  for (int s = 0; s < c->n_spaces; s++) total += score[s] ? c->size[s] : 0;
  candidate *list = TH_ARRAY(arena, candidate, total + 1);
  int *left = TH_ARRAY(arena, int, c->n_spaces + 1);
  if (!list || !left) return TH_ERR_RESOURCE;
  *gone = 0;
  for (int s = 0; s < c->n_spaces; s++) {
    if (!score[s]) continue;
    left[s] = c->size[s];
    if (!(keep[s] = TH_ARRAY(arena, bool, c->size[s]))) return TH_ERR_RESOURCE;
    normalize(score[s], c->size[s]);
    for (int i = 0; i < c->size[s]; i++) {
      keep[s][i] = true;
      list[n++] = (candidate){s, i, score[s][i]};
    }
    if (o->global) continue;
    *gone += drop_lowest(list, n, (int)lround((double)o->sparsity * n), keep, left);
    n = 0;
  }
  if (o->global) *gone = drop_lowest(list, n, (int)lround((double)o->sparsity * n), keep, left);
  return TH_OK;
}

/* A layer's channels are those of everything its output is joined with, so a residual partner is spared as well. */
static void freeze_skipped(const th_graph *g, const bool *skip, th_channels *c) {
  for (int i = 0; i < g->n_nodes; i++) {
    int space = !skip[i] || g->nodes[i].dead ? -1 : c->map[g->nodes[i].out[0]].space;
    if (space >= 0) c->frozen[space] = true;
  }
}

static th_status prune(th_graph *g, th_arena *arena, const th_prune_channels_options *o, int *gone) {
  th_channels c;
  TH_TRY(th_channels_find(g, arena, &c));
  if (o->skip) freeze_skipped(g, o->skip, &c);
  double **score = score_all(g, arena, &c);
  bool **keep = TH_ARRAY(arena, bool *, c.n_spaces + 1);
  if (!score || !keep) return TH_ERR_RESOURCE;
  TH_TRY(choose(arena, &c, score, o, keep, gone));
  return *gone ? th_channels_remove(g, &c, (const bool *const *)keep) : TH_OK;
}

th_status th_prune_channels(th_graph *g, const th_prune_channels_options *options, int *removed) {
  if (!(options->sparsity >= 0 && options->sparsity <= 1))
    return th_fail(TH_ERR_USAGE, "channel sparsity %g is not between 0 and 1", (double)options->sparsity);
  th_arena *scratch = th_arena_create();
  if (!scratch) return TH_ERR_RESOURCE;
  int gone = 0;
  th_status status = prune(g, scratch, options, &gone);
  th_arena_destroy(scratch);
  if (status == TH_OK) status = th_op_infer_all(g);
  if (removed) *removed = gone;
  return status;
}
