/* shrink --lossless: run, verify, write. See lossless.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "lib/compile.h"
#include "lib/lossless.h"
#include "lib/report.h"
#include "lib/stage_dir.h"
#include "report/result.h"
#include "report/table.h"
#include "write/csource.h"
#include "write/thim.h"

#define VERIFY_SAMPLES 100
#define LOSSLESS_FILE TH_STAGE_DIR "/01-lossless.thim"

typedef struct job {
  const th_model *original;
  const th_data *data;
  const th_shrink_options *options;
  const th_context *ctx;
  const char *dir;
  th_lossless run;
  th_model *before, *after; /* own copies: running needs an evaluator, and a const model has none */
  th_settings *compile;
  th_measure measure;
  int compared;
  int64_t bytes;
  th_beside tflite;
  uint64_t seed;
  th_result *result;
} job;

/* --- files --- */

static th_status path_in(const job *j, const char *name, const char **path) {
  *path = th_path_join(j->result->arena, j->dir, name);
  return *path ? TH_OK : TH_ERR_RESOURCE;
}

/* Nothing gets into the folder that has not been verified, nor anything before all that can fail on the model. */
static th_status make_outputs(job *j, th_buf *blob) {
  const th_program *program = j->run.deployed.program;
  TH_TRY(th_write_thim_program(program, program->arena, blob, NULL));
  TH_TRY(th_buf_status(blob));
  TH_TRY(th_lossless_verify(j->before, blob->data, blob->size, VERIFY_SAMPLES, j->seed, j->data, j->ctx, &j->compared));
  TH_TRY(th_beside_make(j->after, j->result->arena, &j->tflite));
  return j->data ? th_measure_run(j->after, j->data, TH_ON_TEST, 0, j->ctx, &j->measure) : TH_OK;
}

/* For the report: the network before and after. */
static th_status write_stages(const job *j) {
  const char *dir, *given, *lossless;
  TH_TRY(path_in(j, TH_STAGE_DIR, &dir));
  TH_TRY(path_in(j, TH_GIVEN_FILE, &given));
  TH_TRY(path_in(j, LOSSLESS_FILE, &lossless));
  TH_TRY(th_dir_create(dir));
  TH_TRY(th_model_save(j->original, given));
  return th_model_save(j->after, lossless);
}

static th_status write_outputs(job *j, const th_buf *blob) {
  const char *thim, *tflite, *firmware;
  th_json *outputs = th_json_add_object(j->result->json, "outputs");
  TH_TRY(path_in(j, "model.thim", &thim));
  TH_TRY(path_in(j, "model.tflite", &tflite));
  TH_TRY(path_in(j, "firmware", &firmware));
  TH_TRY(th_dir_create(j->dir));
  TH_TRY(th_csource_write_folder(j->run.deployed.program, th_settings_text(j->compile, "name"),
                                 th_settings_text(j->compile, "target"), firmware));
  TH_TRY(th_file_write(thim, blob->data, blob->size));
  TH_TRY(th_beside_write(&j->tflite, j->result->arena, tflite));
  TH_TRY(write_stages(j));
  j->bytes = (int64_t)blob->size;
  th_json_add_string(outputs, "model.thim", thim);
  if (!j->tflite.skipped) th_json_add_string(outputs, "model.tflite", tflite);
  th_json_add_string(outputs, "firmware", firmware);
  return TH_OK;
}

static th_status put_outputs(job *j) {
  th_buf blob = {0};
  th_status status = make_outputs(j, &blob);
  if (status == TH_OK) status = write_outputs(j, &blob);
  th_buf_free(&blob);
  return status;
}

/* --- the report --- */

static const char *graph_of_row(const job *j, int i) {
  if (i == 0) return TH_GIVEN_FILE;
  return i == j->run.n - 1 ? LOSSLESS_FILE : NULL;
}

