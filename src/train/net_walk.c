/* Walking a net: forward and backward over a batch, lane by lane. See net.h for the terms.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/parallel.h"
#include "train/net.h"

typedef struct walk { /* one sweep over one batch */
  th_net *net;
  const th_net_sweep *sweep;
  const th_net_segment *segment;
  bool backward, training;
  int samples;
  uint64_t seed, step;
  const th_loss *loss;
  th_loss_sum sums[TH_NET_MAX_LANES];
} walk;

typedef struct range {
  int lane, slot; /* slot: number of the chunk in the batch */
  int begin, end;
} range;

static int split(int begin, int count, int i, int parts) {
  return begin + (int)((int64_t)count * i / parts);
}

/* A value as a whole-batch base, of which only [begin, end) may exist. */
static float *value_of(const th_net *net, int tensor, const range *r, bool seen) {
  const th_net_tensor *t = &net->tensors[tensor];
  if (t->passing) return net->lane_value[r->lane] - (int64_t)r->begin * t->elems;
  return seen ? t->seen : t->value;
}

static th_op_run bind(const walk *w, const th_net_step *s, const range *r) {
  const th_net *net = w->net;
  const th_node *n = &net->graph->nodes[s->node];
  th_op_run run = {.graph = net->graph,
                   .node = n,
                   .begin = r->begin,
                   .end = r->end,
                   .batch = w->samples,
                   .training = w->training,
                   .relu = s->relu,
                   .state = s->state,
                   .scratch = net->lane_scratch[r->lane],
                   .rng = th_rng_init(w->seed, w->step << 16 | (uint64_t)(s->node & 0xffff))};
  for (int k = 0; k < n->n_in; k++)
    if (n->in[k] >= 0) run.in[k] = value_of(net, n->in[k], r, true);
  for (int o = 0; o < n->n_out; o++) run.out[o] = value_of(net, n->out[o], r, false);
  return run;
}

/* Gradient of an activation as a whole-batch base, of which only [begin, end) may exist. */
static float *gradient_of(const th_net *net, int tensor, const range *r) {
  if (!net->tensors[tensor].wants_grad) return NULL;
  const th_net_tensor *root = &net->tensors[net->tensors[tensor].root];
  if (!root->grad_local) return root->grad;
  return net->lane_grad_block[r->lane] + root->grad_at - (int64_t)r->begin * root->elems;
}

static float *lane_gradient_of(const th_net *net, const th_param *p, int lane) {
  return lane == 0 ? net->gradient + p->at : net->lane_gradient[lane] + p->lane_at;
}

/* which: gradients of activations, of parameters kept per lane, of direct parameters. */
enum { WITH_ACTIVATIONS = 1, WITH_LANE_PARAMS = 2, WITH_DIRECT_PARAMS = 4 };

static th_op_run bind_backward(const walk *w, const th_net_step *s, const range *r, int which) {
  const th_net *net = w->net;
  th_op_run run = bind(w, s, r);
  for (int o = 0; o < run.node->n_out; o++) run.d_out[o] = gradient_of(net, run.node->out[o], r);
  for (int k = 0; k < run.node->n_in; k++) {
    int t = run.node->in[k];
    const th_param *p = t < 0 || net->tensors[t].param < 0 ? NULL : &net->params[net->tensors[t].param];
    if (p && p->direct && (which & WITH_DIRECT_PARAMS)) run.d_in[k] = net->gradient + p->at;
    if (p && !p->direct && (which & WITH_LANE_PARAMS)) run.d_in[k] = lane_gradient_of(net, p, r->lane);
    if (t >= 0 && !p && (which & WITH_ACTIVATIONS)) run.d_in[k] = gradient_of(net, t, r);
  }
  run.accumulate = s->accumulate;
  return run;
}

