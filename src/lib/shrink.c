/* th_shrink: the whole chain, the one function that names every stage in order. See thimble/thimble.h.
 *
 * The recipe's stages run one after another on a copy of the model; teacher=self always means the network as it came
 * in. After each stage the graph is saved below DIR/stages, so that an interrupted run can go on (resume) and a curious
 * user can look at every step. SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "lib/compile.h"
#include "lib/data.h"
#include "lib/lossless.h"
#include "lib/recipe.h"
#include "lib/rows.h"
#include "lib/stages.h"

typedef struct chain {
  const th_model *original;
  const th_data *data;
  const th_shrink_options *options;
  const th_context *ctx;
  const char *dir, *stage_dir;
  th_arena *arena;
  th_recipe recipe;
  th_model *model; /* as it is after the last stage */
  th_graph *self;  /* what teacher=self means: the network as it came in, or as its first training left it */
  th_stage_rows rows;
  th_beside tflite;
  th_result *result;
} chain;

/* --- settings that the run itself decides --- */

static th_status set_number(th_settings *s, const char *name, uint64_t v) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, v);
  return th_settings_set(s, name, text);
}

static th_status read_recipe(chain *c) {
  const th_shrink_options *o = c->options;
  if (o->recipe)
    TH_TRY(th_recipe_read(o->recipe, &c->recipe));
  else
    TH_TRY(th_recipe_default(c->original, &c->recipe));
  if (o->seed) c->recipe.seed = o->seed;
  c->rows.seed = c->recipe.seed;
  for (int i = 0; i < c->recipe.n; i++) {
    th_settings *s = c->recipe.stage[i];
    if (th_settings_has(s, "seed") && th_settings_is_default(s, "seed")) TH_TRY(set_number(s, "seed", c->recipe.seed));
    if (th_settings_stage(s) != TH_STAGE_COMPILE) continue;
    TH_TRY(th_compile_aim(s, o->target, o->device));
    TH_TRY(th_compile_check_name(s));
  }
  return TH_OK;
}

/* --- one stage --- */

static const char *stage_file(chain *c, int i, const char *extension) {
  const char *name = th_stage_name((int)th_settings_stage(c->recipe.stage[i]));
  return th_arena_printf(c->arena, "%s/%02d-%s%s", c->stage_dir, i + 1, name, extension);
}

/* What the teachers' files hold; 0 when the stage has none or they are the network itself. */
static uint64_t teacher_hash(chain *c, const th_settings *s) {
  if (!th_settings_has(s, "teacher")) return 0;
  const char *list = th_settings_text(s, "teacher"), *part;
  uint8_t *data;
  size_t size, n;
  uint64_t hash = 0;
  while ((part = th_str_part(&list, &n)) != NULL) {
    const char *path = th_arena_printf(c->arena, "%.*s", (int)n, part);
    if (path && !th_str_eq(path, "self") && th_file_read(c->arena, path, TH_FILE_LIMIT, &data, &size) == TH_OK)
      hash = hash * 31 + th_hash64(data, size);
  }
  th_error_clear();
  return hash;
}

/* A stage's saved graph counts only if it was made by this very recipe from this very model, data and teachers. */
static uint64_t fingerprint(chain *c, int upto) {
  th_buf text = {0};
  th_recipe first = c->recipe;
  first.n = upto + 1;
  th_recipe_print(&first, &text);
  th_graph_print(c->original->graph, 0, &text);
  th_buf_u64(&text, th_dataset_hash(c->data->set));
  for (int i = 0; i <= upto; i++) th_buf_u64(&text, teacher_hash(c, c->recipe.stage[i]));
  uint64_t h = th_hash64(text.data, text.size);
  th_buf_free(&text);
  return h;
}

static bool take_saved(chain *c, int i) {
  const char *mark = stage_file(c, i, ".id"), *file = stage_file(c, i, ".thim");
  uint8_t *text;
  size_t size;
  if (!c->options->resume || !mark || !file || !th_file_exists(mark)) return false;
  char expected[32];
  snprintf(expected, sizeof expected, "%016" PRIx64, fingerprint(c, i));
  bool ok = th_file_read(c->arena, mark, 64, &text, &size) == TH_OK && th_str_eq((char *)text, expected);
  th_model *saved = NULL;
  ok = ok && th_model_open(file, &saved) == TH_OK && saved->graph;
  th_error_clear();
  if (!ok) {
    th_model_close(saved);
    return false;
  }
  th_model_close(c->model);
  c->model = saved;
  th_log(c->ctx, TH_LOG_INFO, "%s: taken from %s", th_stage_name((int)th_settings_stage(c->recipe.stage[i])), file);
  return true;
}

