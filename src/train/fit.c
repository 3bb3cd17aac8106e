/* The fit: epochs of steps, the best epoch, the final weights. See train.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/fit.h"

#include <math.h>
#include <string.h>

#define MAX_LABELLED_OUTPUTS 4096  /* the loss works on the stack */
#define MOST_REMEMBERED (16 << 20) /* answers of the teacher, floats */

void th_train_defaults(th_train_options *options) {
  *options = (th_train_options){.stage = "train",
                                .epochs = 10,
                                .batch = 64,
                                .optimizer = TH_OPTIMIZER_SGD,
                                .lr = 0.05f,
                                .momentum = 0.9f,
                                .nesterov = true,
                                .weight_decay = 5e-4f,
                                .schedule = TH_SCHEDULE_COSINE,
                                .step_epochs = 10,
                                .step_factor = 0.1f,
                                .keep_best = true,
                                .seed = 1,
                                .temperature = 4.0f,
                                .alpha = 0.7f};
}

/* --- setting up --- */

static th_status check_options(const th_train_options *o) {
  if (o->epochs < 0 || o->batch < 1)
    return th_fail(TH_ERR_USAGE, "training: %d epochs of batch %d", o->epochs, o->batch);
  if (!(o->lr >= 0.0f) || !isfinite(o->lr)) return th_fail(TH_ERR_USAGE, "training: learning rate %g", (double)o->lr);
  if (o->teachers && !(o->temperature > 0.0f && o->alpha >= 0.0f && o->alpha <= 1.0f))
    return th_fail(TH_ERR_USAGE, "distillation: temperature %g, alpha %g, expected above 0 and 0 to 1",
                   (double)o->temperature, (double)o->alpha);
  if (!(o->ema >= 0.0f && o->ema < 1.0f))
    return th_fail(TH_ERR_USAGE, "training: ema %g, expected 0 to below 1", (double)o->ema);
  return TH_OK;
}

static th_status check_data(const th_fit *f) {
  const th_dataset *d = f->data;
  const th_graph *g = f->graph;
  int64_t want = th_shape_elems(&g->tensors[g->inputs[0]].shape), have = th_shape_elems(&d->shape);
  char a[TH_SHAPE_TEXT], b[TH_SHAPE_TEXT];
  if (want != have)
    return th_fail(TH_ERR_INPUT, "graph %s takes %s, data set %s has samples of %s", g->name,
                   th_shape_text(&g->tensors[g->inputs[0]].shape, a), d->name, th_shape_text(&d->shape, b));
  int64_t outputs = f->net->tensors[f->net->logits].elems;
  if (d->classes && outputs < d->classes) /* more outputs are fine: a class may be missing from the data */
    return th_fail(TH_ERR_INPUT, "graph %s has %lld outputs, data set %s has %d classes", g->name, (long long)outputs,
                   d->name, d->classes);
  if (outputs > MAX_LABELLED_OUTPUTS && d->classes)
    return th_fail(TH_ERR_INPUT, "graph %s has %lld outputs, expected at most %d", g->name, (long long)outputs,
                   MAX_LABELLED_OUTPUTS);
  if (d->target_elems && (f->net->ends_in_softmax || outputs != d->target_elems || f->o->teachers))
    return th_fail(TH_ERR_INPUT,
                   "graph %s has %lld outputs, data set %s has %d number(s) to predict: expected as many outputs, "
                   "without softmax or teacher",
                   g->name, (long long)outputs, d->name, d->target_elems);
  if (!d->classes && !d->target_elems && (f->net->ends_in_softmax || outputs != have || f->o->teachers))
    return th_fail(TH_ERR_INPUT, "data set %s has no labels: expected an autoencoder without softmax or teacher",
                   d->name);
  return TH_OK;
}

