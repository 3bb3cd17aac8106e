/* Running a recipe's stages and saving what each makes. See chain.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "lib/compile.h"
#include "lib/data.h"
#include "lib/stages.h"
#include "lib/training.h"

/* --- settings that the run itself decides --- */

static th_status aim(const th_recipe *r, const char *target, const char *device) {
  for (int i = 0; i < r->n; i++)
    if (th_settings_stage(r->stage[i]) == TH_STAGE_COMPILE) TH_TRY(th_compile_aim(r->stage[i], target, device));
  return TH_OK;
}

/* --- the fingerprint --- */

/* What the teachers' files hold; 0 when the stage has none or they are the network itself. */
static uint64_t teacher_hash(const th_chain *c, const th_settings *s) {
  if (!th_settings_has(s, "teacher")) return 0;
  const char *list = th_settings_text(s, "teacher"), *part;
  uint8_t *data;
  size_t size, n;
  uint64_t hash = 0;
  while ((part = th_str_part(&list, &n)) != NULL) {
    const char *path = th_arena_printf(c->arena, "%.*s", (int)n, part);
    if (path && !th_is_own_teacher(path) && th_file_read(c->arena, path, TH_FILE_LIMIT, &data, &size) == TH_OK)
      hash = hash * 31 + th_hash64(data, size);
  }
  th_error_clear();
  return hash;
}

uint64_t th_chain_origin(const th_model *model, const th_data *data) {
  th_buf text = {0};
  th_graph_print(model->graph, 0, &text);
  th_buf_u64(&text, th_dataset_hash(data->set));
  const uint64_t h = th_hash64(text.data, text.size);
  th_buf_free(&text);
  return h ? h : 1;
}

static uint64_t fingerprint(const th_chain *c, int upto) {
  th_buf text = {0};
  th_recipe first = c->recipe;
  first.n = upto + 1;
  th_recipe_print(&first, true, &text);
  th_buf_u64(&text, c->origin);
  for (int i = 0; i <= upto; i++) th_buf_u64(&text, teacher_hash(c, c->recipe.stage[i]));
  const uint64_t h = th_hash64(text.data, text.size);
  th_buf_free(&text);
  return h;
}

/* Of what all stages rest on, whatever the recipe says. */
static uint64_t run_of(const th_chain *c) {
  th_buf b = {0};
  th_buf_u64(&b, c->origin);
  th_buf_u64(&b, c->recipe.seed);
  const uint64_t h = th_hash64(b.data, b.size);
  th_buf_free(&b);
  return h;
}

/* --- marks: files that hold a fingerprint --- */

static bool is_marked(const th_chain *c, const char *mark, uint64_t id) {
  uint8_t *text;
  size_t size;
  char expected[32];
  snprintf(expected, sizeof expected, "%016" PRIx64, id);
  const bool ok = mark && th_file_exists(mark) && th_file_read(c->arena, mark, 64, &text, &size) == TH_OK &&
                  th_str_eq((char *)text, expected);
  th_error_clear();
  return ok;
}

static th_status write_mark(const char *mark, uint64_t id) {
  char text[32];
  snprintf(text, sizeof text, "%016" PRIx64, id);
  return th_file_write(mark, text, strlen(text));
}

/* --- the beginning and the end --- */

/* A folder without a mark is as old as the tool that made it, or empty. What is shared need not be resumed. */
static th_status claim_dir(const th_chain *c) {
  const char *mark = th_path_join(c->arena, c->dir, "run.id");
  if (!mark) return TH_ERR_RESOURCE;
  if (c->resume && !c->shared && th_file_exists(mark) && !is_marked(c, mark, run_of(c)))
    return th_fail(
        TH_ERR_INPUT,
        "%s: the stages there are of another run (model, data or seed differ); without --resume the folder is "
        "begun anew",
        mark);
  TH_TRY(th_dir_create(c->dir));
  return write_mark(mark, run_of(c));
}

th_status th_chain_begin(th_chain *c, const char *target, const char *device) {
  c->arena = th_arena_create();
  if (!c->arena) return TH_ERR_RESOURCE;
  TH_TRY(th_recipe_seed(&c->recipe, c->recipe.seed));
  TH_TRY(aim(&c->recipe, target, device));
  TH_TRY(th_recipe_check(&c->recipe, c->original));
  if (!c->origin) c->origin = th_chain_origin(c->original, c->data);
  if (c->dir) TH_TRY(claim_dir(c));
  TH_TRY(th_model_clone(c->original, &c->model));
  return c->model->untrained ? TH_OK : th_graph_clone(c->model->graph, &c->self);
}

void th_chain_end(th_chain *c) {
  th_recipe_free(&c->recipe);
  th_model_close(c->model);
  th_graph_destroy(c->self);
  th_arena_destroy(c->arena);
  c->model = NULL;
  c->self = NULL;
  c->arena = NULL;
}

