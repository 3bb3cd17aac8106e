/* th_fit: what is asked for, the search, and the build that is chosen. See thimble/thimble.h and fit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/fit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/parallel.h"
#include "base/str.h"
#include "lib/chain.h"
#include "lib/devices.h"
#include "lib/lossless.h"
#include "lib/measure.h"
#include "lib/report.h"
#include "lib/shrink.h"
#include "op/op.h"
#include "report/result.h"
#include "write/targets.h"

#define NEAREST "nearest" /* the build that misses the limits least */

/* --- what is asked for --- */

static th_status read_limits(th_fit_search *s) {
  const th_fit_options *o = s->options;
  const th_device *device = o->device ? th_device_find(o->device) : NULL;
  if (o->device && !device) return TH_ERR_USAGE;
  if (device) TH_TRY(th_device_need_target(device));
  if (device && o->target && !th_str_eq(device->target, o->target))
    return th_fail(TH_ERR_USAGE, "the target of %s is %s, not %s", device->name, device->target, o->target);
  s->target = o->target ? o->target : device ? device->target : "cortex-m4";
  if (!th_target_find(s->target)) return TH_ERR_USAGE;
  if (th_str_eq(s->target, "host")) return th_fail(TH_ERR_USAGE, "the target host has no limits to fit");
  s->flash_limit = o->flash_bytes ? o->flash_bytes : device ? device->flash_bytes : 0;
  s->ram_limit = o->ram_bytes ? o->ram_bytes : device ? device->ram_bytes : 0;
  if (!s->flash_limit && !s->ram_limit)
    return th_fail(TH_ERR_USAGE, "what should it fit? a device, or bytes of flash or RAM");
  return TH_OK;
}

/* Choosing by the training samples is honest only where nothing was trained on them here. */
static th_status choose_split(th_fit_search *s) {
  const th_split *split = s->data->set->split;
  const bool is_float = th_graph_is_float(s->model->graph);
  s->split = split[TH_SPLIT_VAL].count ? TH_ON_VALIDATION : TH_ON_TRAINING;
  s->trains = is_float && split[TH_SPLIT_VAL].count && split[TH_SPLIT_TRAIN].count;
  if (!split[TH_SPLIT_VAL].count && !split[TH_SPLIT_TRAIN].count)
    return th_fail(
        TH_ERR_INPUT,
        "%s: has no samples but those of the test split, which chooses nothing; test=0.5 keeps a part for tests",
        s->data->set->name);
  if (!is_float)
    th_log(s->ctx, TH_LOG_INFO,
           "quantized already: what needs no training is searched: lossless passes, coders, --optimize");
  else if (!s->trains)
    th_log(s->ctx, TH_LOG_WARN,
           "%s has no validation split: what needs no training is searched, measured on the training samples (val=0.1 "
           "keeps a part for validation)",
           s->data->set->name);
  return TH_OK;
}

static th_status choose_metric(th_fit_search *s) {
  int outputs;
  TH_TRY(th_measure_check(s->model, s->data->set, &outputs));
  const th_status status = th_metric_choose(s->data->set, outputs, TH_METRIC_AUTO, &s->metric);
  if (status != TH_OK) return th_fail_in(status, "%s", s->model->path);
  if (s->metric != TH_METRIC_ACCURACY && !isnan(s->options->min_accuracy))
    return th_fail(TH_ERR_USAGE, "this model is measured by its %s; say max-drop instead of min-accuracy",
                   s->metric == TH_METRIC_MSE ? "squared error (percent that it may grow)" : "AUC (points)");
  return TH_OK;
}

static double value_of(const th_measure *m) {
  return m->metric == TH_METRIC_ACCURACY ? m->accuracy : m->metric == TH_METRIC_AUC ? m->auc : m->mse;
}

static th_status measure_original(th_fit_search *s) {
  th_measure m = {.metric = s->metric};
  th_model *copy;
  TH_TRY(th_model_clone(s->model, &copy));
  const th_status status = th_measure_run(copy, s->data, s->split, 0, s->ctx, &m);
  th_model_close(copy);
  TH_TRY(status);
  s->base = value_of(&m);
  if (!isfinite(s->base))
    return th_fail(TH_ERR_INPUT, "%s: the %s split has samples of one kind only, so there is no AUC",
                   s->data->set->name, s->split == TH_ON_VALIDATION ? "validation" : "training");
  return TH_OK;
}

