/* One training step, and evaluation of a split.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "train/fit.h"

#define FETCH_SAMPLES 8              /* per chunk of the parallel fetch */
#define STREAM_SHUFFLE 0x73687566ull /* "shuf", above the 32 bits of the epoch */
#define STREAM_AUGMENT 0x61756721ull

typedef struct fetch {
  const th_fit *f;
  th_split_id split;
  const int32_t *which;
  const th_augment *augment;
  int n;
} fetch;

static th_status fetch_chunk(void *arg, int chunk, int thread) {
  const fetch *j = arg;
  (void)thread;
  int begin = chunk * FETCH_SAMPLES, end = begin + FETCH_SAMPLES < j->n ? begin + FETCH_SAMPLES : j->n;
  int64_t elems = j->f->net->tensors[j->f->net->input].elems;
  th_dataset_fetch(j->f->data, j->split, j->which + begin, end - begin, j->augment, j->f->o->seed ^ STREAM_AUGMENT,
                   (uint32_t)j->f->epoch, th_net_input(j->f->net) + begin * elems,
                   j->f->loss.labels ? j->f->labels + begin : NULL);
  if (j->f->targets)
    th_dataset_fetch_targets(j->f->data, j->split, j->which + begin, end - begin,
                             j->f->targets + (size_t)begin * (size_t)j->f->data->target_elems);
  return TH_OK;
}

static th_status fetch_batch(th_fit *f, th_split_id split, const int32_t *which, int n, const th_augment *augment) {
  fetch j = {f, split, which, augment, n};
  return th_parallel_for((n + FETCH_SAMPLES - 1) / FETCH_SAMPLES, fetch_chunk, &j);
}

void th_fit_shuffle(th_fit *f) {
  int n = f->data->split[TH_SPLIT_TRAIN].count;
  for (int i = 0; i < n; i++) f->order[i] = i;
  th_rng rng = th_rng_init(f->o->seed, STREAM_SHUFFLE << 32 | (uint64_t)f->epoch);
  th_rng_shuffle(&rng, f->order, n);
}

/* --- update --- */

/* A lane's slice of every parameter, cut as backward_weights cuts it but for a part of a row: a thread moves what it
 * has just written. */
static th_status update_lane(void *arg, int lane, int thread) {
  th_fit *f = arg;
  const th_net *net = f->net;
  float rest = 1.0f - f->o->ema;
  (void)thread;
  for (const th_param *p = net->params; p < net->params + net->n_params; p++) {
    int64_t begin = p->elems * lane / net->lanes, n = p->elems * (lane + 1) / net->lanes - begin, at = p->at + begin;
    float *w = net->shadow + at;
    th_optimizer_update(&f->optimizer, p->is_weight, w, net->gradient + at, f->m + at, f->v ? f->v + at : NULL, n);
    for (int64_t i = 0; i < n && f->ema; i++) f->ema[at + i] += rest * (w[i] - f->ema[at + i]);
  }
  return TH_OK;
}

static th_status backward_constraints(void *arg, int i, int thread) {
  th_fit *f = arg;
  const th_param *p = &f->net->params[i];
  (void)thread;
  if (!f->dv[p->tensor]) return TH_OK;
  float *grad = f->net->gradient + p->at;
  memcpy(f->dv[p->tensor], grad, (size_t)p->elems * sizeof *grad);
  th_constraints_backward(f->o->constraints, p->tensor, f->net->shadow + p->at, grad);
  return TH_OK;
}

static th_status update_all(th_fit *f) {
  th_constraints *cs = f->o->constraints;
  if (cs) TH_TRY(th_parallel_for(f->net->n_params, backward_constraints, f));
  f->has_gradient = true;
  th_optimizer_step(&f->optimizer, (float)((double)f->o->lr * th_schedule_factor(&f->schedule, f->step)));
  TH_TRY(th_parallel_for(f->net->lanes, update_lane, f));
  if (cs) th_constraints_update(cs, &f->optimizer);
  return TH_OK;
}

static th_status tick(th_fit *f) {
  long in_epoch = f->step % f->steps_per_epoch, last = f->schedule.steps - 1;
  th_tick t = {.progress = last > 0 ? (double)f->step / (double)last : 1.0,
               .step = f->step,
               .epoch = f->epoch,
               .epoch_begins = in_epoch == 0};
  return th_constraints_tick(f->o->constraints, f->shadows, f->values, f->has_gradient ? f->dv : NULL, &t);
}

th_status th_fit_step(th_fit *f) {
  const int32_t *which = f->order + (f->step % f->steps_per_epoch) * f->batch;
  TH_TRY(fetch_batch(f, TH_SPLIT_TRAIN, which, f->batch, f->o->augment));
  if (f->teacher) TH_TRY(th_teacher_answer(f->teacher, which, th_net_input(f->net), f->batch, &f->loss.teacher));
  if (f->loss.match) th_teacher_aim(f->teacher, &f->match);
  if (f->o->constraints) TH_TRY(tick(f));
  uint64_t step = (uint64_t)f->step;
  double before = f->sum.loss;
  TH_TRY(th_net_forward(f->net, f->batch, true, f->o->seed, step));
  TH_TRY(th_net_backward(f->net, &f->loss, f->o->seed, step, &f->sum));
  if (!isfinite(f->sum.loss - before))
    return th_fail(TH_ERR_INPUT,
                   "%s: the loss is no longer a number in epoch %d; a lower learning rate than %g may help",
                   f->graph->name, f->epoch + 1, (double)f->o->lr);
  TH_TRY(update_all(f));
  f->step++;
  return TH_OK;
}

th_status th_fit_evaluate(th_fit *f, th_split_id split, double *loss, double *accuracy) {
  int n = f->data->split[split].count;
  th_loss plain = f->loss; /* what a user would measure: no smoothing, no teacher */
  plain.smoothing = 0.0f;
  plain.teacher = NULL;
  plain.match = NULL;
  th_loss_sum sum = {0};
  int32_t which[64];
  int most = f->batch < 64 ? f->batch : 64;
  for (int at = 0; at < n; at += most) {
    int count = n - at < most ? n - at : most;
    for (int i = 0; i < count; i++) which[i] = at + i;
    TH_TRY(fetch_batch(f, split, which, count, NULL));
    TH_TRY(th_net_forward(f->net, count, false, 0, 0));
    th_loss_eval(&plain, th_net_logits(f->net), NULL, 0, count, count, &sum);
  }
  *loss = n ? sum.loss / n : NAN;
  *accuracy = n && f->loss.labels ? (double)sum.right / n : NAN;
  return TH_OK;
}
