/* th_report: opens the folder of a result, has everything collected, writes the page. See report.h and
 * thimble/thimble.h. SPDX-License-Identifier: Apache-2.0 */
#include "lib/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "lib/stage_dir.h"
#include "report/page.h"
#include "report/result.h"
#include "report/table.h"

#define MOST_JSON ((size_t)64 << 20)

const char *th_report_id(const th_report_job *j, char text[TH_REPORT_ID]) {
  snprintf(text, TH_REPORT_ID, "%016" PRIx64, j->id);
  return text;
}

/* --- opening --- */

/* Nothing when an optional file is not there. `hash`: of its text, or NULL. */
static th_status read_json(th_report_job *j, const char *name, bool needed, th_json **json, uint64_t *hash) {
  const char *path = th_path_join(j->arena, j->dir, name);
  uint8_t *text;
  size_t size;
  if (!path) return TH_ERR_RESOURCE;
  if (!needed && !th_file_exists(path)) return TH_OK;
  TH_TRY(th_file_read(j->arena, path, MOST_JSON, &text, &size));
  TH_TRY(th_json_parse((const char *)text, size, path, json));
  if (hash) *hash = th_hash64(text, size);
  return th_json_is_object(*json) ? TH_OK : th_fail(TH_ERR_INPUT, "%s: no JSON object", path);
}

static th_status check_folder(const th_report_job *j) {
  const char *path = th_path_join(j->arena, j->dir, "report.json");
  if (!path) return TH_ERR_RESOURCE;
  if (!th_dir_exists(j->dir)) return th_fail(TH_ERR_INPUT, "%s: there is no such folder", j->dir);
  if (th_file_exists(path)) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: holds no report.json: no folder that shrink or fit wrote to its end", j->dir);
}

static th_status read_measured(th_report_job *j) {
  char id[TH_REPORT_ID];
  if (j->data) return TH_OK; /* is measured now */
  TH_TRY(read_json(j, TH_MEASURED_FILE, false, &j->measured, NULL));
  if (th_str_eq(th_json_string(th_json_get(j->measured, "report"), ""), th_report_id(j, id))) return TH_OK;
  th_json_free(j->measured);
  j->measured = NULL;
  return TH_OK;
}

/* Row `i` of report.json's stages names a file below stages/; only its base name is believed. */
static th_status open_graph(th_report_job *j, const th_json *row, th_model **model) {
  const char *name = th_json_string(th_json_get(row, "graph"), NULL);
  const char *dir = name ? th_path_join(j->arena, j->dir, TH_STAGE_DIR) : NULL;
  const char *path = dir ? th_path_join(j->arena, dir, th_path_base(name)) : NULL;
  if (!name) return TH_OK;
  if (!path) return TH_ERR_RESOURCE;
  TH_TRY(th_model_open(path, model));
  return th_model_need_graph(*model, "report");
}

static th_status open_graphs(th_report_job *j) {
  const th_json *stages = th_json_get(j->summary, "stages"), *first = NULL, *last = NULL;
  for (const th_json *row = th_json_first(stages); row; row = th_json_next(row)) {
    if (!th_json_is_string(th_json_get(row, "graph"))) continue;
    if (!first) first = row;
    last = row;
  }
  if (!last)
    return th_fail(TH_ERR_INPUT,
                   "%s/report.json: no row of \"stages\" names the network after it (\"graph\"): "
                   "run thimble shrink into this folder again",
                   j->dir);
  if (first != last) TH_TRY(open_graph(j, first, &j->before));
  return open_graph(j, last, &j->after);
}

/* A run without a recipe (--lossless) leaves none; an older one that lies in the folder is not of this result. */
static th_status open_recipe(th_report_job *j) {
  const char *path = th_path_join(j->arena, j->dir, "recipe.yaml");
  if (!path) return TH_ERR_RESOURCE;
  if (!th_json_get(th_json_get(j->summary, "outputs"), "recipe.yaml") || !th_file_exists(path)) return TH_OK;
  TH_TRY(th_recipe_read(path, &j->recipe));
  th_buf text = {0};
  th_recipe_print(&j->recipe, false, &text);
  th_json_add_string(j->page, "recipe", th_buf_cstr(&text));
  th_status status = th_buf_status(&text);
  th_buf_free(&text);
  return status;
}

/* --- deploying again, as it was done --- */

static const th_settings *compile_settings(const th_report_job *j) {
  for (int i = 0; i < j->recipe.n; i++)
    if (th_settings_stage(j->recipe.stage[i]) == TH_STAGE_COMPILE) return j->recipe.stage[i];
  return NULL;
}

