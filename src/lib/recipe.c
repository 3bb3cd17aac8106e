/* Reading, making and printing recipes. See recipe.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/recipe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "format/yaml.h"
#include "lib/model.h"
#include "lib/stages.h"
#include "lib/training.h"
#include "op/op.h"

#define LARGEST_RECIPE ((size_t)1 << 20)

static th_status fail_at(const th_yaml *y) {
  return th_fail_in(TH_ERR_INPUT, "%s:%d", y->what, y->line);
}

static th_status read_settings(const th_yaml *map, th_settings *s) {
  if (map->kind == TH_YAML_SCALAR && !*map->text) return TH_OK; /* "quantize:" alone */
  TH_TRY(th_yaml_expect(map, TH_YAML_MAP));
  for (const th_yaml *y = map->child; y; y = y->next) {
    const char *text;
    TH_TRY(th_yaml_string(y, &text));
    if (th_settings_set(s, y->key, text) != TH_OK) return fail_at(y);
  }
  return TH_OK;
}

static th_status read_stage(const th_yaml *item, th_recipe *r) {
  if (r->n == TH_RECIPE_STAGES)
    return th_fail(TH_ERR_INPUT, "%s:%d: more than %d stages", item->what, item->line, TH_RECIPE_STAGES);
  const char *name = NULL;
  const th_yaml *settings = NULL;
  if (item->kind == TH_YAML_SCALAR) {
    name = item->text; /* "- quantize" */
  } else {
    TH_TRY(th_yaml_expect(item, TH_YAML_MAP));
    if (item->count != 1)
      return th_fail(TH_ERR_INPUT, "%s:%d: one stage per list item expected, found %d", item->what, item->line,
                     item->count);
    name = item->child->key;
    settings = item->child;
  }
  if (th_settings_create(name, &r->stage[r->n]) != TH_OK) return fail_at(item);
  r->line[r->n++] = item->line;
  return settings ? read_settings(settings, r->stage[r->n - 1]) : TH_OK;
}

static th_status read_document(const th_yaml *root, th_recipe *r) {
  static const char *const keys[] = {"seed", "stages"};
  TH_TRY(th_yaml_expect(root, TH_YAML_MAP));
  TH_TRY(th_yaml_check_keys(root, keys, 2));
  const th_yaml *seed = th_yaml_get(root, "seed"), *stages = th_yaml_get(root, "stages");
  if (seed) {
    long long v;
    TH_TRY(th_yaml_int(seed, 0, INT64_MAX, &v));
    r->seed = (uint64_t)v;
  }
  if (!stages) return th_fail(TH_ERR_INPUT, "%s: no \"stages\" list", root->what);
  TH_TRY(th_yaml_expect(stages, TH_YAML_LIST));
  for (const th_yaml *item = stages->child; item; item = item->next) TH_TRY(read_stage(item, r));
  return TH_OK;
}

static th_status parse(th_arena *arena, const char *text, size_t size, const char *what, th_recipe *r) {
  th_yaml *root;
  th_status status = th_yaml_parse(arena, text, size, what, &root);
  if (status == TH_OK) status = read_document(root, r);
  if (status != TH_OK) th_recipe_free(r);
  return status;
}

th_status th_recipe_parse(const char *text, const char *what, th_recipe *r) {
  *r = (th_recipe){.seed = 1};
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  const th_status status = parse(arena, text, strlen(text), what, r);
  th_arena_destroy(arena);
  return status;
}

th_status th_recipe_read(const char *path, th_recipe *r) {
  *r = (th_recipe){.seed = 1};
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  uint8_t *text;
  size_t size;
  th_status status = th_file_read(arena, path, LARGEST_RECIPE, &text, &size);
  if (status == TH_OK) status = parse(arena, (const char *)text, size, path, r);
  r->file = path;
  th_arena_destroy(arena);
  return status;
}

void th_recipe_free(th_recipe *r) {
  for (int i = 0; i < r->n; i++) th_settings_free(r->stage[i]);
  r->n = 0;
}

/* --- the default --- */

static th_status add(th_recipe *r, const char *stage) {
  TH_TRY(th_settings_create(stage, &r->stage[r->n]));
  r->n++;
  return TH_OK;
}

static th_status set(th_recipe *r, const char *name, const char *value) {
  return th_settings_set(r->stage[r->n - 1], name, value);
}

static bool has_batch_norm(const th_graph *g) {
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead && g->nodes[i].op == TH_OP_BATCH_NORM) return true;
  return false;
}

/* What small networks can spare is less: measured on networks of 2 thousand to 400 thousand parameters. */
static const char *default_sparsity(int64_t params, bool normalized) {
  if (params < 5000) return "0.2";
  if (params < 20000) return "0.4";
  if (params < 50000 || normalized) return "0.6";
  return "0.8";
}

/* Batch norm rescales every layer, so magnitudes do not compare across layers, and larger steps do no harm. */
static th_status float_chain(const th_model *model, th_recipe *r) {
  bool normalized = has_batch_norm(model->graph);
  if (model->untrained) TH_TRY(add(r, "train"));
  TH_TRY(add(r, "prune"));
  TH_TRY(set(r, "teacher", "self"));
  TH_TRY(set(r, "sparsity", default_sparsity(th_op_cost_all(model->graph).params, normalized)));
  TH_TRY(set(r, "scope", normalized ? "layer" : "global"));
  if (normalized) TH_TRY(set(r, "lr", "0.02"));
  TH_TRY(add(r, "cluster"));
  TH_TRY(set(r, "teacher", "self"));
  if (normalized) TH_TRY(set(r, "lr", "0.003"));
  return add(r, "quantize");
}