static void write_row(const job *j, int i, th_json *stages, th_table *t) {
  char number[32];
  const th_lossless_row *r = &j->run.row[i];
  const th_footprint *f = &r->f;
  const double bits = f->weights ? (double)f->weight_bits / (double)f->weights : 0;
  const double ratio = f->bytes ? 4.0 * (double)j->run.row[0].f.params / (double)f->bytes : 0;
  th_json *o = th_json_add_object(stages, NULL);
  th_json_add_string(o, "name", r->name);
  if (graph_of_row(j, i)) th_json_add_string(o, "graph", graph_of_row(j, i));
  th_json_add_int(o, "bytes", f->bytes);
  th_json_add_number(o, "ratio", ratio);
  if (j->data) {
    if (isnan(j->measure.accuracy))
      th_json_add_number(o, "mse", j->measure.mse);
    else
      th_json_add_number(o, "accuracy", j->measure.accuracy);
  }
  th_json_add_number(o, "sparsity", f->sparsity);
  th_json_add_number(o, "bits_per_weight", bits);
  th_json_add_int(o, "params", f->params);
  th_json_add_int(o, "macs", f->macs);
  th_json_add_number(o, "seconds", r->seconds);
  th_table_cell(t, "%s", r->name);
  th_table_cell(t, "%s", th_thousands(number, f->bytes));
  th_table_cell(t, "%s", th_thousands(number, f->macs));
  th_table_cell(t, "%s", th_thousands(number, f->params));
  th_table_cell(t, "%.1f %%", 100 * f->sparsity);
  th_table_cell(t, "%.2f", bits);
  th_table_cell(t, "%.2f", r->seconds);
}

static void write_summary(const job *j) {
  th_buf *text = &j->result->text;
  char a[32], b[32];
  th_buf_printf(text, "file %s bytes; ", th_thousands(a, (long long)j->original->file_bytes));
  if (!j->tflite.skipped) th_buf_printf(text, "as .tflite now %s; ", th_thousands(b, (long long)j->tflite.file.size));
  th_buf_printf(text, "every output byte equal on %d samples\n", j->compared);
  th_beside_note(&j->tflite, "model.tflite", text);
  th_buf_printf(text, "\nwritten to %s: model.thim, %sfirmware/, report.html, report.json\n", j->dir,
                j->tflite.skipped ? "" : "model.tflite, ");
}

static th_status write_report(job *j) {
  th_result *r = j->result;
  const char *path;
  th_json *stages = th_json_add_array(r->json, "stages");
  th_table *t = th_table_create(r->arena, "<stage|bytes|MACs|parameters|zeros|bits/weight|seconds");
  for (int i = 0; i < j->run.n; i++) write_row(j, i, stages, t);
  th_table_print(t, &r->text);
  th_json_add_int(r->json, "file_bytes", (int64_t)j->original->file_bytes);
  th_json_add_int(r->json, "bytes", j->bytes);
  if (j->tflite.skipped)
    th_json_add_string(r->json, "tflite_skipped", j->tflite.skipped);
  else
    th_json_add_int(r->json, "tflite_bytes", (int64_t)j->tflite.file.size);
  th_json_add_int(r->json, "macs", j->run.row[j->run.n - 1].f.macs);
  th_json_add_int(r->json, "verified_samples", j->compared);
  th_json_add_int(r->json, "seed", (int64_t)j->seed);
  th_json_add_string(r->json, "target", th_settings_text(j->compile, "target"));
  th_buf_printf(&r->text, "bytes: the .thim program, its weights raw, in the last row coded\n");
  write_summary(j);
  TH_TRY(th_compile_tell_device(j->after, j->compile, j->ctx, r));
  TH_TRY(path_in(j, "report.json", &path));
  TH_TRY(th_result_finish(r));
  const char *json = th_result_json(r);
  return th_file_write(path, json, strlen(json));
}

/* --- the whole --- */

static th_status run_job(job *j) {
  j->seed = j->options->seed ? j->options->seed : 1;
  static const th_encode_options all = {.coders = TH_CODERS_ALL, .code_channels = true};
  TH_TRY(th_lossless_run(j->original, &all, &j->run));
  th_graph *graph = j->run.graph;
  j->run.graph = NULL; /* the model's from now on; the deployed program goes before it */
  TH_TRY(th_model_from_graph(graph, j->original->format, &j->after));
  TH_TRY(th_model_clone(j->original, &j->before));
  TH_TRY(th_settings_create("compile", &j->compile));
  TH_TRY(th_compile_aim(j->compile, j->options->target, j->options->device));
  TH_TRY(put_outputs(j));
  TH_TRY(write_report(j));
  TH_TRY(th_report_make(j->dir, j->data, j->ctx));
  return th_stage_dir_tidy(j->result->arena, j->dir, TH_GIVEN_FILE "," LOSSLESS_FILE);
}

th_status th_shrink_lossless(const th_model *model, const th_data *data, const th_shrink_options *options,
                             const char *dir, const th_context *ctx, th_result **result) {
  job j = {.original = model, .data = data, .options = options, .ctx = ctx, .dir = dir};
  th_status status = th_result_create(&j.result);
  if (status == TH_OK) status = run_job(&j);
  th_buf_free(&j.tflite.file);
  th_settings_free(j.compile);
  th_lossless_free(&j.run);
  th_model_close(j.before);
  th_model_close(j.after);
  return th_result_give(status, j.result, result);
}
