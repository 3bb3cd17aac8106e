/* Gradients of single samples, by the trainer's own net, with answers drawn from its outputs. See fisher.h.
 *
 * A sample's gradient of a fully connected layer is an outer product, and the square of that the product of squares: a
 * network of such layers alone takes a whole batch at once. Any other takes one sample after the other.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/fisher.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "train/net.h"

#define STREAM_ANSWERS 0x616e7377ull
#define MOST_ANSWERS 4096
#define BATCH 64

typedef struct probe {
  th_net *net;
  th_rng rng;
  th_loss loss;
  int32_t labels[BATCH];
  float *target;  /* drawn answers of a network without softmax */
  float *squares; /* of inputs and gradients of a layer, a batch of each; NULL: samples come one by one */
  float *const *fisher;
  float part; /* of each sample */
} probe;

/* --- answers --- */

/* A class by its probability softmax(beta z). */
static int32_t draw_class(probe *p, const float *z) {
  const int n = p->loss.outputs;
  double sum = 0, most = (double)z[0], weight[MOST_ANSWERS];
  for (int k = 1; k < n; k++) most = fmax(most, (double)z[k]);
  for (int k = 0; k < n; k++) sum += weight[k] = th_real_exp((double)p->loss.beta * ((double)z[k] - most));
  double left = (double)th_rng_uniform(&p->rng) * sum;
  int k = 0;
  while (k < n - 1 && left >= weight[k]) left -= weight[k++];
  return k;
}

static void draw_answer(probe *p, int sample) {
  const int n = p->loss.outputs;
  const float *z = th_net_logits(p->net) + (int64_t)sample * n;
  float *target = p->target + (int64_t)sample * n;
  if (p->loss.labels)
    p->labels[sample] = draw_class(p, z);
  else /* the loss is the mean of the squares: this makes its gradient that of a unit normal's logarithm */
    for (int k = 0; k < n; k++) target[k] = z[k] + 0.5f * (float)n * th_rng_normal(&p->rng);
}

/* --- squares --- */

static void add_squares(const th_net *net, float part, float *const *fisher) {
  for (int i = 0; i < net->n_params; i++) {
    const th_param *p = &net->params[i];
    float *restrict sum = fisher[p->tensor];
    const float *restrict d = net->gradient + p->at;
    for (int64_t k = 0; k < p->elems && sum; k++) sum[k] += part * d[k] * d[k];
  }
}

static void square(const float *x, float factor, int64_t n, float *y) {
  for (int64_t i = 0; i < n; i++) y[i] = factor * x[i] * x[i];
}

typedef struct layer { /* fully connected, whose weights are asked for */
  const th_net *net;
  th_op_run run;
} layer;

static th_status add_slice(void *arg, int slice, int thread) {
  const layer *l = arg;
  th_op_run run = l->run;
  (void)thread;
  run.scratch = l->net->lane_scratch[slice];
  th_op_get(run.node->op)->backward_weights(&run, slice, l->net->lanes);
  return TH_OK;
}

/* Backward left inputs and gradients of the whole batch where they are; the loss was a mean over `batch` samples. */
static th_status add_layer(probe *p, const th_node *n, int count) {
  const th_net *net = p->net;
  const th_net_tensor *in = &net->tensors[n->in[0]], *out = &net->tensors[n->out[0]];
  const float scale = (float)net->batch * (float)net->batch * p->part;
  float *x = p->squares, *dy = p->squares + in->elems * net->batch;
  layer l = {.net = net,
             .run = {.graph = net->graph, .node = n, .end = count, .batch = net->batch, .accumulate = 1u << 1}};
  square(in->seen, 1, in->elems * count, x);
  square(net->tensors[out->root].grad, scale, out->elems * count, dy);
  l.run.in[0] = x;
  l.run.out[0] = out->value;
  l.run.d_out[0] = dy;
  l.run.d_in[1] = p->fisher[n->in[1]];
  return th_parallel_for(net->lanes, add_slice, &l);
}

static th_status add_layers(probe *p, int count) {
  const th_graph *g = p->net->graph;
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (!n->dead && n->op == TH_OP_FULLY_CONNECTED && p->fisher[n->in[1]]) TH_TRY(add_layer(p, n, count));
  }
  return TH_OK;
}

/* --- samples --- */