static void set_loss(th_fit *f) {
  f->loss = (th_loss){.outputs = (int)f->net->tensors[f->net->logits].elems,
                      .labels = f->data->classes ? f->labels : NULL,
                      .target = f->targets ? f->targets : th_net_input(f->net),
                      .smoothing = f->o->label_smoothing,
                      .beta = f->net->beta,
                      .temperature = f->o->temperature,
                      .alpha = f->o->alpha,
                      .match = f->o->match ? &f->match : NULL};
}

static th_status allocate(th_fit *f) {
  int64_t n = f->net->param_elems;
  int tensors = f->graph->n_tensors;
  f->m = TH_ARRAY(f->arena, float, n);
  f->v = th_optimizer_has_second_moment(f->o->optimizer) ? TH_ARRAY(f->arena, float, n) : NULL;
  f->ema = f->o->ema > 0.0f ? th_arena_copy(f->arena, f->net->shadow, (size_t)n * sizeof(float)) : NULL;
  f->shadows = TH_ARRAY(f->arena, float *, tensors);
  f->values = TH_ARRAY(f->arena, float *, tensors);
  f->dv = TH_ARRAY(f->arena, float *, tensors);
  f->order = TH_ARRAY(f->arena, int32_t, f->data->split[TH_SPLIT_TRAIN].count);
  int most = f->batch > 64 ? f->batch : 64;
  f->labels = TH_ARRAY(f->arena, int32_t, most);
  if (f->data->target_elems && !(f->targets = TH_ARRAY(f->arena, float, most * f->data->target_elems)))
    return TH_ERR_RESOURCE;
  bool all = f->m && f->shadows && f->values && f->dv && f->order && f->labels;
  if (!all || (f->o->ema > 0.0f && !f->ema) || (th_optimizer_has_second_moment(f->o->optimizer) && !f->v))
    return TH_ERR_RESOURCE;
  for (int i = 0; i < f->net->n_params; i++) {
    const th_param *p = &f->net->params[i];
    f->shadows[p->tensor] = f->net->shadow + p->at;
    f->values[p->tensor] = p->value;
    if (!f->o->constraints || !th_constraints_depth(f->o->constraints, p->tensor)) continue;
    if (!(f->dv[p->tensor] = TH_ARRAY(f->arena, float, p->elems))) return TH_ERR_RESOURCE;
  }
  return TH_OK;
}

th_status th_train_match(const th_train_options *o, const th_graph *student, th_match *match) {
  if (o->teachers != 1 || !th_teacher_is_float(o->teacher[0]))
    return th_fail(TH_ERR_INPUT, "match: needs one teacher, with float layers");
  return student ? th_match_find(o->match, o->match_weight, student, o->teacher[0], match) : TH_OK;
}

static th_status create_net(th_fit *f) {
  bool *kept = NULL;
  if (f->o->match) {
    TH_TRY(th_train_match(f->o, f->graph, &f->match));
    if (!(kept = TH_ARRAY(f->arena, bool, f->graph->n_tensors))) return TH_ERR_RESOURCE;
    for (int i = 0; i < f->match.n; i++) kept[f->match.pair[i].student] = true;
  }
  return th_net_create_keeping(f->graph, f->o->constraints, f->batch, true, kept, &f->net);
}

/* Samples that are not augmented are the same in each epoch, and so are the answers; what lies inside is not kept. */
static th_status open_teacher(th_fit *f, int samples) {
  const th_train_options *o = f->o;
  TH_TRY(th_teacher_create(o->teacher, o->teachers, f->net->tensors[f->net->input].elems, f->loss.outputs, f->batch,
                           f->loss.match, &f->teacher));
  const bool same = !o->augment && !o->match && (int64_t)samples * f->loss.outputs < MOST_REMEMBERED;
  return same && o->epochs > 1 ? th_teacher_remember(f->teacher, samples) : TH_OK;
}

