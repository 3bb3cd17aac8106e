/* Where the gradients of activations live, and who adds to them.
 *
 * They live shortly: those born and consumed within one run take a lane's private block that stays in the cache; the
 * others are laid out for the whole batch, first fit over their life in runs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/net_plan.h"

typedef struct life { /* of one gradient: steps and runs of the backward sweep */
  int root, first_step, last_step, first_run, last_run;
  bool used, whole;
  int64_t size, at;
} life;

static void touch(const th_planner *p, life *lives, int tensor, int step, int run) {
  if (tensor < 0 || !p->net->tensors[tensor].wants_grad) return;
  life *l = &lives[p->net->tensors[tensor].root];
  if (!l->used) *l = (life){.first_step = step, .first_run = run, .used = true};
  l->root = p->net->tensors[tensor].root;
  l->last_step = step;
  l->last_run = run > l->last_run ? run : l->last_run;
}

static int segment_end(const th_net_sweep *s, int run) {
  for (int i = 0; i < s->n_segments; i++)
    if (run < s->segments[i].last) return s->segments[i].last - 1;
  return run;
}

static void touch_step(th_planner *p, life *lives, int step, int run) {
  th_net_sweep *s = &p->net->backward;
  const th_net_step *st = &s->steps[step];
  touch(p, lives, st->tensor, step, run);
  if (st->node < 0) return;
  const th_node *n = &p->g->nodes[st->node];
  for (int o = 0; o < n->n_out; o++) {
    touch(p, lives, n->out[o], step, run);
    life *l = &lives[p->net->tensors[n->out[o]].root];
    if (!st->op->backward_weights) continue; /* else read again at the end of the segment */
    l->whole = true;
    int end = segment_end(s, run);
    l->last_run = end > l->last_run ? end : l->last_run;
  }
  for (int k = 0; k < n->n_in && st->kind == TH_STEP_NODE; k++) touch(p, lives, n->in[k], step, run);
}

/* First fit: each in turn goes to the lowest place free during its life. Returns the size in all. */
static int64_t first_fit(life **items, int n, bool by_run) {
  int64_t peak = 0;
  for (int i = 0; i < n; i++) {
    life *a = items[i];
    bool moved = true;
    while (moved) {
      moved = false;
      for (int j = 0; j < i; j++) {
        const life *b = items[j];
        bool together = by_run ? a->first_run <= b->last_run && b->first_run <= a->last_run
                               : a->first_step <= b->last_step && b->first_step <= a->last_step;
        if (!together || a->at >= b->at + b->size || b->at >= a->at + a->size) continue;
        a->at = b->at + b->size;
        moved = true;
      }
    }
    peak = a->at + a->size > peak ? a->at + a->size : peak;
  }
  return peak;
}

static int64_t place_locals(th_planner *p, life *lives, life **items) {
  int64_t most = 0;
  for (int run = 0; run < p->net->backward.n_runs; run++) {
    int n = 0, samples = p->net->backward.runs[run].wide ? p->lane_max : p->chunk_max;
    for (int t = 0; t < p->g->n_tensors; t++) {
      if (!lives[t].used || lives[t].whole || lives[t].first_run != run) continue;
      lives[t].size = th_plan_aligned(p->net->tensors[t].elems * samples);
      items[n++] = &lives[t];
    }
    int64_t peak = first_fit(items, n, false);
    most = peak > most ? peak : most;
    for (int i = 0; i < n; i++) {
      p->net->tensors[items[i]->root].grad_local = true;
      p->net->tensors[items[i]->root].grad_at = items[i]->at;
    }
  }
  return most;
}

th_status th_plan_gradients(th_planner *p) {
  th_net *net = p->net;
  th_arena *scratch = net->arena;
  life *lives = TH_ARRAY(scratch, life, p->g->n_tensors);
  life **items = TH_ARRAY(scratch, life *, p->g->n_tensors);
  if (!lives || !items) return th_plan_no_memory();
  for (int run = 0; run < net->backward.n_runs; run++)
    for (int step = net->backward.runs[run].first; step < net->backward.runs[run].last; step++)
      touch_step(p, lives, step, run);
  int n = 0;
  for (int t = 0; t < p->g->n_tensors; t++) {
    lives[t].whole |= lives[t].first_run != lives[t].last_run;
    if (!lives[t].used || !lives[t].whole) continue;
    lives[t].size = th_plan_aligned(net->tensors[t].elems * net->batch);
    items[n++] = &lives[t];
  }
  float *block = th_plan_floats(p, first_fit(items, n, true));
  if (!block) return th_plan_no_memory();
  for (int i = 0; i < n; i++) net->tensors[items[i]->root].grad = block + items[i]->at;
  int64_t local = place_locals(p, lives, items);
  for (int l = 0; l < net->lanes; l++)
    if (!(net->lane_grad_block[l] = th_plan_floats(p, local))) return th_plan_no_memory();
  return TH_OK;
}

/* The first consumer in backward order sets a gradient, the others add to it. */
th_status th_plan_accumulation(th_planner *p) {
  th_net *net = p->net;
  bool *written = TH_ARRAY(net->arena, bool, p->g->n_tensors);
  if (!written) return th_plan_no_memory();
  written[net->tensors[net->logits].root] = true;
  for (int i = 0; i < net->backward.n_steps; i++) {
    th_net_step *s = &net->backward.steps[i];
    if (s->kind != TH_STEP_NODE) continue;
    const th_node *n = &p->g->nodes[s->node];
    for (int k = 0; k < n->n_in; k++) {
      if (n->in[k] < 0) continue;
      const th_net_tensor *in = &net->tensors[n->in[k]];
      int key = in->param >= 0 ? n->in[k] : in->root;
      bool in_place = !in->data && in->root == net->tensors[n->out[0]].root;
      if (in_place || (!in->wants_grad && !(in->param >= 0 && net->params[in->param].direct))) continue;
      if (written[key]) s->accumulate |= 1u << k;
      written[key] = true;
    }
  }
  return TH_OK;
}
