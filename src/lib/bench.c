/* th_bench: the linked firmware, run under emulation, byte against byte with the host, as a whole and built again to
 * count each layer. See bench.h and thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/bench.h"

#include "base/file.h"
#include "lib/compile.h"
#include "lib/lossless.h"
#include "lib/predict.h"
#include "lib/settings.h"
#include "lib/trial.h"
#include "write/targets.h"

/* --- the firmware --- */

/* The chip's memory, whole. */
static th_device part_of(const th_bench_run *b) {
  const th_target *t = th_target_find(b->target);
  return (th_device){.name = t->name,
                     .flash_bytes = th_target_memory(t->flash, "LENGTH"),
                     .ram_bytes = th_target_memory(t->ram, "LENGTH")};
}

/* Said before compiler and linker say it in their words. They have the last word where a prediction of flash may be
 * wrong by its two percent. */
static th_status check_room(const th_bench_run *b) {
  const th_device part = part_of(b);
  const int64_t flash = b->predicted.flash_bytes, ram = b->predicted.ram_bytes;
  const th_needs surely = {flash - flash / 50, ram, false}, needs = {flash, ram, false};
  if (part.flash_bytes == 0 || flash < 0 || th_needs_met(&surely, &part)) return TH_OK;
  return th_needs_check(&needs, &part, b->deployed.program->goal == TH_FOR_RAM ? "" : "; optimize ram needs the least");
}

/* Linkers know nothing of the stack: one that runs into the example's buffers would hang or give wrong bytes. */
static th_status check_stack(const th_bench_run *b, const th_firmware_result *linked, const char *advice) {
  const th_device part = part_of(b);
  const th_needs needs = {linked->flash_bytes, (int64_t)linked->ram_bytes + b->predicted.stack_bytes, false};
  if (part.ram_bytes == 0 || b->predicted.stack_bytes < 0) return TH_OK;
  return th_needs_check(&needs, &part, advice);
}

static th_status count_layers(th_bench_run *b, const th_trial *t, const char *dir, const th_context *ctx,
                              th_arena *arena) {
  const th_goal goal = b->deployed.program->goal;
  th_firmware_result linked;
  const int layers = b->deployed.program->n_steps;
  if (!b->firmware.instructions) return TH_OK; /* no counter there */
  b->layer_instructions = TH_ARRAY(arena, uint64_t, layers);
  if (!b->layer_instructions) return TH_ERR_RESOURCE;
  TH_TRY(th_firmware_build(dir, b->target, goal, TH_FIRMWARE_PROFILE, &linked));
  TH_TRY(check_stack(b, &linked, "; totals does without counters of layers"));
  return th_firmware_profile(dir, b->target, t->inputs, t->in_bytes, t->out_bytes, layers, b->layer_instructions, ctx);
}

static th_status run_firmware(th_bench_run *b, const th_model *m, const th_settings *s, th_trial *t, const char *dir,
                              const th_context *ctx) {
  b->optimize = th_settings_text(s, "optimize");
  TH_TRY(th_compile_deploy(m, s, &b->deployed));
  TH_TRY(th_predict_deployed(&b->deployed, th_target_find(b->target), b->deployed.program->arena, &b->predicted));
  TH_TRY(check_room(b));
  TH_TRY(th_compile_firmware(m, s, dir));
  TH_TRY(th_firmware_build(dir, b->target, th_compile_goal(s), TH_FIRMWARE_PLAIN, &b->firmware));
  TH_TRY(check_stack(b, &b->firmware, "; the example's buffers and the stack are counted"));
  TH_TRY(th_firmware_run(dir, b->target, t->samples, t->inputs, t->in_bytes, t->device, t->out_bytes, true, ctx,
                         &b->firmware));
  b->samples = t->samples;
  b->bytes = (int64_t)t->samples * (int64_t)t->out_bytes;
  b->different = th_trial_different(t);
  b->labelled = t->labels ? t->samples : 0;
  b->right = t->labels ? th_trial_right(t) : 0;
  return TH_OK;
}

/* What is compiled: the model, or what the lossless passes make of it. Outputs are compared with those of the model. */
static th_status make_model(const th_model *m, bool lossless, th_model **compiled) {
  th_lossless l;
  if (!lossless) return th_model_clone(m, compiled);
  TH_TRY(th_lossless_run(m, &th_packed_only, &l));
  th_graph *g = l.graph;
  l.graph = NULL;
  th_lossless_free(&l);
  return th_model_from_graph(g, m->format, compiled);
}