static th_status set_up(th_fit *f) {
  const th_train_options *o = f->o;
  int count = f->data->split[TH_SPLIT_TRAIN].count;
  TH_TRY(check_options(o));
  if (count < 1) return th_fail(TH_ERR_INPUT, "data set %s has no training samples", f->data->name);
  f->batch = o->batch < count ? o->batch : count;
  TH_TRY(create_net(f));
  TH_TRY(check_data(f));
  TH_TRY(allocate(f));
  set_loss(f);
  if (o->teachers) TH_TRY(open_teacher(f, count));
  f->steps_per_epoch = count / f->batch;
  f->schedule = (th_schedule){.id = o->schedule,
                              .steps = f->steps_per_epoch * o->epochs,
                              .steps_per_epoch = f->steps_per_epoch,
                              .warmup = o->warmup,
                              .step_epochs = o->step_epochs,
                              .step_factor = o->step_factor};
  f->optimizer = th_optimizer_init(o->optimizer, o->momentum, o->nesterov, o->weight_decay);
  f->train_loss = f->last_accuracy = f->best_accuracy = f->best_loss = NAN;
  f->best_epoch = -1;
  return TH_OK;
}

/* --- epochs --- */

static bool report(const th_fit *f, bool end) {
  double seconds = th_clock_seconds() - f->began;
  long in_epoch = f->step - (long)f->epoch * f->steps_per_epoch;
  double seen = (double)in_epoch * f->batch;
  th_progress p = {.stage = f->o->stage,
                   .done = (double)f->step * f->batch,
                   .total = (double)f->schedule.steps * f->batch,
                   .unit = "samples",
                   .epoch = f->epoch + 1 < f->o->epochs ? f->epoch + 1 : f->o->epochs,
                   .epochs = f->o->epochs,
                   .loss = seen > 0 ? f->sum.loss / seen : f->train_loss,
                   .accuracy = f->last_accuracy,
                   .seconds = seconds,
                   .rate = seconds > 0 ? (double)(f->step - f->began_step) * f->batch / seconds : 0.0,
                   .end = end};
  return th_progress_report(f->o->ctx, &p);
}

static void swap_average(th_fit *f) {
  for (int64_t i = 0; i < f->net->param_elems && f->ema; i++) {
    float t = f->net->shadow[i];
    f->net->shadow[i] = f->ema[i];
    f->ema[i] = t;
  }
}

/* Better accuracy, or equal and lower loss; without labels lower loss. */
static bool is_better(const th_fit *f, double loss, double accuracy) {
  if (f->best_epoch < 0) return true;
  if (accuracy > f->best_accuracy) return true;
  return !(accuracy < f->best_accuracy) && loss < f->best_loss;
}

/* Measures what would be kept, which is the average of the weights when there is one. */
static th_status end_epoch(th_fit *f) {
  th_constraints *cs = f->o->constraints;
  double loss, accuracy;
  f->train_loss = f->sum.loss / ((double)f->steps_per_epoch * f->batch);
  f->sum = (th_loss_sum){0};
  swap_average(f);
  th_status status = cs ? th_constraints_project(cs, f->shadows, f->values) : TH_OK;
  if (status == TH_OK) status = th_fit_evaluate(f, TH_SPLIT_VAL, &loss, &accuracy);
  bool counts = f->o->keep_best && f->data->split[TH_SPLIT_VAL].count && (!cs || th_constraints_settled(cs));
  if (status == TH_OK && counts && is_better(f, loss, accuracy)) {
    f->best.size = 0;
    th_fit_save_kept(f, f->net->shadow, &f->best);
    status = th_buf_status(&f->best);
    f->best_epoch = f->epoch;
    f->best_loss = loss;
    f->best_accuracy = accuracy;
  }
  swap_average(f);
  TH_TRY(status);
  f->last_accuracy = accuracy;
  f->epoch++;
  return th_fit_write(f);
}