static th_status deploy_both(th_report_job *j) {
  static const th_encode_options all = {.coders = TH_CODERS_ALL, .code_channels = true};
  const th_settings *compile = compile_settings(j);
  j->firmware = compile ? &j->own : &j->blob;
  j->target =
      compile ? th_settings_text(compile, "target") : th_json_string(th_json_get(j->summary, "target"), "cortex-m4");
  th_json_add_string(j->page, "target", j->target);
  if (!compile) return th_deploy(j->after->graph, &all, &j->blob); /* as shrink --lossless does, for both */
  TH_TRY(th_compile_deploy_blob(j->after, compile, &j->blob));
  return th_compile_deploy(j->after, compile, &j->own);
}

static th_status deploy(th_report_job *j) {
  if (th_graph_is_float(j->after->graph) || th_str_eq(th_model_arithmetic(j->after), "mixed")) return TH_OK;
  TH_TRY(deploy_both(j));
  th_buf blob = {0};
  const th_status status = th_write_thim_program(j->blob.program, j->arena, &blob, &j->sections);
  th_buf_free(&blob);
  j->deployed = status == TH_OK;
  return status;
}

/* --- the page --- */

static void write_head(th_report_job *j) {
  static const char *const copied[] = {"stages", "seed", "verified_samples", "tflite_skipped"};
  th_json_add_string(j->page, "version", th_version());
  th_json_add_string(j->page, "name", j->after->graph->name);
  th_json_add_string(j->page, "arithmetic", th_model_arithmetic(j->after));
  for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
    th_json_add_copy(j->page, copied[i], th_json_get(j->summary, copied[i]));
  th_json_add_copy(j->page, "fit", j->fit);
}

static th_status collect(th_report_job *j) {
  TH_TRY(check_folder(j));
  TH_TRY(read_json(j, "report.json", true, &j->summary, &j->id));
  TH_TRY(read_json(j, "fit.json", false, &j->fit, NULL));
  TH_TRY(read_measured(j));
  TH_TRY(open_graphs(j));
  write_head(j);
  TH_TRY(open_recipe(j));
  TH_TRY(deploy(j));
  TH_TRY(th_report_layers(j));
  if (j->deployed) TH_TRY(th_report_memory(j));
  if (j->data) TH_TRY(th_report_measure(j));
  th_json_add_copy(j->page, "measured", j->measured);
  return TH_OK;
}

static th_status write_page(th_report_job *j, const char *path, th_result *r) {
  th_buf page = {0};
  char number[32];
  if (!path) path = th_path_join(j->arena, j->dir, "report.html");
  if (!path) return TH_ERR_RESOURCE;
  th_status status = th_page_write(j->page, &page);
  if (status == TH_OK) status = th_file_write(path, page.data, page.size);
  th_json_add_string(r->json, "report", path);
  th_json_add_int(r->json, "bytes", (int64_t)page.size);
  th_json_add_bool(r->json, "charts", th_page_has_charts());
  th_json_add_bool(r->json, "measured", j->measured != NULL);
  th_buf_printf(&r->text, "%s: %s bytes, one file that needs no network\n", path,
                th_thousands(number, (long long)page.size));
  if (!j->measured)
    th_buf_printf(&r->text, "note: confusion and errors by layer are not in it; --data DATA measures them\n");
  if (!th_page_has_charts())
    th_buf_printf(&r->text, "note: tables without charts: this build found no Chart.js (Debian: libjs-chart.js)\n");
  th_buf_free(&page);
  return status == TH_OK ? th_result_finish(r) : status;
}

static void close_job(th_report_job *j) {
  th_deployed_free(&j->blob);
  th_deployed_free(&j->own);
  th_recipe_free(&j->recipe);
  th_model_close(j->before);
  th_model_close(j->after);
  th_json *const trees[] = {j->summary, j->fit, j->measured, j->page};
  for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) th_json_free(trees[i]);
  th_arena_destroy(j->arena);
}

static th_status make(th_report_job *j, const char *path, th_result *r) {
  j->arena = th_arena_create();
  j->page = th_json_object();
  th_status status = j->arena && j->page ? collect(j) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = write_page(j, path, r);
  close_job(j);
  return status;
}

th_status th_report(const char *dir, const th_data *data, const char *path, const th_context *ctx, th_result **result) {
  th_report_job j = {.dir = dir, .data = data, .thorough = true, .ctx = ctx};
  th_result *r;
  TH_TRY(th_result_create(&r));
  return th_result_give(make(&j, path, r), r, result);
}

th_status th_report_make(const char *dir, const th_data *data, const th_context *ctx) {
  th_report_job j = {.dir = dir, .data = data, .ctx = ctx};
  th_result *r;
  TH_TRY(th_result_create(&r));
  const th_status status = make(&j, NULL, r);
  th_result_free(r);
  return status;
}
