/* th_evaluate: accuracy and confusion of a model on a split. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "lib/data.h"
#include "lib/measure.h"
#include "report/result.h"
#include "report/table.h"

static void write_confusion(th_result *r, const int64_t *confusion, int classes) {
  th_json *rows = th_json_add_array(r->json, "confusion");
  for (int label = 0; label < classes; label++) {
    th_json *row = th_json_add_array(rows, NULL);
    for (int guess = 0; guess < classes; guess++) th_json_add_int(row, NULL, confusion[label * classes + guess]);
  }
  if (classes > 14) return; /* wider than a terminal: JSON has it */
  char columns[160] = "label \\ answer";
  size_t at = 14;
  for (int c = 0; c < classes; c++) at += (size_t)snprintf(columns + at, sizeof columns - at, "|%d", c);
  th_table *t = th_table_create(r->arena, columns);
  for (int label = 0; label < classes; label++) {
    th_table_cell(t, "%d", label);
    for (int guess = 0; guess < classes; guess++)
      th_table_cell(t, "%lld", (long long)confusion[label * classes + guess]);
  }
  th_buf_printf(&r->text, "\n");
  th_table_print(t, &r->text);
}

static void write_result(th_result *r, const th_model *m, const th_dataset *set, const th_measure *me,
                         th_split_name split) {
  static const char *const split_names[] = {"test", "validation", "training"};
  const char *arithmetic = th_model_arithmetic(m);
  if (set->classes)
    th_json_add_number(r->json, "accuracy", me->accuracy);
  else
    th_json_add_number(r->json, "mse", me->mse);
  th_json_add_int(r->json, "samples", me->samples);
  th_json_add_string(r->json, "arithmetic", arithmetic);
  th_json_add_string(r->json, "split", split_names[split]);
  if (set->classes)
    th_buf_printf(&r->text, "accuracy %.2f %% (%lld of %d %s samples), %s arithmetic\n", 100 * me->accuracy,
                  llround(me->accuracy * me->samples), me->samples, split_names[split], arithmetic);
  else
    th_buf_printf(&r->text, "mean squared error %.6g on %d %s samples, %s arithmetic\n", me->mse, me->samples,
                  split_names[split], arithmetic);
}

th_status th_evaluate(th_model *model, const th_data *data, th_split_name split, int limit, const th_context *ctx,
                      th_result **result) {
  th_result *r;
  TH_TRY(th_result_create(&r));
  int classes = data->set->classes;
  th_measure me = {0};
  if (classes) me.confusion = TH_ARRAY(r->arena, int64_t, classes * classes);
  th_status status = classes && !me.confusion ? TH_ERR_RESOURCE : th_measure_run(model, data, split, limit, ctx, &me);
  if (status == TH_OK) {
    write_result(r, model, data->set, &me, split);
    if (classes) write_confusion(r, me.confusion, classes);
    status = th_result_finish(r);
  }
  return th_result_give(status, r, result);
}
