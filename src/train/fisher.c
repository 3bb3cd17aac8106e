/* One sample at a time through the trainer's own net, with answers drawn from its outputs. See fisher.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/fisher.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "train/net.h"

#define STREAM_ANSWERS 0x616e7377ull
#define MOST_ANSWERS 4096

typedef struct probe {
  th_net *net;
  th_rng rng;
  th_loss loss;
  int32_t label;
  float *target; /* a drawn answer of a network without softmax */
} probe;

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

static void draw_answer(probe *p) {
  const float *z = th_net_logits(p->net);
  if (p->loss.labels)
    p->label = draw_class(p, z);
  else /* the loss is the mean of the squares: this makes its gradient that of a unit normal's logarithm */
    for (int k = 0; k < p->loss.outputs; k++)
      p->target[k] = z[k] + 0.5f * (float)p->loss.outputs * th_rng_normal(&p->rng);
}

static th_status probe_sample(probe *p, const th_dataset *data, int32_t which, uint64_t step) {
  th_loss_sum sum = {0};
  th_dataset_fetch(data, TH_SPLIT_TRAIN, &which, 1, NULL, 0, 0, th_net_input(p->net), NULL);
  TH_TRY(th_net_forward(p->net, 1, true, 0, step));
  draw_answer(p);
  return th_net_backward(p->net, &p->loss, 0, step, &sum);
}

static void add_squares(const th_net *net, float part, float *const *fisher) {
  for (int i = 0; i < net->n_params; i++) {
    const th_param *p = &net->params[i];
    float *sum = fisher[p->tensor];
    const float *d = net->gradient + p->at;
    for (int64_t k = 0; k < p->elems && sum; k++) sum[k] += part * d[k] * d[k];
  }
}

static th_status run(probe *p, const th_dataset *data, const th_fisher_options *o, float *const *fisher) {
  const int count = data->split[TH_SPLIT_TRAIN].count, n = o->samples < count ? o->samples : count;
  for (int i = 0; i < p->net->n_params; i++) {
    const th_param *q = &p->net->params[i];
    if (fisher[q->tensor]) memset(fisher[q->tensor], 0, (size_t)q->elems * sizeof(float));
  }
  for (int i = 0; i < n; i++) {
    TH_TRY(probe_sample(p, data, (int32_t)((int64_t)i * count / n), (uint64_t)i));
    add_squares(p->net, 1.0f / (float)n, fisher);
    const th_progress progress = {.stage = "fisher",
                                  .done = i + 1,
                                  .total = n,
                                  .unit = "samples",
                                  .loss = (double)NAN,
                                  .accuracy = (double)NAN,
                                  .end = i + 1 == n};
    if (!th_progress_report(o->ctx, &progress)) return th_fail(TH_ERR_INTERRUPTED, "interrupted");
  }
  return TH_OK;
}

th_status th_fisher_run(const th_graph *g, const th_dataset *data, const th_fisher_options *o, float *const *fisher) {
  probe p = {.rng = th_rng_init(o->seed, STREAM_ANSWERS)};
  TH_TRY(th_net_create(g, o->constraints, 1, true, &p.net));
  const int outputs = (int)p.net->tensors[p.net->logits].elems;
  const bool classes = p.net->ends_in_softmax && outputs <= MOST_ANSWERS;
  p.target = th_alloc((size_t)outputs * sizeof *p.target);
  p.loss = (th_loss){.outputs = outputs,
                     .labels = classes ? &p.label : NULL,
                     .target = p.target,
                     .beta = p.net->beta / o->temperature,
                     .temperature = 1};
  const th_status status = p.target ? run(&p, data, o, fisher) : TH_ERR_RESOURCE;
  th_free(p.target);
  th_net_destroy(p.net);
  return status;
}