static th_status list_layers(th_fit_search *s) {
  s->weights = TH_ARRAY(s->arena, th_weight, TH_MAX_WEIGHTS);
  if (!s->weights) return TH_ERR_RESOURCE;
  for (int i = 0; i < s->model->graph->n_nodes; i++)
    s->normalized |= !s->model->graph->nodes[i].dead && s->model->graph->nodes[i].op == TH_OP_BATCH_NORM;
  return th_weights_list(s->model->graph, s->weights, &s->layers);
}

/* --- the search --- */

/* What a search writes into a folder would be lost among other things, or take their place. */
static th_status check_folder(const th_fit_search *s, const char *journal) {
  char **names;
  int n = 0;
  if (!th_dir_exists(s->dir) || th_file_exists(journal)) return TH_OK;
  TH_TRY(th_dir_list(s->arena, s->dir, &names, &n));
  if (n == 0) return TH_OK;
  return th_fail(TH_ERR_USAGE, "%s: holds %s but no fit.journal: give an empty folder or that of a search", s->dir,
                 names[0]);
}

static th_status open_files(th_fit_search *s) {
  const char *path = th_path_join(s->arena, s->dir, "fit.journal");
  int kept;
  s->shared = th_path_join(s->arena, s->dir, "trials");
  if (!path || !s->shared) return TH_ERR_RESOURCE;
  TH_TRY(check_folder(s, path));
  TH_TRY(th_dir_create(s->dir));
  TH_TRY(th_fit_journal_open(path, &s->journal, &kept)); /* first: by it the folder is known as that of a search */
  TH_TRY(th_dir_create(s->shared));
  if (kept) th_log(s->ctx, TH_LOG_INFO, "going on with %d jobs that %s holds", kept, path);
  if (!kept && s->options->resume) th_log(s->ctx, TH_LOG_WARN, "nothing to resume: %s is empty", path);
  return TH_OK;
}

/* The stages of trials that were not chosen are of no use any more; those that were are in DIR/stages. */
static void drop_shared(const th_fit_search *s) {
  char **names;
  int n;
  if (th_dir_list(s->arena, s->shared, &names, &n) != TH_OK) n = 0;
  for (int i = 0; i < n; i++) {
    const char *path = th_path_join(s->arena, s->shared, names[i]);
    if (path) remove(path);
  }
  remove(s->shared);
  th_error_clear();
}

static th_status explain_interruption(const th_fit_search *s) {
  th_error_clear();
  return th_fail(TH_ERR_INTERRUPTED, "interrupted; %s/fit.journal holds what is finished, the same command goes on",
                 s->dir);
}

static th_status search(th_fit_search *s) {
  TH_TRY(open_files(s));
  TH_TRY(measure_original(s));
  if (s->trains) TH_TRY(th_fit_sensitivity(s));
  TH_TRY(th_fit_list_candidates(s));
  th_fit_learn(s);
  return th_fit_rounds(s);
}

/* --- what is written --- */

static th_status write_recipe(const th_fit_search *s, const char *name, const char *recipe, const char **path) {
  *path = th_path_join(s->arena, s->dir, name);
  if (!*path || !recipe) return TH_ERR_RESOURCE;
  return th_file_write(*path, recipe, strlen(recipe));
}

/* Of the last stage, the only one that is tested. */
static double tested(const th_result *built, const char *key) {
  const th_json *row = th_json_first(th_json_get(built->json, "stages"));
  double value = (double)NAN;
  for (; row; row = th_json_next(row)) value = th_json_number(th_json_get(row, key), value);
  return value;
}

/* A recipe as `shrink` runs it: its stages are there already, and now the test split is read. The page is made again
 * with what that says. */
static th_status build(th_fit_search *s, const char *recipe, const char *device, const char *dir, th_result *r) {
  const th_shrink_options o = {.recipe = recipe, .resume = true, .device = device};
  th_result *built;
  TH_TRY(th_fit_save_json(s, dir)); /* for the page that building makes */
  TH_TRY(th_shrink_shared(s->model, s->data, &o, s->shared, dir, s->ctx, &built));
  th_buf_printf(&r->text, "\n%s", th_result_text(built));
  s->test = tested(built, s->metric == TH_METRIC_MSE ? "mse" : "accuracy");
  th_result_free(built);
  TH_TRY(th_fit_save_json(s, dir));
  return th_report_make(dir, NULL, s->ctx);
}

static th_status build_chosen(th_fit_search *s, const th_fit_trial *chosen, th_result *r) {
  const char *path;
  TH_TRY(write_recipe(s, "recipe.yaml", th_fit_final_recipe(s, chosen), &path));
  return build(s, path, s->options->device, s->dir, r);
}

