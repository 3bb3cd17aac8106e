/* th_shrink: the whole chain, with the numbers after every stage and the files for the target. See thimble/thimble.h.
 *
 * After each stage the graph is saved below DIR/stages, so that an interrupted run can go on (resume) and a curious
 * user can look at every step. SPDX-License-Identifier: Apache-2.0 */
#include "lib/shrink.h"

#include <string.h>

#include "base/file.h"
#include "lib/chain.h"
#include "lib/compile.h"
#include "lib/lossless.h"
#include "lib/report.h"
#include "lib/rows.h"
#include "lib/stage_dir.h"

typedef struct job {
  const char *dir;
  th_arena *arena;
  th_chain chain;
  th_stage_rows rows;
  th_beside tflite;
  th_result *result;
} job;

/* --- one stage --- */

/* Chains that others have begun, a search's, read the test split once: for the last row. */
static th_status measure(job *j, const char *name, bool more_follow) {
  j->rows.spare_test = j->chain.shared && more_follow;
  return th_rows_measure(&j->rows, name, j->chain.model, j->chain.data, j->chain.ctx);
}

static th_status run_stage(job *j, int i) {
  double begin = th_clock_seconds();
  TH_TRY(th_chain_run_stage(&j->chain, i));
  double seconds = th_clock_seconds() - begin;
  j->rows.coders = th_settings_stage(j->chain.recipe.stage[i]) == TH_STAGE_SWEEP ? &th_rows_coded : NULL;
  TH_TRY(measure(j, th_chain_stage_name(&j->chain, i), i + 1 < th_chain_stages(&j->chain)));
  th_stage_row *row = &j->rows.row[j->rows.n - 1];
  const char *file = th_chain_stage_file(&j->chain, i);
  if (!file) return TH_ERR_RESOURCE;
  row->seconds = seconds;
  row->graph = th_arena_printf(j->arena, "%s/%s", TH_STAGE_DIR, th_path_base(file));
  return row->graph ? TH_OK : TH_ERR_RESOURCE;
}

/* The row of the network as it came in, if that has weights. */
static th_status put_given(job *j) {
  const char *path = th_path_join(j->arena, j->dir, TH_GIVEN_FILE);
  if (!path) return TH_ERR_RESOURCE;
  TH_TRY(th_model_save(j->chain.model, path));
  const char *name = th_graph_is_float(j->chain.model->graph) ? TH_ROW_FLOAT32 : "as given";
  TH_TRY(measure(j, name, th_chain_stages(&j->chain) > 0));
  j->rows.row[0].graph = TH_GIVEN_FILE;
  return TH_OK;
}

/* --- outputs --- */

static th_status write_text(job *j, const char *name, const void *text, size_t size, th_json *outputs) {
  const char *path = th_path_join(j->arena, j->dir, name);
  if (!path) return TH_ERR_RESOURCE;
  TH_TRY(th_file_write(path, text, size));
  th_json_add_string(outputs, name, path);
  return TH_OK;
}

/* What can fail on the model's content comes before the first file: a folder with an older result keeps that whole. */
static th_status write_deployed(job *j, const th_settings *compile, th_json *outputs, th_buf *blob) {
  const char *tflite = th_path_join(j->arena, j->dir, "model.tflite"),
             *firmware = th_path_join(j->arena, j->dir, "firmware");
  if (!tflite || !firmware) return TH_ERR_RESOURCE;
  th_footprint f;
  th_encode_options coders = th_compile_coders(compile);
  double begin = th_clock_seconds();
  TH_TRY(th_compile_blob(j->chain.model, compile, blob));
  TH_TRY(th_footprint_of(j->chain.model->graph, &coders, &f));
  TH_TRY(th_beside_make(j->chain.model, j->arena, &j->tflite));
  TH_TRY(th_compile_firmware(j->chain.model, compile, firmware));
  TH_TRY(write_text(j, "model.thim", blob->data, blob->size, outputs));
  TH_TRY(th_beside_write(&j->tflite, j->arena, tflite));
  if (!j->tflite.skipped) th_json_add_string(outputs, "model.tflite", tflite);
  th_json_add_string(outputs, "firmware", firmware);
  th_rows_repeat(&j->rows, "encode", (int64_t)blob->size, th_clock_seconds() - begin);
  j->rows.row[j->rows.n - 1].bits_per_weight = f.weights ? (double)f.weight_bits / (double)f.weights : 0;
  return TH_OK;
}

static th_status write_graph(job *j, th_json *outputs) {
  const char *path = th_path_join(j->arena, j->dir, "model.thim"),
             *tflite = th_path_join(j->arena, j->dir, "model.tflite");
  th_beside none = {.skipped = "not compiled"};
  if (!path || !tflite) return TH_ERR_RESOURCE;
  TH_TRY(th_model_save(j->chain.model, path));
  TH_TRY(th_beside_write(&none, j->arena, tflite));
  j->tflite.moved = none.moved;
  th_json_add_string(outputs, "model.thim", path);
  return TH_OK;
}

