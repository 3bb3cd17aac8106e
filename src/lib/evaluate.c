/* th_evaluate: accuracy with confusion, AUC or squared error of a model on a split. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "lib/data.h"
#include "lib/measure.h"
#include "report/result.h"
#include "report/table.h"

#define MOST_TABLE_CLASSES 14 /* a wider table than a terminal: JSON has it */

static void write_confusion(th_result *r, const int64_t *confusion, int classes) {
  th_json *rows = th_json_add_array(r->json, "confusion");
  int64_t others = 0;
  for (int label = 0; label < classes; label++) {
    const int64_t *answers = confusion + label * (classes + 1);
    th_json *row = th_json_add_array(rows, NULL);
    for (int guess = 0; guess < classes; guess++) th_json_add_int(row, NULL, answers[guess]);
    others += answers[classes];
  }
  if (others) th_json_add_int(r->json, "other_answers", others);
  if (classes > MOST_TABLE_CLASSES) return;
  char columns[160] = "label \\ answer";
  size_t at = 14;
  for (int c = 0; c < classes; c++) at += (size_t)snprintf(columns + at, sizeof columns - at, "|%d", c);
  if (others) snprintf(columns + at, sizeof columns - at, "|other");
  th_table *t = th_table_create(r->arena, columns);
  for (int label = 0; label < classes; label++) {
    th_table_cell(t, "%d", label);
    for (int guess = 0; guess < classes + (others > 0); guess++)
      th_table_cell(t, "%lld", (long long)confusion[label * (classes + 1) + guess]);
  }
  th_buf_printf(&r->text, "\n");
  th_table_print(t, &r->text);
}

static void fraction_cell(th_table *t, th_json *o, const char *key, int64_t part, int64_t whole) {
  if (whole) {
    th_json_add_number(o, key, (double)part / (double)whole);
    th_table_cell(t, "%.2f %%", 100 * (double)part / (double)whole);
  } else {
    th_table_cell(t, "-");
  }
}

/* Recall: how many of the class are found; precision: how many of those answers are right. */
static void write_classes(th_result *r, const th_dataset *set, const int64_t *confusion) {
  int classes = set->classes;
  th_json *array = th_json_add_array(r->json, "classes");
  th_table *t = th_table_create(r->arena, "class|<name|samples|recall|precision");
  for (int c = 0; c < classes; c++) {
    char buf[16];
    int64_t samples = 0, answers = 0, right = confusion[c * (classes + 1) + c];
    for (int i = 0; i <= classes; i++) samples += confusion[c * (classes + 1) + i];
    for (int i = 0; i < classes; i++) answers += confusion[i * (classes + 1) + c];
    th_json *o = th_json_add_object(array, NULL);
    th_json_add_string(o, "name", th_dataset_class_name(set, c, buf));
    th_json_add_int(o, "samples", samples);
    th_table_cell(t, "%d", c);
    th_table_cell(t, "%s", th_dataset_class_name(set, c, buf));
    th_table_cell(t, "%lld", (long long)samples);
    fraction_cell(t, o, "recall", right, samples);
    fraction_cell(t, o, "precision", right, answers);
  }
  th_buf_printf(&r->text, "\n");
  th_table_print(t, &r->text);
}

static void write_metric(th_result *r, const th_measure *me, const char *split, const char *arithmetic) {
  if (me->metric == TH_METRIC_ACCURACY) {
    th_json_add_number(r->json, "accuracy", me->accuracy);
    th_buf_printf(&r->text, "accuracy %.2f %% (%lld of %d %s samples), %s arithmetic\n", 100 * me->accuracy,
                  llround(me->accuracy * me->samples), me->samples, split, arithmetic);
  } else if (me->metric == TH_METRIC_AUC) {
    if (!isnan(me->auc)) th_json_add_number(r->json, "auc", me->auc);
    th_json_add_int(r->json, "recordings", me->recordings);
    th_buf_printf(&r->text, "AUC %.4f on %d scores of %d %s samples, %s arithmetic\n", me->auc, me->recordings,
                  me->samples, split, arithmetic);
  } else {
    th_json_add_number(r->json, "mse", me->mse);
    th_json_add_number(r->json, "mae", me->mae);
    th_buf_printf(&r->text, "mean squared error %.6g, mean absolute error %.6g on %d %s samples, %s arithmetic\n",
                  me->mse, me->mae, me->samples, split, arithmetic);
  }
}

static void write_result(th_result *r, const th_model *m, const th_measure *me, th_split_name split) {
  static const char *const split_names[] = {"test", "validation", "training"};
  const char *arithmetic = th_model_arithmetic(m);
  write_metric(r, me, split_names[split], arithmetic);
  th_json_add_int(r->json, "samples", me->samples);
  th_json_add_string(r->json, "arithmetic", arithmetic);
  th_json_add_string(r->json, "split", split_names[split]);
}

static th_status evaluate_into(th_model *model, const th_data *data, th_split_name split, int limit, th_metric metric,
                               const th_context *ctx, th_result *r) {
  int classes = data->set->classes;
  th_measure me = {.metric = metric};
  if (classes > 4096)
    return th_fail(TH_ERR_INPUT, "%s: %d classes, at most 4096 are supported", data->set->name, classes);
  if (classes && !(me.confusion = TH_ARRAY(r->arena, int64_t, classes * (classes + 1)))) return TH_ERR_RESOURCE;
  TH_TRY(th_measure_run(model, data, split, limit, ctx, &me));
  write_result(r, model, &me, split);
  if (me.metric == TH_METRIC_ACCURACY) {
    write_confusion(r, me.confusion, classes);
    write_classes(r, data->set, me.confusion);
  }
  return th_result_finish(r);
}

th_status th_evaluate(th_model *model, const th_data *data, th_split_name split, int limit, const char *metric,
                      const th_context *ctx, th_result **result) {
  th_result *r;
  th_metric wanted;
  TH_TRY(th_metric_parse(metric, &wanted));
  TH_TRY(th_result_create(&r));
  return th_result_give(evaluate_into(model, data, split, limit, wanted, ctx, r), r, result);
}