th_status th_recipe_default(const th_model *model, th_recipe *r) {
  *r = (th_recipe){.seed = 1};
  th_status status = th_graph_is_float(model->graph) ? float_chain(model, r) : TH_OK;
  if (status == TH_OK) status = add(r, "compile");
  if (status != TH_OK) th_recipe_free(r);
  return status;
}

/* --- the seed --- */

static bool has_own_seed(const th_recipe *r, const th_settings *s) {
  return th_settings_is_set(s, "seed") && th_settings_number(s, "seed") != (double)r->seed;
}

th_status th_recipe_seed(th_recipe *r, uint64_t seed) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, seed);
  for (int i = 0; i < r->n; i++)
    if (th_settings_has(r->stage[i], "seed") && !has_own_seed(r, r->stage[i]))
      TH_TRY(th_settings_set(r->stage[i], "seed", text));
  r->seed = seed;
  return TH_OK;
}

/* --- checking --- */

/* Adds to the error where its stage stands; what a command line calls usage is bad input in a file. */
static th_status refuse_stage(const th_recipe *r, int i) {
  const char *name = th_stage_name((int)th_settings_stage(r->stage[i]));
  if (th_error_status() == TH_ERR_USAGE) th_error_set(TH_ERR_INPUT, th_error_message());
  if (r->file) return th_fail_in(TH_ERR_INPUT, "%s:%d: stage %d (%s)", r->file, r->line[i], i + 1, name);
  return th_fail_in(TH_ERR_INPUT, "recipe: stage %d (%s)", i + 1, name);
}

typedef struct kind { /* of the model between two stages */
  bool is_float, is_trained;
  bool has_shapes; /* of the model that came in: no channels are gone */
} kind;

static th_status check_order(const th_settings *s, bool is_last, kind k) {
  const th_stage_id stage = th_settings_stage(s);
  if (stage == TH_STAGE_COMPILE || stage == TH_STAGE_SWEEP) {
    if (k.is_float) return th_fail(TH_ERR_INPUT, "needs an integer model; quantize comes before it");
    if (stage == TH_STAGE_COMPILE && !is_last) return th_fail(TH_ERR_INPUT, "must be the last stage");
    return TH_OK;
  }
  if (!k.is_float) return th_fail(TH_ERR_INPUT, "needs a float model, and here it is integer already");
  if (k.is_trained) return TH_OK;
  if (stage != TH_STAGE_TRAIN && stage != TH_STAGE_DISTILL)
    return th_fail(TH_ERR_INPUT, "needs a trained model; train or distill comes first");
  return th_teaches_itself(s) ? th_fail(TH_ERR_INPUT, "its own teacher is not trained yet") : TH_OK;
}

/* Channels are taken out by pruning, or once batch norm is folded where nothing depends on them. */
static bool keeps_shapes(const th_settings *s) {
  const th_stage_id stage = th_settings_stage(s);
  if (stage == TH_STAGE_PRUNE) return !th_str_eq(th_settings_text(s, "granularity"), "channel");
  return stage == TH_STAGE_TRAIN || stage == TH_STAGE_DISTILL;
}

static kind kind_after(const th_settings *s, kind k) {
  const bool halves = th_settings_stage(s) == TH_STAGE_QUANTIZE && th_str_eq(th_settings_text(s, "weights"), "float16");
  return (kind){k.is_float && (th_settings_stage(s) != TH_STAGE_QUANTIZE || halves), true,
                k.has_shapes && keeps_shapes(s)};
}

th_status th_recipe_check(const th_recipe *r, const th_model *model) {
  kind k = {th_graph_is_float(model->graph), !model->untrained, true};
  if (r->n == 0) return th_fail(TH_ERR_INPUT, "%s: the list of stages is empty", r->file ? r->file : "recipe");
  for (int i = 0; i < r->n; i++) {
    th_status status = check_order(r->stage[i], i == r->n - 1, k);
    if (status == TH_OK) status = th_stage_check(r->stage[i], model->graph);
    const kind after = kind_after(r->stage[i], k);
    if (status == TH_OK) status = th_training_check(r->stage[i], model, after.has_shapes);
    if (status != TH_OK) return refuse_stage(r, i);
    k = after;
  }
  return TH_OK;
}

/* --- printing --- */

/* Plain words print as they are; everything else in double quotes. */
static void print_scalar(th_buf *b, const char *text) {
  bool plain = *text != '\0';
  for (const char *p = text; *p; p++)
    plain = plain && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./+-", *p);
  if (plain && !strchr("-.+", *text)) {
    th_buf_printf(b, "%s", text);
    return;
  }
  th_buf_u8(b, '"');
  for (const char *p = text; *p; p++) {
    if (*p == '"' || *p == '\\') th_buf_u8(b, '\\');
    th_buf_u8(b, (uint8_t)*p);
  }
  th_buf_u8(b, '"');
}

static void print_stage(const th_recipe *r, const th_settings *s, bool seeds, th_buf *b) {
  const char *name = th_stage_name((int)th_settings_stage(s)), *before = "\n";
  th_param p;
  th_buf_printf(b, "  - %s:", name);
  for (int i = 0; th_stage_param(name, i, &p); i++) {
    const bool is_seed = !seeds && th_str_eq(p.name, "seed");
    if (is_seed ? !has_own_seed(r, s) : th_settings_is_default(s, p.name)) continue;
    th_buf_printf(b, "%s      %s: ", before, p.name);
    print_scalar(b, th_settings_text(s, p.name));
    before = "\n";
  }
  th_buf_printf(b, "\n");
}

void th_recipe_print(const th_recipe *r, bool seeds, th_buf *b) {
  th_buf_printf(b, "seed: %" PRIu64 "\nstages:\n", r->seed);
  for (int i = 0; i < r->n; i++) print_stage(r, r->stage[i], seeds, b);
}
