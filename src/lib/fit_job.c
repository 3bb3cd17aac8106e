/* A job of the search, as the worker does it: run a recipe's stages, measure, size; and its outcome as JSON. See fit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "lib/chain.h"
#include "lib/compile.h"
#include "lib/fit.h"
#include "lib/measure.h"

enum { PROBE_SAMPLES = 2000 }; /* enough to tell layers apart */

/* --- the job as bytes --- */

void th_fit_write_job(const th_fit_job *job, th_buf *out) {
  th_buf_u8(out, (uint8_t)job->kind);
  th_buf_append(out, job->recipe, strlen(job->recipe) + 1);
}

uint64_t th_fit_job_key(const th_fit_search *s, const th_fit_job *job) {
  th_buf b = {0};
  th_fit_write_job(job, &b);
  th_buf_u64(&b, s->origin);
  th_buf_u8(&b, (uint8_t)s->split);
  const uint64_t key = th_hash64(b.data, b.size);
  th_buf_free(&b);
  return key;
}

/* --- measuring and sizing --- */

static double value_of(const th_measure *m) {
  return m->metric == TH_METRIC_ACCURACY ? m->accuracy : m->metric == TH_METRIC_AUC ? m->auc : m->mse;
}

static th_status measure(const th_fit_search *s, th_fit_kind kind, th_model *model, th_json *out) {
  th_measure m = {.metric = s->metric};
  TH_TRY(th_measure_run(model, s->data, s->split, kind == TH_FIT_PROBE ? PROBE_SAMPLES : 0, NULL, &m));
  th_json_add_number(out, "value", value_of(&m));
  return TH_OK;
}

static const struct {
  const char *optimize, *coder;
} builds[] = {
#define TH_FIT_BUILD(optimize, coder) {optimize, coder},
#include "lib/fit_builds.def"
#undef TH_FIT_BUILD
};
enum { BUILDS = sizeof builds / sizeof *builds };
_Static_assert((int)BUILDS <= (int)TH_FIT_MOST_BUILDS, "more rows in fit_builds.def than an outcome has room for");

static th_status size_build(const th_model *model, const th_settings *compile, th_json *list) {
  th_buf blob = {0};
  th_fit_build b;
  th_status status = th_compile_blob(model, compile, &blob);
  b.bytes = (int64_t)blob.size;
  th_buf_free(&blob);
  TH_TRY(status);
  TH_TRY(th_fit_predict(model, compile, &b));
  th_json *o = th_json_add_object(list, NULL);
  th_json_add_string(o, "optimize", th_settings_text(compile, "optimize"));
  th_json_add_string(o, "coder", th_settings_text(compile, "coder"));
  th_json_add_int(o, "bytes", b.bytes);
  th_json_add_int(o, "flash_bytes", b.flash_bytes);
  th_json_add_int(o, "ram_bytes", b.ram_bytes);
  th_json_add_int(o, "instructions", b.instructions);
  return TH_OK;
}

/* All ways to compile it. One that a target does not take is none; the first error counts when there is no other. */
static th_status size_builds(const th_model *model, const th_settings *settings, th_json *out) {
  th_json *list = th_json_add_array(out, "builds");
  char first[1024] = "";
  for (int i = 0; i < BUILDS; i++) {
    th_settings *compile;
    TH_TRY(th_settings_copy(settings, &compile));
    th_status status = th_settings_set(compile, "optimize", builds[i].optimize);
    if (status == TH_OK) status = th_settings_set(compile, "coder", builds[i].coder);
    if (status == TH_OK) status = size_build(model, compile, list);
    th_settings_free(compile);
    if (status == TH_ERR_RESOURCE) return status;
    if (status != TH_OK && !*first) snprintf(first, sizeof first, "%s", th_error_message());
    th_error_clear();
  }
  return th_json_count(list) ? TH_OK : th_fail(TH_ERR_INPUT, "%s", first);
}

/* --- the whole job --- */

static th_status run_chain(const th_fit_search *s, th_fit_kind kind, th_chain *c, th_json *out) {
  TH_TRY(th_chain_begin(c, NULL, NULL));
  for (int i = 0; i < th_chain_stages(c); i++) TH_TRY(th_chain_run_stage(c, i));
  if (kind != TH_FIT_SIZE) TH_TRY(measure(s, kind, c->model, out));
  const th_settings *compile = th_chain_compile(c);
  return compile ? size_builds(c->model, compile, out) : TH_OK;
}

static th_status run_recipe(const th_fit_search *s, th_fit_kind kind, const char *recipe, th_json *out) {
  th_chain c = {.original = s->model,
                .data = s->data,
                .resume = true,
                .shared = s->shared,
                .keep_shared = kind == TH_FIT_TRIAL,
                .origin = s->origin};
  const double begin = th_clock_seconds();
  TH_TRY(th_recipe_parse(recipe, "a recipe of the search", &c.recipe));
  const th_status status = run_chain(s, kind, &c, out);
  th_chain_end(&c);
  th_json_add_number(out, "seconds", th_clock_seconds() - begin);
  return status;
}

/* What a recipe cannot do to this network is an outcome, too. */
th_status th_fit_do_job(void *user, const th_buf *job, th_buf *result) {
  const th_fit_search *s = user;
  if (job->size < 2 || job->data[job->size - 1]) return th_fail(TH_ERR_INTERNAL, "a job that is none");
  th_json *out = th_json_object();
  th_status status = run_recipe(s, (th_fit_kind)job->data[0], (const char *)job->data + 1, out);
  if (status != TH_OK && status != TH_ERR_RESOURCE && status != TH_ERR_INTERNAL) {
    th_json_add_string(out, "error", th_error_message());
    th_error_clear();
    status = TH_OK;
  }
  if (status == TH_OK) status = th_json_print(out, false, result);
  th_json_free(out);
  return status;
}

/* --- the outcome --- */

static int64_t whole_number(const th_json *o, const char *key) {
  const double v = th_json_number(th_json_get(o, key), 0);
  return v > 0 && v < 9e15 ? (int64_t)v : 0;
}

static bool read_builds(th_arena *arena, const th_json *list, th_fit_outcome *o) {
  for (const th_json *b = th_json_first(list); b && o->builds < TH_FIT_MOST_BUILDS; b = th_json_next(b)) {
    th_fit_build *to = &o->build[o->builds++];
    *to = (th_fit_build){.optimize = th_arena_strdup(arena, th_json_string(th_json_get(b, "optimize"), "")),
                         .coder = th_arena_strdup(arena, th_json_string(th_json_get(b, "coder"), "")),
                         .bytes = whole_number(b, "bytes"),
                         .flash_bytes = whole_number(b, "flash_bytes"),
                         .ram_bytes = whole_number(b, "ram_bytes"),
                         .instructions = whole_number(b, "instructions")};
    if (!to->optimize || !to->coder) return false;
  }
  return true;
}

bool th_fit_read_outcome(th_arena *arena, const th_json *json, th_fit_outcome *o) {
  const char *error = th_json_string(th_json_get(json, "error"), NULL);
  *o = (th_fit_outcome){.value = th_json_number(th_json_get(json, "value"), (double)NAN),
                        .seconds = th_json_number(th_json_get(json, "seconds"), 0)};
  if (!th_json_is_object(json)) return false;
  if (error && !(o->error = th_arena_strdup(arena, error))) return false;
  return read_builds(arena, th_json_get(json, "builds"), o);
}

double th_fit_drop(const th_fit_search *s, double value) {
  if (s->metric == TH_METRIC_MSE) return 100 * (value - s->base) / (s->base > 0 ? s->base : 1);
  return 100 * (s->base - value);
}