typedef struct bench {
  th_model *model, *compiled;
  const th_data *data;
  const th_bench_options *options;
  const char *target, *dir;
  const th_context *ctx;
  th_trial trial;
  th_bench_run run[TH_BENCH_RUNS];
  int n;
  th_result *result;
} bench;

static th_status make_inputs(bench *b) {
  th_arena *arena = b->result->arena;
  b->trial.samples = b->options->samples;
  if (b->options->input) return th_trial_from_file(&b->trial, b->model, b->options->input, arena);
  return b->data ? th_trial_from_data(&b->trial, b->model, b->data, arena)
                 : th_trial_random(&b->trial, b->model, arena);
}

static th_status run_one(bench *b, const th_settings *s, const char *dir) {
  TH_TRY(th_compile_check_device(b->compiled, s));
  th_bench_run *run = &b->run[b->n++];
  run->device = th_device_of(s);
  run->target = b->target;
  run->inputs = b->options->input ? "given" : b->data ? "test" : "random";
  run->unit = th_target_family(th_target_find(b->target))->unit;
  TH_TRY(th_name_file(run_firmware(run, b->compiled, s, &b->trial, dir, b->ctx), b->model->path));
  if (b->options->totals) return TH_OK;
  return th_name_file(count_layers(run, &b->trial, dir, b->ctx, b->result->arena), b->model->path);
}

/* Each in a folder of its own, as the settings say but for what they optimize. */
static th_status run_all(bench *b, const th_settings *settings) {
  static const char *const goals[TH_BENCH_RUNS] = {"speed", "size", "ram"};
  for (int i = 0; i < TH_BENCH_RUNS; i++) {
    th_settings *s;
    const char *dir = th_path_join(b->result->arena, b->dir, goals[i]);
    TH_TRY(th_settings_copy(settings, &s));
    th_status status = dir ? th_settings_set(s, "optimize", goals[i]) : TH_ERR_RESOURCE;
    if (status == TH_OK) status = run_one(b, s, dir);
    b->run[i].optimize = goals[i];
    th_settings_free(s);
    TH_TRY(status);
  }
  return TH_OK;
}

/* What would change nothing. */
static th_status check_settings(const bench *b, const th_settings *s) {
  if (!th_settings_is_default(s, "as"))
    return th_fail(TH_ERR_USAGE, "as has no meaning: what is run is the project for the target");
  if (b->options->all && !th_settings_is_default(s, "optimize"))
    return th_fail(TH_ERR_USAGE, "all builds for speed, size and ram; leave out optimize");
  return TH_OK;
}

static th_status bench_into(bench *b, const th_settings *s) {
  const char *why;
  TH_TRY(check_settings(b, s));
  b->target = th_settings_text(s, "target");
  if (!th_firmware_available(b->target, true, &why)) return th_fail(TH_ERR_RESOURCE, "%s: %s", b->target, why);
  TH_TRY(make_inputs(b));
  TH_TRY(th_trial_run_host(&b->trial, b->model));
  TH_TRY(b->options->all ? run_all(b, s) : run_one(b, s, b->dir));
  th_bench_write(b->run, b->n, b->result);
  TH_TRY(th_result_finish(b->result));
  for (int i = 0; i < b->n; i++)
    if (b->run[i].different) return th_fail(TH_ERR_CHECK, "%s", th_result_text(b->result));
  return TH_OK;
}

th_status th_bench(th_model *model, const th_data *data, const th_settings *settings, const th_bench_options *options,
                   const char *dir, const th_context *ctx, th_result **result) {
  bench b = {.model = model, .data = data, .options = options, .dir = dir, .ctx = ctx};
  TH_TRY(th_compile_need_integer(model));
  TH_TRY(th_result_create(&b.result));
  th_status status = make_model(model, options->lossless, &b.compiled);
  if (status == TH_OK) status = bench_into(&b, settings);
  for (int i = 0; i < b.n; i++) th_deployed_free(&b.run[i].deployed);
  th_model_close(b.compiled);
  return th_result_give(status, b.result, result);
}
