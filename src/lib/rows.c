/* Stage rows. See rows.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/rows.h"

#include <math.h>

#include "base/str.h"
#include "lib/data.h"
#include "report/table.h"

/* What settings are chosen by, so that the test split is not. */
static th_status measure_validation(th_model *model, const th_data *data, const th_context *ctx, double *accuracy) {
  th_measure m = {0};
  *accuracy = (double)NAN;
  if (!data->set->split[TH_SPLIT_VAL].count) return TH_OK;
  TH_TRY(th_measure_run(model, data, TH_ON_VALIDATION, 0, ctx, &m));
  *accuracy = m.accuracy;
  return TH_OK;
}

const th_encode_options th_rows_coded = {.coders = TH_CODERS_ALL, .code_channels = true};

th_status th_rows_measure(th_stage_rows *rows, const char *name, th_model *model, const th_data *data,
                          const th_context *ctx) {
  th_footprint f;
  th_measure m = {0};
  double validation;
  TH_TRY(th_footprint_of(model->graph, rows->coders ? rows->coders : &th_packed_only, &f));
  if (!rows->spare_test) TH_TRY(th_measure_run(model, data, TH_ON_TEST, 0, ctx, &m));
  TH_TRY(measure_validation(model, data, ctx, &validation));
  if (rows->n == 0) rows->float_bytes = 4 * f.params;
  th_stage_row *r = &rows->row[rows->n++];
  *r = (th_stage_row){.name = name,
                      .bytes = f.bytes,
                      .params = f.params,
                      .macs = f.macs,
                      .tested = !rows->spare_test,
                      .accuracy = m.accuracy,
                      .validation = validation,
                      .mse = m.mse,
                      .change = rows->row[0].tested ? m.accuracy - rows->row[0].accuracy : (double)NAN,
                      .sparsity = f.sparsity};
  if (rows->n == 1) r->change = 0;
  if (th_str_eq(name, TH_ROW_FLOAT32)) r->bytes = rows->float_bytes;
  r->ratio = r->bytes ? (double)rows->float_bytes / (double)r->bytes : 0;
  r->bits_per_weight = f.weights ? (double)f.weight_bits / (double)f.weights : 0;
  return TH_OK;
}

void th_rows_repeat(th_stage_rows *rows, const char *name, int64_t bytes, double seconds) {
  th_stage_row r = rows->row[rows->n - 1];
  r.name = name;
  r.graph = NULL;
  r.bytes = bytes;
  r.ratio = (double)rows->float_bytes / (double)bytes;
  r.seconds = seconds;
  rows->row[rows->n++] = r;
}

#define MUCH_LOST 0.02 /* of accuracy: more than most users would give for bytes */

void th_rows_warn(const th_stage_rows *rows, const char *advice, const th_context *ctx) {
  const th_stage_row *last = &rows->row[rows->n - 1];
  if (last->change < -MUCH_LOST)
    th_log(ctx, TH_LOG_WARN, "accuracy fell by %.1f points: %s", -100 * last->change, advice);
}

static void write_accuracy(const th_stage_row *r, th_json *o) {
  if (r->tested && isnan(r->accuracy)) th_json_add_number(o, "mse", r->mse);
  if (r->tested && !isnan(r->accuracy)) th_json_add_number(o, "accuracy", r->accuracy);
  if (!isnan(r->validation)) th_json_add_number(o, "validation_accuracy", r->validation);
  if (r->tested && !isnan(r->accuracy) && !isnan(r->change)) th_json_add_number(o, "change", r->change);
}

static void write_row(const th_stage_row *r, th_json *o) {
  th_json_add_string(o, "name", r->name);
  if (r->graph) th_json_add_string(o, "graph", r->graph);
  th_json_add_int(o, "bytes", r->bytes);
  th_json_add_number(o, "ratio", r->ratio);
  write_accuracy(r, o);
  th_json_add_number(o, "sparsity", r->sparsity);
  th_json_add_number(o, "bits_per_weight", r->bits_per_weight);
  th_json_add_int(o, "params", r->params);
  th_json_add_int(o, "macs", r->macs);
  th_json_add_number(o, "seconds", r->seconds);
}

/* Where the split was not read, or has no labels: "-". */
static void print_share(double share, const char *format, th_table *t) {
  if (isnan(share))
    th_table_cell(t, "-");
  else
    th_table_cell(t, format, 100 * share);
}

static void print_accuracy(const th_stage_row *r, th_table *t) {
  const bool known = r->tested && !isnan(r->accuracy);
  if (r->tested && !known)
    th_table_cell(t, "mse %.5g", r->mse);
  else
    print_share(r->tested ? r->accuracy : (double)NAN, "%.2f %%", t);
  print_share(known ? r->change : (double)NAN, "%+.2f", t);
  print_share(r->validation, "%.2f %%", t);
}

static void print_row(const th_stage_row *r, th_table *t) {
  char bytes[32];
  th_table_cell(t, "%s", r->name);
  th_table_cell(t, "%s", th_thousands(bytes, r->bytes));
  th_table_cell(t, "%.1fx", r->ratio);
  print_accuracy(r, t);
  th_table_cell(t, "%.1f %%", 100 * r->sparsity);
  th_table_cell(t, "%.2f", r->bits_per_weight);
  th_table_cell(t, "%.1f", r->seconds);
}

void th_rows_write(const th_stage_rows *rows, th_result *result) {
  th_json *stages = th_json_add_array(result->json, "stages");
  th_table *t =
      th_table_create(result->arena, "<stage|bytes|ratio|accuracy|change|validation|zeros|bits/weight|seconds");
  for (int i = 0; i < rows->n; i++) {
    write_row(&rows->row[i], th_json_add_object(stages, NULL));
    print_row(&rows->row[i], t);
  }
  th_table_print(t, &result->text);
  th_buf_printf(&result->text,
                "bytes: float32 4 per parameter; float with zeros a bitmap and the rest; clustered its values coded; "
                "quantize integers in as few bits as they need; sweep and encode the whole model.thim, coded\n");
  th_json_add_int(result->json, "seed", (int64_t)rows->seed);
}

void th_rows_write_last(const th_stage_rows *rows, th_result *result) {
  if (rows->n) write_row(&rows->row[rows->n - 1], result->json);
}