static void walk_grid(walk *w, const th_net_step *s, const range *r) {
  const th_net_tensor *t = &w->net->tensors[s->tensor];
  th_grid_part *part = w->training ? &w->net->grid_parts[t->grid_slot * w->net->lanes + r->lane] : NULL;
  int64_t at = r->begin * t->elems, n = (r->end - r->begin) * t->elems;
  if (!w->backward)
    th_grid_apply(t->grid, t->value + at, t->seen + at, n, part);
  else if (t->wants_grad)
    th_grid_apply_backward(t->grid, t->value + at, gradient_of(w->net, s->tensor, r) + at, n, part);
}

static void walk_step(walk *w, const th_net_step *s, const range *r) {
  switch (s->kind) {
    case TH_STEP_GRID:
      walk_grid(w, s, r);
      return;
    case TH_STEP_MATCH: {
      const int pair = w->loss->match ? th_match_of(w->loss->match, s->tensor) : -1;
      if (pair >= 0)
        w->sums[r->lane].loss += th_match_eval(w->loss->match, pair, w->net->tensors[s->tensor].seen,
                                               gradient_of(w->net, s->tensor, r), r->begin, r->end, w->samples);
      return;
    }
    case TH_STEP_LOSS:
      th_loss_eval(w->loss, th_net_logits(w->net), gradient_of(w->net, s->tensor, r), r->begin, r->end, w->samples,
                   &w->sums[r->lane]);
      return;
    case TH_STEP_GATHER: {
      int chunks = w->net->lanes * w->net->chunks_per_lane;
      if (!w->training) return;
      th_op_run run = w->backward ? bind_backward(w, s, r, 0) : bind(w, s, r);
      (w->backward ? s->op->backward_gather : s->op->gather)(&run, r->slot, chunks);
      return;
    }
    case TH_STEP_OUTPUTS: /* in no run */
      return;
    case TH_STEP_REMAKE: {
      th_op_run run = bind(w, s, r);
      s->op->forward(&run);
      return;
    }
    case TH_STEP_NODE: {
      /* A batch norm's parameters got their gradients when its sums were settled. */
      int which = WITH_ACTIVATIONS | (s->op->backward_settle ? 0 : WITH_LANE_PARAMS);
      th_op_run run = w->backward ? bind_backward(w, s, r, which) : bind(w, s, r);
      (w->backward ? s->op->backward : s->op->forward)(&run);
      return;
    }
  }
}

static void walk_run(walk *w, const th_net_run *run, range r) {
  if (r.begin == r.end) return;
  for (int i = run->first; i < run->last; i++) walk_step(w, &w->sweep->steps[i], &r);
}

static th_status walk_lane(void *arg, int lane, int thread) {
  walk *w = arg;
  (void)thread;
  int parts = w->net->chunks_per_lane;
  int begin = split(0, w->samples, lane, w->net->lanes), end = split(0, w->samples, lane + 1, w->net->lanes);
  for (int i = w->segment->first; i < w->segment->last; i++) {
    const th_net_run *run = &w->sweep->runs[i];
    if (run->wide) walk_run(w, run, (range){lane, lane * parts, begin, end});
    for (int k = 0; k < parts && !run->wide; k++) {
      /* There and back again: the last run's end is still in the cache. */
      int c = i & 1 ? parts - 1 - k : k;
      walk_run(w, run,
               (range){lane, lane * parts + c, split(begin, end - begin, c, parts),
                       split(begin, end - begin, c + 1, parts)});
    }
  }
  return TH_OK;
}

static void settle(walk *w) {
  if (w->segment->settle < 0 || !w->training) return;
  const th_net_step *s = &w->sweep->steps[w->segment->settle];
  range all = {0, 0, 0, w->samples};
  int chunks = w->net->lanes * w->net->chunks_per_lane;
  if (w->backward) {
    th_op_run run = bind_backward(w, s, &all, WITH_LANE_PARAMS);
    s->op->backward_settle(&run, chunks);
    return;
  }
  th_op_run run = bind(w, s, &all);
  for (int i = 0; i < 2; i++) run.running[i] = w->net->tensors[run.node->in[3 + i]].seen;
  s->op->settle(&run, chunks);
}