static th_status probe_batch(probe *p, const th_dataset *data, const int32_t *which, int count, uint64_t step) {
  th_loss_sum sum = {0};
  th_dataset_fetch(data, TH_SPLIT_TRAIN, which, p->net->batch, NULL, 0, 0, th_net_input(p->net), NULL);
  TH_TRY(th_net_forward(p->net, p->net->batch, true, 0, step));
  for (int s = 0; s < p->net->batch; s++) draw_answer(p, s);
  TH_TRY(th_net_backward(p->net, &p->loss, 0, step, &sum));
  if (p->squares) return add_layers(p, count);
  add_squares(p->net, p->part, p->fisher);
  return TH_OK;
}

static th_status run(probe *p, const th_dataset *data, const th_fisher_options *o, int n) {
  const int count = data->split[TH_SPLIT_TRAIN].count, batch = p->net->batch;
  for (int i = 0; i < p->net->n_params; i++) {
    const th_param *q = &p->net->params[i];
    if (p->fisher[q->tensor]) memset(p->fisher[q->tensor], 0, (size_t)q->elems * sizeof(float));
  }
  for (int at = 0; at < n; at += batch) {
    int32_t which[BATCH];
    const int left = n - at < batch ? n - at : batch; /* the last batch is filled up; only these count */
    for (int i = 0; i < batch; i++) which[i] = (int32_t)((int64_t)((at + i) % n) * count / n);
    TH_TRY(probe_batch(p, data, which, left, (uint64_t)at));
    const th_progress progress = {.stage = "fisher",
                                  .done = at + left,
                                  .total = n,
                                  .unit = "samples",
                                  .loss = (double)NAN,
                                  .accuracy = (double)NAN,
                                  .end = at + left == n};
    if (!th_progress_report(o->ctx, &progress)) return th_fail(TH_ERR_INTERRUPTED, "interrupted");
  }
  return TH_OK;
}

/* --- all --- */

/* Whether the squares of all weights that are asked for are products of squares: each weight belongs to one fully
 * connected layer, whose activation at most stops a gradient, and nothing settles sums over the batch, after which
 * gradients do not stay. */
static bool is_product(const th_graph *g, float *const *fisher) {
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (n->dead) continue;
    if (th_op_get(n->op)->gather) return false;
    const int w = th_op_weight_input(n->op) < 0 ? -1 : n->in[th_op_weight_input(n->op)];
    if (w < 0 || !fisher[w]) continue;
    if (n->op != TH_OP_FULLY_CONNECTED || th_graph_only_user(g, w) != i || n->attr[TH_ATTR_ACTIVATION].i == TH_ACT_TANH)
      return false;
  }
  return true;
}

/* Room for the squares of the largest layer. */
static int64_t squares_elems(const th_graph *g) {
  int64_t most = 1;
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (n->dead || n->op != TH_OP_FULLY_CONNECTED) continue;
    const int64_t elems = th_shape_elems(&g->tensors[n->in[0]].shape) + th_shape_elems(&g->tensors[n->out[0]].shape);
    most = elems > most ? elems : most;
  }
  return most * BATCH;
}

static th_status allocate(probe *p, const th_graph *g, bool batches) {
  p->target = th_alloc((size_t)p->loss.outputs * BATCH * sizeof *p->target);
  if (batches) p->squares = th_alloc((size_t)squares_elems(g) * sizeof *p->squares);
  return p->target && (p->squares || !batches) ? TH_OK : TH_ERR_RESOURCE;
}

th_status th_fisher_run(const th_graph *g, const th_dataset *data, const th_fisher_options *o, float *const *fisher) {
  const int count = data->split[TH_SPLIT_TRAIN].count, n = o->samples < count ? o->samples : count;
  const bool batches = is_product(g, fisher);
  probe p = {.rng = th_rng_init(o->seed, STREAM_ANSWERS), .fisher = fisher, .part = 1.0f / (float)n};
  TH_TRY(th_net_create(g, o->constraints, !batches || n < 1 ? 1 : n < BATCH ? n : BATCH, true, &p.net));
  const int outputs = (int)p.net->tensors[p.net->logits].elems;
  p.loss = (th_loss){.outputs = outputs, .beta = p.net->beta / o->temperature, .temperature = 1};
  th_status status = allocate(&p, g, batches);
  p.loss.target = p.target;
  if (p.net->ends_in_softmax && outputs <= MOST_ANSWERS) p.loss.labels = p.labels;
  if (status == TH_OK) status = run(&p, data, o, n);
  th_free(p.target);
  th_free(p.squares);
  th_net_destroy(p.net);
  return status;
}