static th_status save_stage(chain *c, int i) {
  const char *mark = stage_file(c, i, ".id"), *file = stage_file(c, i, ".thim");
  if (!mark || !file) return TH_ERR_RESOURCE;
  TH_TRY(th_model_save(c->model, file));
  char text[32];
  snprintf(text, sizeof text, "%016" PRIx64, fingerprint(c, i));
  return th_file_write(mark, text, strlen(text));
}

/* Runs the stage with a checkpoint of its own in the stage folder; the recipe itself stays free of such paths. */
static th_status apply_stage(chain *c, int i) {
  th_settings *s = c->recipe.stage[i];
  const char *checkpoint = stage_file(c, i, ".checkpoint");
  bool own = th_settings_has(s, "checkpoint") && th_settings_is_default(s, "checkpoint");
  if (!checkpoint) return TH_ERR_RESOURCE;
  if (own) {
    TH_TRY(th_settings_set(s, "checkpoint", checkpoint));
    TH_TRY(th_settings_set(s, "resume", c->options->resume ? "true" : "false"));
  }
  th_status status = th_stage_apply(c->model, c->data, c->self, s, c->ctx);
  if (own) {
    TH_TRY(th_settings_set(s, "checkpoint", ""));
    TH_TRY(th_settings_set(s, "resume", "false"));
  }
  if (status == TH_OK && own) remove(checkpoint);
  return status;
}

static th_status run_stage(chain *c, int i) {
  const char *name = th_stage_name((int)th_settings_stage(c->recipe.stage[i]));
  double begin = th_clock_seconds();
  if (!take_saved(c, i)) {
    TH_TRY(apply_stage(c, i));
    TH_TRY(save_stage(c, i));
  }
  double seconds = th_clock_seconds() - begin;
  if (!c->self) TH_TRY(th_graph_clone(c->model->graph, &c->self));
  TH_TRY(th_rows_measure(&c->rows, name, c->model, c->data, c->ctx));
  c->rows.row[c->rows.n - 1].seconds = seconds;
  return TH_OK;
}

/* --- outputs --- */

static th_status write_text(chain *c, const char *name, const void *text, size_t size, th_json *outputs) {
  const char *path = th_path_join(c->arena, c->dir, name);
  if (!path) return TH_ERR_RESOURCE;
  TH_TRY(th_file_write(path, text, size));
  th_json_add_string(outputs, name, path);
  return TH_OK;
}

/* What can fail on the model's content comes before the first file: a folder with an older result keeps that whole. */
static th_status write_deployed(chain *c, const th_settings *compile, th_json *outputs, th_buf *blob) {
  const char *tflite = th_path_join(c->arena, c->dir, "model.tflite"),
             *firmware = th_path_join(c->arena, c->dir, "firmware");
  if (!tflite || !firmware) return TH_ERR_RESOURCE;
  th_footprint f;
  th_encode_options coders = th_compile_coders(compile);
  double begin = th_clock_seconds();
  TH_TRY(th_compile_blob(c->model, compile, blob));
  TH_TRY(th_footprint_of(c->model->graph, &coders, &f));
  TH_TRY(th_beside_make(c->model, c->arena, &c->tflite));
  TH_TRY(th_compile_firmware(c->model, compile, firmware));
  TH_TRY(write_text(c, "model.thim", blob->data, blob->size, outputs));
  TH_TRY(th_beside_write(&c->tflite, c->arena, tflite));
  if (!c->tflite.skipped) th_json_add_string(outputs, "model.tflite", tflite);
  th_json_add_string(outputs, "firmware", firmware);
  th_rows_repeat(&c->rows, "encode", (int64_t)blob->size, th_clock_seconds() - begin);
  c->rows.row[c->rows.n - 1].bits_per_weight = f.weights ? (double)f.weight_bits / (double)f.weights : 0;
  return TH_OK;
}

static th_status write_graph(chain *c, th_json *outputs) {
  const char *path = th_path_join(c->arena, c->dir, "model.thim");
  if (!path) return TH_ERR_RESOURCE;
  TH_TRY(th_model_save(c->model, path));
  th_json_add_string(outputs, "model.thim", path);
  return TH_OK;
}

