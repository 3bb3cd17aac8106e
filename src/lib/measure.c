/* Accuracy on a split. See measure.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/measure.h"

#include <math.h>
#include <string.h>

#include "lib/data.h"

#define BATCH 256

static th_split_id split_of(th_split_name name) {
  return name == TH_ON_TEST ? TH_SPLIT_TEST : name == TH_ON_VALIDATION ? TH_SPLIT_VAL : TH_SPLIT_TRAIN;
}

static const char *split_text(th_split_name name) {
  return name == TH_ON_TEST ? "test" : name == TH_ON_VALIDATION ? "validation" : "training";
}

th_status th_measure_check(const th_model *m, const th_dataset *set, int *outputs) {
  if (th_model_inputs(m) != 1 || th_model_outputs(m) != 1)
    return th_fail(TH_ERR_INPUT, "%s: %d inputs and %d outputs; evaluation needs one of each", m->path,
                   th_model_inputs(m), th_model_outputs(m));
  th_port in = th_model_input(m, 0), out = th_model_output(m, 0);
  char shape[TH_SHAPE_TEXT];
  int64_t wanted = th_model_port_elems(&in), got = th_dataset_sample_elems(set);
  if (wanted != got)
    return th_fail(TH_ERR_INPUT, "%s: input %s has shape %s, samples of %s have %s", m->path, in.name, in.shape,
                   set->name, th_shape_text(&set->shape, shape));
  *outputs = (int)th_model_port_elems(&out);
  if (set->classes && *outputs < set->classes)
    return th_fail(TH_ERR_INPUT, "%s: %d outputs, %s has %d classes", m->path, *outputs, set->name, set->classes);
  return TH_OK;
}

int th_argmax(const float *v, int n) {
  int best = 0;
  for (int i = 1; i < n; i++)
    if (v[i] > v[best]) best = i;
  return best;
}

typedef struct tally {
  int64_t right;
  double squared;
  int64_t *confusion;
  int classes, outputs;
} tally;

static void count_batch(tally *t, int n, const float *y, const int32_t *label, const float *x, int elems) {
  for (int i = 0; i < n; i++) {
    if (t->classes) {
      int guess = th_argmax(y + (size_t)i * (size_t)t->outputs, t->outputs);
      t->right += guess == label[i];
      if (t->confusion && guess < t->classes) t->confusion[label[i] * t->classes + guess]++;
    } else {
      for (int k = 0; k < t->outputs && k < elems; k++) {
        double d = (double)(y[(size_t)i * (size_t)t->outputs + (size_t)k] - x[(size_t)i * (size_t)elems + (size_t)k]);
        t->squared += d * d;
      }
    }
  }
}

static th_status run_batches(th_model *m, const th_dataset *set, th_split_id split, int count, const th_context *ctx,
                             tally *t, th_arena *arena) {
  int elems = th_dataset_sample_elems(set);
  float *x = TH_ARRAY(arena, float, BATCH *elems), *y = TH_ARRAY(arena, float, BATCH * t->outputs);
  int32_t *which = TH_ARRAY(arena, int32_t, BATCH), *label = TH_ARRAY(arena, int32_t, BATCH);
  if (!x || !y || !which || !label) return TH_ERR_RESOURCE;
  double begin = th_clock_seconds();
  for (int at = 0; at < count; at += BATCH) {
    int n = count - at < BATCH ? count - at : BATCH;
    for (int i = 0; i < n; i++) which[i] = at + i;
    th_dataset_fetch(set, split, which, n, NULL, 0, 0, x, label);
    const float *in[] = {x};
    float *out[] = {y};
    TH_TRY(th_model_run_f32(m, n, in, out));
    count_batch(t, n, y, label, x, elems);
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

th_status th_measure_run(th_model *model, const th_data *data, th_split_name name, int limit, const th_context *ctx,
                         th_measure *measure) {
  TH_TRY(th_model_need_trained(model, "evaluation"));
  const th_dataset *set = data->set;
  th_split_id split = split_of(name);
  int count = set->split[split].count;
  if (limit > 0 && limit < count) count = limit;
  if (!count) return th_fail(TH_ERR_INPUT, "%s: the %s split is empty", set->name, split_text(name));
  tally t = {.classes = set->classes, .confusion = measure->confusion};
  TH_TRY(th_measure_check(model, set, &t.outputs));
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  th_status status = run_batches(model, set, split, count, ctx, &t, arena);
  th_arena_destroy(arena);
  measure->samples = count;
  measure->accuracy = set->classes ? (double)t.right / count : NAN;
  measure->mse = set->classes ? NAN : t.squared / ((double)count * t.outputs);
  return status;
}