/* It does not fit, so no device is asked whether it does; a folder of its own keeps it apart from what does. */
static th_status build_nearest(th_fit_search *s, th_result *r) {
  const th_fit_miss miss = th_fit_nearest(s);
  const char *path, *dir = th_path_join(s->arena, s->dir, NEAREST);
  if (!dir) return TH_ERR_RESOURCE;
  if (!miss.trial) return TH_OK;
  th_fit_trial with_build = *miss.trial;
  with_build.best = miss.build;
  TH_TRY(th_dir_create(dir));
  TH_TRY(write_recipe(s, "nearest.yaml", th_fit_final_recipe(s, &with_build), &path));
  return build(s, path, NULL, dir, r);
}

/* A search in the same folder may have ended the other way before: its recipe of a miss goes, builds are told of. */
static th_status drop_other_end(const th_fit_search *s, bool chosen) {
  const char *nearest = th_path_join(s->arena, s->dir, "nearest.yaml");
  const char *other = th_path_join(s->arena, s->dir, chosen ? NEAREST "/report.json" : "report.json");
  if (!nearest || !other) return TH_ERR_RESOURCE;
  remove(nearest);
  if (th_file_exists(other))
    th_log(s->ctx, TH_LOG_WARN, "the build of %s is that of an earlier search, for other limits", other);
  return TH_OK;
}

static th_status finish(th_fit_search *s, th_result *r) {
  const th_fit_trial *chosen = th_fit_chosen(s);
  th_fit_find_front(s);
  th_fit_write_text(s, r->arena, &r->text);
  TH_TRY(drop_other_end(s, chosen != NULL));
  TH_TRY(chosen ? build_chosen(s, chosen, r) : build_nearest(s, r));
  TH_TRY(th_fit_save_json(s, s->dir));
  th_fit_write_json(s, r->json);
  if (chosen) drop_shared(s);
  return th_result_finish(r);
}

/* --- all --- */

static th_status open_crew(th_fit_search *s) {
  const int jobs = s->options->jobs ? s->options->jobs : th_parallel_threads();
  if (s->options->ranks) return th_crew_of_ranks(th_fit_do_job, s, &s->crew);
  return th_crew_of_processes(jobs, th_fit_do_job, s, &s->crew);
}

static th_status lead_or_serve(th_fit_search *s, th_result *r) {
  if (!th_crew_leads(s->crew)) return th_crew_serve(s->crew);
  TH_TRY(search(s));
  return finish(s, r);
}

static th_status run(th_fit_search *s, th_result *r) {
  s->arena = th_arena_create();
  if (!s->arena) return TH_ERR_RESOURCE;
  TH_TRY(read_limits(s));
  TH_TRY(choose_split(s));
  TH_TRY(choose_metric(s));
  TH_TRY(list_layers(s));
  s->shared = th_path_join(s->arena, s->dir, "trials");
  s->origin = th_chain_origin(s->model, s->data);
  TH_TRY(open_crew(s));
  return lead_or_serve(s, r);
}

/* What fits an integer network loses nothing first. */
static th_status lossless_of(const th_model *model, th_model **smaller) {
  th_lossless l;
  TH_TRY(th_lossless_run(model, NULL, &l));
  th_graph *graph = l.graph;
  l.graph = NULL;
  th_lossless_free(&l);
  return th_model_from_graph(graph, model->format, smaller);
}

th_status th_fit(const th_model *model, const th_data *data, const th_fit_options *options, const char *dir,
                 const th_context *ctx, th_result **result) {
  th_model *smaller = NULL;
  *result = NULL;
  TH_TRY(th_model_need_graph(model, "fit"));
  TH_TRY(th_model_need_trained(model, "fit"));
  if (!th_graph_is_float(model->graph)) TH_TRY(lossless_of(model, &smaller));
  th_fit_search s = {.model = smaller ? smaller : model, .data = data, .options = options, .ctx = ctx, .dir = dir};
  s.began = th_clock_seconds();
  s.test = (double)NAN;
  th_result *r;
  th_status status = th_result_create(&r);
  if (status == TH_OK) status = run(&s, r);
  if (status == TH_ERR_INTERRUPTED) explain_interruption(&s);
  const bool leads = !s.crew || th_crew_leads(s.crew);
  th_crew_close(s.crew);
  th_fit_journal_close(s.journal);
  th_arena_destroy(s.arena);
  th_model_close(smaller);
  if (leads || status != TH_OK) return th_result_give(status, r, result);
  th_result_free(r);
  return TH_OK;
}
bool th_fit_has_ranks(void) {
  return th_crew_has_ranks();
}