/* The deployed blob is model.thim: a program once the graph is integer. */
static th_status write_outputs(chain *c, const th_settings *compile) {
  th_json *outputs = th_json_add_object(c->result->json, "outputs");
  th_buf blob = {0};
  th_status status = compile ? write_deployed(c, compile, outputs, &blob) : write_graph(c, outputs);
  th_buf_free(&blob);
  TH_TRY(status);
  if (c->tflite.skipped) th_json_add_string(c->result->json, "tflite_skipped", c->tflite.skipped);
  th_buf recipe = {0};
  th_recipe_print(&c->recipe, &recipe);
  status = th_buf_status(&recipe);
  if (status == TH_OK) status = write_text(c, "recipe.yaml", recipe.data, recipe.size, outputs);
  th_buf_free(&recipe);
  return status;
}

#define MUCH_LOST 0.02 /* of accuracy: more than most users would give for bytes */

static void warn_of_loss(const chain *c) {
  const th_stage_row *last = &c->rows.row[c->rows.n - 1];
  if (!(last->change < -MUCH_LOST)) return;
  th_log(
      c->ctx, TH_LOG_WARN,
      "accuracy fell by %.1f points: ask for less sparsity or more clusters, or give the stages more epochs (a recipe "
      "can; start from recipe.yaml)",
      -100 * last->change);
}

static th_status write_report(chain *c, const th_settings *compile) {
  th_rows_write(&c->rows, c->result);
  if (compile) TH_TRY(th_compile_tell_device(c->model, compile, c->ctx, c->result));
  TH_TRY(th_result_finish(c->result));
  const char *json = th_result_json(c->result), *path = th_path_join(c->arena, c->dir, "report.json");
  if (!path) return TH_ERR_RESOURCE;
  bool deployed = th_json_get(th_json_get(c->result->json, "outputs"), "firmware") != NULL;
  if (c->tflite.skipped)
    th_buf_printf(&c->result->text, "\nnote: model.tflite is not written: %s\n", c->tflite.skipped);
  th_buf_printf(&c->result->text, "\nwritten to %s: model.thim, %s%sreport.json, recipe.yaml\n", c->dir,
                deployed && !c->tflite.skipped ? "model.tflite, " : "", deployed ? "firmware/, " : "");
  warn_of_loss(c);
  return th_file_write(path, json, strlen(json));
}

/* --- the chain --- */

static th_status run_chain(chain *c) {
  c->stage_dir = th_path_join(c->arena, c->dir, "stages");
  if (!c->stage_dir) return TH_ERR_RESOURCE;
  TH_TRY(read_recipe(c));
  TH_TRY(th_recipe_check(&c->recipe, c->original));
  TH_TRY(th_dir_create(c->stage_dir));
  TH_TRY(th_model_clone(c->original, &c->model));
  if (!c->model->untrained) TH_TRY(th_graph_clone(c->model->graph, &c->self));
  const th_settings *compile = NULL;
  if (!c->model->untrained)
    TH_TRY(th_rows_measure(&c->rows, th_graph_is_float(c->model->graph) ? TH_ROW_FLOAT32 : "as given", c->model,
                           c->data, c->ctx));
  for (int i = 0; i < c->recipe.n; i++) {
    if (th_settings_stage(c->recipe.stage[i]) == TH_STAGE_COMPILE)
      compile = c->recipe.stage[i];
    else
      TH_TRY(run_stage(c, i));
  }
  TH_TRY(write_outputs(c, compile));
  return write_report(c, compile);
}

th_status th_shrink(const th_model *model, const th_data *data, const th_shrink_options *options, const char *dir,
                    const th_context *ctx, th_result **result) {
  TH_TRY(th_model_need_graph(model, "shrink"));
  if (options->lossless) return th_shrink_lossless(model, data, options, dir, ctx, result);
  chain *c = th_alloc(sizeof *c);
  if (!c) return TH_ERR_RESOURCE;
  *c = (chain){.original = model, .data = data, .options = options, .ctx = ctx, .dir = dir};
  c->arena = th_arena_create();
  th_status status = c->arena ? th_result_create(&c->result) : TH_ERR_RESOURCE;
  if (status == TH_OK) status = run_chain(c);
  th_recipe_free(&c->recipe);
  th_buf_free(&c->tflite.file);
  th_model_close(c->model);
  th_graph_destroy(c->self);
  th_arena_destroy(c->arena);
  status = th_result_give(status, c->result, result);
  th_free(c);
  return status;
}
