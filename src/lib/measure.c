/* Running a split through a model and counting. See measure.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/measure.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "lib/data.h"
#include "lib/layout.h"

#define BATCH 256
#define MOST_SCORES ((size_t)1 << 28)

static th_split_id split_of(th_split_name name) {
  return name == TH_ON_TEST ? TH_SPLIT_TEST : name == TH_ON_VALIDATION ? TH_SPLIT_VAL : TH_SPLIT_TRAIN;
}

static const char *split_text(th_split_name name) {
  return name == TH_ON_TEST ? "test" : name == TH_ON_VALIDATION ? "validation" : "training";
}

/* Integers without a scale are the model's own if its input has their type. */
static th_status adopt(const th_model *m, th_dataset *set, const th_port *in) {
  const char *type = th_dtype_name(set->store[0].dtype);
  if (!set->own) return TH_OK;
  if (!th_str_eq(in->dtype, type) || in->scale <= 0)
    return th_fail(TH_ERR_INPUT,
                   "%s: holds %s integers without scale=, which fit a model with %s input; input %s of %s is %s: give "
                   "scale= and zero= of the data",
                   set->name, type, type, in->name, m->path, in->dtype);
  th_dataset_adopt(set, in->scale, in->zero);
  return TH_OK;
}

/* Names the first sample that no output stands for. */
static th_status too_many_classes(const th_model *m, const th_dataset *set, int outputs) {
  for (int part = 1; part >= 0; part--)
    for (int i = 0; set->store[part].labels && i < set->store[part].count; i++)
      if (set->store[part].labels[i] >= outputs)
        return th_fail(TH_ERR_INPUT, "%s: %d outputs, %s has %d classes: %ssample %d (from 0) is of class %d", m->path,
                       outputs, set->name, set->classes, part ? "test " : "", i, set->store[part].labels[i]);
  return th_fail(TH_ERR_INPUT, "%s: %d outputs, %s has %d classes", m->path, outputs, set->name, set->classes);
}

th_status th_measure_check(const th_model *m, th_dataset *set, int *outputs) {
  if (th_model_inputs(m) != 1 || th_model_outputs(m) != 1)
    return th_fail(TH_ERR_INPUT, "%s: %d inputs and %d outputs; evaluation needs one of each", m->path,
                   th_model_inputs(m), th_model_outputs(m));
  th_port in = th_model_input(m, 0), out = th_model_output(m, 0);
  char shape[TH_SHAPE_TEXT];
  int64_t wanted = th_model_port_elems(&in), got = th_dataset_sample_elems(set);
  if (wanted != got)
    return th_fail(TH_ERR_INPUT, "%s: input %s has shape %s, samples of %s have %s", m->path, in.name, in.shape,
                   set->name, th_shape_text(&set->shape, shape));
  TH_TRY(th_layout_check(m, set));
  *outputs = (int)th_model_port_elems(&out);
  bool is_binary = *outputs == 1 && set->classes == 2;
  if (*outputs < set->classes && *outputs != got && !is_binary) return too_many_classes(m, set, *outputs);
  return adopt(m, set, &in);
}

typedef struct tally {
  const th_dataset *set;
  th_split_id split;
  th_measure *measure;
  int outputs, elems, width; /* width: scores per sample */
  int64_t right;
  double squared, absolute;
  float *score; /* AUC: count * width */
  int32_t *label;
} tally;

static double squared_error(const float *a, const float *b, int n, double *absolute) {
  double squared = 0;
  for (int k = 0; k < n; k++) {
    double e = (double)a[k] - (double)b[k];
    squared += e * e;
    *absolute += fabs(e);
  }
  return squared;
}

static void count_answer(tally *t, const float *y, int32_t label) {
  int guess = th_answer(y, t->outputs);
  t->right += guess == label;
  int classes = t->set->classes;
  if (t->measure->confusion) t->measure->confusion[label * (classes + 1) + (guess < classes ? guess : classes)]++;
}

/* Sample number `at` of the split. `x` is what the output is compared with: the input, or what is to be predicted. */
static void count_sample(tally *t, int at, const float *x, const float *y, int32_t label) {
  double unused = 0;
  switch (t->measure->metric) {
    case TH_METRIC_MSE:
      t->squared += squared_error(y, x, t->outputs, &t->absolute);
      break;
    case TH_METRIC_AUC:
      t->label[at] = label;
      if (th_is_autoencoder(t->set, t->outputs))
        t->score[at] = (float)(squared_error(y, x, t->outputs, &unused) / t->outputs);
      else
        memcpy(t->score + (size_t)at * (size_t)t->width, y, (size_t)t->width * sizeof *y);
      break;
    default:
      count_answer(t, y, label);
      break;
  }
}