static th_status walk_outputs(void *arg, int slice, int thread) {
  walk *w = arg;
  const th_net_step *s = &w->sweep->steps[w->segment->outputs];
  (void)thread;
  th_op_run run = bind(w, s, &(range){slice, 0, 0, w->samples});
  s->op->forward_outputs(&run, slice, w->net->lanes);
  return TH_OK;
}

static th_status walk_weights(void *arg, int slice, int thread) {
  walk *w = arg;
  (void)thread;
  for (int i = w->segment->first; i < w->segment->last; i++)
    for (int k = w->sweep->runs[i].first; k < w->sweep->runs[i].last; k++) {
      const th_net_step *s = &w->sweep->steps[k];
      if (s->kind != TH_STEP_NODE || !s->op->backward_weights) continue;
      th_op_run run = bind_backward(w, s, &(range){slice, 0, 0, w->samples}, WITH_DIRECT_PARAMS);
      s->op->backward_weights(&run, slice, w->net->lanes);
    }
  return TH_OK;
}

static bool has_direct(const walk *w) {
  for (int i = w->segment->first; i < w->segment->last; i++)
    for (int k = w->sweep->runs[i].first; k < w->sweep->runs[i].last; k++)
      if (w->sweep->steps[k].kind == TH_STEP_NODE && w->sweep->steps[k].op->backward_weights) return true;
  return false;
}

static th_status walk_sweep(walk *w) {
  for (int i = 0; i < w->sweep->n_segments; i++) {
    w->segment = &w->sweep->segments[i];
    if (w->segment->first < w->segment->last) TH_TRY(th_parallel_for(w->net->lanes, walk_lane, w));
    settle(w);
    if (w->segment->outputs >= 0) TH_TRY(th_parallel_for(w->net->lanes, walk_outputs, w));
    if (w->backward && has_direct(w)) TH_TRY(th_parallel_for(w->net->lanes, walk_weights, w));
  }
  return TH_OK;
}

th_status th_net_forward(th_net *net, int samples, bool training, uint64_t seed, uint64_t step) {
  walk w = {.net = net, .sweep = &net->forward, .training = training, .samples = samples, .seed = seed, .step = step};
  TH_TRY(walk_sweep(&w));
  for (int i = 0; i < net->n_grids && training; i++)
    th_grid_observe(net->tensors[net->grids[i]].grid, net->grid_parts + i * net->lanes, net->lanes);
  return TH_OK;
}

static void clear_gradients(th_net *net) {
  for (int i = 0; i < net->n_params; i++) {
    const th_param *p = &net->params[i];
    for (int l = 0; l < net->lanes && !p->direct; l++)
      memset(lane_gradient_of(net, p, l), 0, (size_t)p->elems * sizeof(float));
  }
}

static void sum_lanes(th_net *net) {
  for (int i = 0; i < net->n_params; i++) {
    const th_param *p = &net->params[i];
    float *sum = net->gradient + p->at;
    for (int l = 1; l < net->lanes && !p->direct; l++) {
      const float *part = lane_gradient_of(net, p, l);
      for (int64_t k = 0; k < p->elems; k++) sum[k] += part[k];
    }
  }
}

th_status th_net_backward(th_net *net, const th_loss *loss, uint64_t seed, uint64_t step, th_loss_sum *sum) {
  walk w = {.net = net,
            .sweep = &net->backward,
            .backward = true,
            .training = true,
            .samples = net->batch,
            .seed = seed,
            .step = step,
            .loss = loss};
  clear_gradients(net);
  TH_TRY(walk_sweep(&w));
  sum_lanes(net);
  for (int l = 0; l < net->lanes; l++) {
    sum->loss += w.sums[l].loss;
    sum->right += w.sums[l].right;
  }
  for (int i = 0; i < net->n_grids; i++) {
    const th_net_tensor *t = &net->tensors[net->grids[i]];
    th_grid_learn(t->grid, net->grid_parts + i * net->lanes, net->lanes, t->elems);
  }
  return TH_OK;
}