/* The deployed blob is model.thim: a program once the graph is integer. */
static th_status write_outputs(job *j, const th_settings *compile) {
  th_json *outputs = th_json_add_object(j->result->json, "outputs");
  th_buf blob = {0};
  th_status status = compile ? write_deployed(j, compile, outputs, &blob) : write_graph(j, outputs);
  th_buf_free(&blob);
  TH_TRY(status);
  if (j->tflite.skipped) th_json_add_string(j->result->json, "tflite_skipped", j->tflite.skipped);
  th_buf recipe = {0};
  th_recipe_print(&j->chain.recipe, false, &recipe);
  status = th_buf_status(&recipe);
  if (status == TH_OK) status = write_text(j, "recipe.yaml", recipe.data, recipe.size, outputs);
  th_buf_free(&recipe);
  return status;
}

static th_status write_report(job *j) {
  const th_settings *compile = th_chain_compile(&j->chain);
  th_rows_write(&j->rows, j->result);
  if (compile) TH_TRY(th_compile_tell_device(j->chain.model, compile, j->chain.ctx, j->result));
  TH_TRY(th_result_finish(j->result));
  const char *json = th_result_json(j->result), *path = th_path_join(j->arena, j->dir, "report.json");
  if (!path) return TH_ERR_RESOURCE;
  bool deployed = th_json_get(th_json_get(j->result->json, "outputs"), "firmware") != NULL;
  if (j->tflite.skipped || j->tflite.moved) th_buf_printf(&j->result->text, "\n");
  th_beside_note(&j->tflite, "model.tflite", &j->result->text);
  if (!compile)
    th_buf_printf(&j->result->text,
                  "\nnote: the recipe does not end with compile: model.thim is the network as it is, not "
                  "coded for a device\n");
  th_buf_printf(&j->result->text, "\nwritten to %s: model.thim, %s%sreport.html, report.json, recipe.yaml\n", j->dir,
                deployed && !j->tflite.skipped ? "model.tflite, " : "", deployed ? "firmware/, " : "");
  th_rows_warn(&j->rows,
               "ask for less sparsity or more clusters, or give the stages more epochs (a recipe can; start from "
               "recipe.yaml)",
               j->chain.ctx);
  return th_file_write(path, json, strlen(json));
}

/* --- the whole --- */

static th_status tidy(const job *j) {
  const char *mine = "";
  for (int i = 0; i < j->rows.n && mine; i++)
    if (j->rows.row[i].graph) mine = th_arena_printf(j->arena, "%s,%s", mine, j->rows.row[i].graph);
  return mine ? th_stage_dir_tidy(j->arena, j->dir, mine) : TH_ERR_RESOURCE;
}

static th_status run_chain(job *j) {
  th_chain *c = &j->chain;
  if (!c->model->untrained) TH_TRY(put_given(j));
  for (int i = 0; i < th_chain_stages(c); i++) TH_TRY(run_stage(j, i));
  TH_TRY(write_outputs(j, th_chain_compile(c)));
  TH_TRY(write_report(j));
  TH_TRY(th_report_make(j->dir, c->data, c->ctx));
  return tidy(j);
}

static th_status read_recipe(const th_shrink_options *o, th_chain *c) {
  if (o->recipe)
    TH_TRY(th_recipe_read(o->recipe, &c->recipe));
  else
    TH_TRY(th_recipe_default(c->original, &c->recipe));
  return o->seed ? th_recipe_seed(&c->recipe, o->seed) : TH_OK;
}

static th_status run_job(job *j, const th_shrink_options *o) {
  j->arena = th_arena_create();
  if (!j->arena) return TH_ERR_RESOURCE;
  j->chain.dir = th_path_join(j->arena, j->dir, TH_STAGE_DIR);
  if (!j->chain.dir) return TH_ERR_RESOURCE;
  TH_TRY(th_result_create(&j->result));
  TH_TRY(read_recipe(o, &j->chain));
  j->rows.seed = j->chain.recipe.seed;
  TH_TRY(th_chain_begin(&j->chain, o->target, o->device));
  return run_chain(j);
}

th_status th_shrink_shared(const th_model *model, const th_data *data, const th_shrink_options *options,
                           const char *shared, const char *dir, const th_context *ctx, th_result **result) {
  job *j = th_alloc(sizeof *j);
  if (!j) return TH_ERR_RESOURCE;
  j->dir = dir;
  j->chain = (th_chain){.original = model, .data = data, .ctx = ctx, .resume = options->resume, .shared = shared};
  th_status status = run_job(j, options);
  th_buf_free(&j->tflite.file);
  th_chain_end(&j->chain);
  th_arena_destroy(j->arena);
  status = th_result_give(status, j->result, result);
  th_free(j);
  return status;
}

th_status th_shrink(const th_model *model, const th_data *data, const th_shrink_options *options, const char *dir,
                    const th_context *ctx, th_result **result) {
  TH_TRY(th_model_need_graph(model, "shrink"));
  if (options->lossless) return th_shrink_lossless(model, data, options, dir, ctx, result);
  return th_shrink_shared(model, data, options, NULL, dir, ctx, result);
}