static th_status run_batches(th_model *m, int count, const th_context *ctx, tally *t, th_arena *arena) {
  int per_sample = t->set->target_elems ? t->set->target_elems : t->elems;
  float *x = TH_ARRAY(arena, float, BATCH * t->elems), *y = TH_ARRAY(arena, float, BATCH * t->outputs);
  float *want = t->set->target_elems ? TH_ARRAY(arena, float, BATCH *per_sample) : x;
  int32_t *which = TH_ARRAY(arena, int32_t, BATCH), *label = TH_ARRAY(arena, int32_t, BATCH);
  if (!x || !y || !want || !which || !label) return TH_ERR_RESOURCE;
  double begin = th_clock_seconds();
  for (int at = 0; at < count; at += BATCH) {
    int n = count - at < BATCH ? count - at : BATCH;
    for (int i = 0; i < n; i++) which[i] = at + i;
    th_dataset_fetch(t->set, t->split, which, n, NULL, 0, 0, x, label);
    if (t->set->target_elems) th_dataset_fetch_targets(t->set, t->split, which, n, want);
    const float *in[] = {x};
    float *out[] = {y};
    TH_TRY(th_model_run_f32(m, n, in, out));
    for (int i = 0; i < n; i++)
      count_sample(t, at + i, want + (size_t)i * (size_t)per_sample, y + (size_t)i * (size_t)t->outputs, label[i]);
    double seconds = th_clock_seconds() - begin;
    th_progress p = {.stage = "eval",
                     .done = at + n,
                     .total = count,
                     .unit = "samples",
                     .loss = NAN,
                     .accuracy = NAN,
                     .seconds = seconds,
                     .rate = seconds > 0 ? (at + n) / seconds : 0,
                     .end = at + n == count};
    if (!th_progress_report(ctx, &p))
      return th_fail(TH_ERR_INTERRUPTED, "interrupted after %d of %d samples", at + n, count);
  }
  return TH_OK;
}

/* Mean score of each recording, in place; the number of recordings. */
static int merge_recordings(tally *t, int count) {
  int n = 0;
  for (int i = 0, end; i < count; i = end, n++) {
    double sum = 0;
    int32_t group = th_dataset_group(t->set, t->split, i);
    for (end = i; end < count && th_dataset_group(t->set, t->split, end) == group; end++) sum += (double)t->score[end];
    t->label[n] = t->label[i];
    t->score[n] = (float)(sum / (end - i));
  }
  return n;
}

/* One score: positives against the others. One per class: each class against the others, and the mean of those that
 * occur. */
static th_status finish_auc(tally *t, int count, th_arena *arena) {
  int classes = t->width == 1 ? 1 : t->set->classes, used = 0;
  int n = t->width == 1 ? merge_recordings(t, count) : count;
  float *column = TH_ARRAY(arena, float, n);
  uint8_t *is_positive = TH_ARRAY(arena, uint8_t, n);
  double sum = 0, auc;
  if (!column || !is_positive) return TH_ERR_RESOURCE;
  for (int c = 0; c < classes; c++) {
    if (classes == 2 && c != t->set->positive) continue;
    for (int i = 0; i < n; i++) {
      column[i] = t->score[(size_t)i * (size_t)t->width + (size_t)c];
      is_positive[i] = t->label[i] == (t->width == 1 ? t->set->positive : c);
    }
    TH_TRY(th_auc(arena, column, is_positive, n, &auc));
    if (!isnan(auc)) sum += auc, used++;
  }
  t->measure->auc = used ? sum / used : NAN;
  t->measure->recordings = n;
  return TH_OK;
}

static th_status prepare_auc(tally *t, int count, const char *path, th_arena *arena) {
  bool one_score = t->outputs == 1 || th_is_autoencoder(t->set, t->outputs);
  t->width = one_score ? 1 : t->outputs;
  if ((size_t)count > MOST_SCORES / (size_t)t->width)
    return th_fail(TH_ERR_RESOURCE, "%s: %d samples with %d scores each are too many for the AUC", path, count,
                   t->width);
  t->score = TH_ARRAY(arena, float, (size_t)count *(size_t)t->width);
  t->label = TH_ARRAY(arena, int32_t, count);
  return t->score && t->label ? TH_OK : TH_ERR_RESOURCE;
}

static th_status measure_into(th_model *model, tally *t, int count, const th_context *ctx, th_arena *arena) {
  th_measure *me = t->measure;
  if (me->metric == TH_METRIC_AUC) TH_TRY(prepare_auc(t, count, model->path, arena));
  TH_TRY(run_batches(model, count, ctx, t, arena));
  double values = (double)count * t->outputs;
  if (me->metric == TH_METRIC_AUC) TH_TRY(finish_auc(t, count, arena));
  if (me->metric == TH_METRIC_ACCURACY) me->accuracy = (double)t->right / count;
  if (me->metric == TH_METRIC_MSE) me->mse = t->squared / values, me->mae = t->absolute / values;
  return TH_OK;
}

th_status th_measure_run(th_model *model, const th_data *data, th_split_name name, int limit, const th_context *ctx,
                         th_measure *measure) {
  TH_TRY(th_model_need_trained(model, "evaluation"));
  th_dataset *set = data->set;
  tally t = {.set = set, .split = split_of(name), .measure = measure, .elems = th_dataset_sample_elems(set)};
  int count = set->split[t.split].count;
  if (limit > 0 && limit < count) count = limit;
  if (!count) return th_fail(TH_ERR_INPUT, "%s: the %s split is empty", set->name, split_text(name));
  TH_TRY(th_measure_check(model, set, &t.outputs));
  th_status status = th_metric_choose(set, t.outputs, measure->metric, &measure->metric);
  if (status != TH_OK) return th_fail_in(status, "%s", model->path);
  th_layout_tell_few(ctx, set, t.outputs);
  measure->samples = count;
  measure->accuracy = measure->mse = measure->mae = measure->auc = NAN;
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  status = measure_into(model, &t, count, ctx, arena);
  th_arena_destroy(arena);
  return status;
}