/* --- what was saved --- */

const char *th_chain_stage_name(const th_chain *c, int i) {
  return th_stage_name((int)th_settings_stage(c->recipe.stage[i]));
}

static const char *stage_file(const th_chain *c, int i, const char *extension) {
  return th_arena_printf(c->arena, "%s/%02d-%s%s", c->dir, i + 1, th_chain_stage_name(c, i), extension);
}

const char *th_chain_stage_file(const th_chain *c, int i) {
  return stage_file(c, i, ".thim");
}

static const char *shared_file(const th_chain *c, int i, const char *extension) {
  return th_arena_printf(c->arena, "%s/%016" PRIx64 "%s", c->shared, fingerprint(c, i), extension);
}

static bool take_graph(th_chain *c, int i, const char *file) {
  th_model *saved = NULL;
  const bool ok = th_model_open(file, &saved) == TH_OK && saved->graph;
  th_error_clear();
  if (!ok) {
    th_model_close(saved);
    return false;
  }
  th_model_close(c->model);
  c->model = saved;
  th_log(c->ctx, TH_LOG_INFO, "%s: taken from %s", th_chain_stage_name(c, i), file);
  return true;
}

/* From the folder of this chain, or from those that are shared: a copy then comes into the folder. */
static bool take_own(th_chain *c, int i) {
  if (!c->dir || !c->resume || !is_marked(c, stage_file(c, i, ".id"), fingerprint(c, i))) return false;
  const char *file = th_chain_stage_file(c, i);
  return file && take_graph(c, i, file);
}

static bool take_shared(th_chain *c, int i) {
  const char *file = c->shared ? shared_file(c, i, ".thim") : NULL;
  return file && th_file_exists(file) && take_graph(c, i, file);
}

static th_status save_in_dir(const th_chain *c, int i) {
  const char *mark = stage_file(c, i, ".id"), *file = th_chain_stage_file(c, i);
  if (!mark || !file) return TH_ERR_RESOURCE;
  TH_TRY(th_model_save(c->model, file));
  return write_mark(mark, fingerprint(c, i));
}

/* --- one stage --- */

/* Its checkpoint: beside the stages of the folder, or by fingerprint among those that are shared. */
static th_status checkpoint_of(const th_chain *c, int i, const char **path) {
  const th_settings *s = c->recipe.stage[i];
  *path = NULL;
  if (!th_settings_has(s, "checkpoint") || !th_settings_is_default(s, "checkpoint")) return TH_OK;
  if (c->dir)
    *path = stage_file(c, i, ".checkpoint");
  else if (c->shared && c->keep_shared)
    *path = shared_file(c, i, ".checkpoint");
  else
    return TH_OK;
  return *path ? TH_OK : TH_ERR_RESOURCE;
}

/* Runs the stage with a checkpoint of its own; the recipe itself stays free of such paths. */
static th_status apply_stage(th_chain *c, int i) {
  th_settings *s = c->recipe.stage[i];
  const char *checkpoint;
  TH_TRY(checkpoint_of(c, i, &checkpoint));
  if (checkpoint) {
    TH_TRY(th_settings_set(s, "checkpoint", checkpoint));
    TH_TRY(th_settings_set(s, "resume", c->resume ? "true" : "false"));
  }
  th_status status = th_stage_apply(c->model, c->data, c->self, s, c->ctx);
  if (checkpoint) {
    TH_TRY(th_settings_set(s, "checkpoint", ""));
    TH_TRY(th_settings_set(s, "resume", "false"));
  }
  if (status == TH_OK && checkpoint) remove(checkpoint);
  return status;
}

static th_status make_stage(th_chain *c, int i) {
  TH_TRY(apply_stage(c, i));
  if (!c->shared || !c->keep_shared) return TH_OK;
  const char *file = shared_file(c, i, ".thim");
  return file ? th_model_save(c->model, file) : TH_ERR_RESOURCE;
}

th_status th_chain_run_stage(th_chain *c, int i) {
  if (!take_own(c, i)) {
    if (!take_shared(c, i)) TH_TRY(make_stage(c, i));
    if (c->dir) TH_TRY(save_in_dir(c, i));
  }
  const bool is_trained = th_settings_stage(c->recipe.stage[i]) == TH_STAGE_TRAIN;
  if (c->self && !is_trained) return TH_OK;
  th_graph_destroy(c->self);
  c->self = NULL;
  return th_graph_clone(c->model->graph, &c->self);
}

/* --- asking --- */

const th_settings *th_chain_compile(const th_chain *c) {
  const th_settings *last = c->recipe.n ? c->recipe.stage[c->recipe.n - 1] : NULL;
  return last && th_settings_stage(last) == TH_STAGE_COMPILE ? last : NULL;
}

int th_chain_stages(const th_chain *c) {
  return c->recipe.n - (th_chain_compile(c) != NULL);
}