static th_status run_epochs(th_fit *f, bool *stopped) {
  while (f->epoch < f->o->epochs && !*stopped) {
    th_fit_shuffle(f);
    long end = (long)(f->epoch + 1) * f->steps_per_epoch;
    while (f->step < end) {
      TH_TRY(th_fit_step(f));
      if (f->step < end && !report(f, false)) {
        *stopped = true;
        return th_fit_write(f);
      }
    }
    TH_TRY(end_epoch(f));
    *stopped = !report(f, f->epoch == f->o->epochs) && f->epoch < f->o->epochs;
  }
  return TH_OK;
}

/* --- the end --- */

static th_status tick_once(th_fit *f) {
  th_tick t = {.progress = 1.0, .epoch_begins = true};
  return f->o->constraints ? th_constraints_tick(f->o->constraints, f->shadows, f->values, NULL, &t) : TH_OK;
}

/* The final values, where forward looks for them. */
static th_status settle_values(th_fit *f) {
  if (f->best.size)
    TH_TRY(th_fit_load_kept(f));
  else
    swap_average(f);
  for (int i = 0; i < f->net->n_params; i++) {
    const th_param *p = &f->net->params[i];
    if (f->dv[p->tensor]) th_constraints_finish(f->o->constraints, p->tensor, f->net->shadow + p->at, p->value);
  }
  return TH_OK;
}

static th_status write_graph(th_fit *f) {
  th_graph *g = f->graph;
  for (int i = 0; i < f->net->n_params; i++) {
    const th_param *p = &f->net->params[i];
    th_shape shape = g->tensors[p->tensor].shape;
    g->tensors[p->tensor].quant = (th_quant){0};
    TH_TRY(th_graph_set_data(g, p->tensor, TH_DTYPE_F32, &shape, p->value));
  }
  for (int i = 0; i < f->net->n_running; i++) {
    const th_running *r = &f->net->running[i];
    th_shape shape = g->tensors[r->tensor].shape;
    TH_TRY(th_graph_set_data(g, r->tensor, TH_DTYPE_F32, &shape, f->net->running_values + r->at));
  }
  return f->o->constraints ? th_constraints_attach(f->o->constraints, g) : TH_OK;
}

static th_status finish(th_fit *f, th_train_result *result) {
  double loss, accuracy;
  TH_TRY(settle_values(f));
  TH_TRY(th_fit_evaluate(f, TH_SPLIT_VAL, &loss, &accuracy));
  if (result)
    *result = (th_train_result){.epochs = f->epoch,
                                .train_loss = f->train_loss,
                                .val_loss = loss,
                                .val_accuracy = accuracy,
                                .best_epoch = f->best_epoch >= 0 ? f->best_epoch + 1 : f->epoch,
                                .seconds = th_clock_seconds() - f->began};
  return write_graph(f);
}

static th_status fit(th_fit *f, th_train_result *result) {
  bool found, stopped = false;
  f->began = th_clock_seconds();
  TH_TRY(set_up(f));
  TH_TRY(th_fit_resume(f, &found));
  f->began_step = f->step;
  if (!f->o->epochs) TH_TRY(tick_once(f));
  TH_TRY(run_epochs(f, &stopped));
  TH_TRY(finish(f, result));
  if (!stopped) return TH_OK;
  return th_fail(TH_ERR_INTERRUPTED, "%s interrupted in epoch %d of %d%s%s", f->o->stage ? f->o->stage : "training",
                 f->epoch + 1, f->o->epochs, f->o->checkpoint ? "; it can be resumed from " : "",
                 f->o->checkpoint ? f->o->checkpoint : "");
}

th_status th_train_run(th_graph *graph, const th_dataset *data, const th_train_options *options,
                       th_train_result *result) {
  th_fit f = {.arena = th_arena_create(), .graph = graph, .data = data, .o = options};
  if (!f.arena) return th_fail(TH_ERR_RESOURCE, "out of memory for training");
  th_status status = fit(&f, result);
  th_teacher_destroy(f.teacher);
  th_net_destroy(f.net);
  th_buf_free(&f.best);
  th_arena_destroy(f.arena);
  return status;
}
