/* Runs under emulation, and reading back what they wrote. See firmware.h. The samples are split over a few instances,
 * each in a folder of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parallel.h"
#include "base/str.h"
#include "write/command.h"
#include "write/firmware.h"
#include "write/serial.h"
#include "write/targets.h"

enum { RUN_SECONDS = 3600 };

enum { JOBS = 4, FEWEST_PER_JOB = 16 };

typedef struct run {
  const char *dir;
  const th_target *t;
  int samples, jobs;
  const uint8_t *inputs;
  uint8_t *outputs;
  size_t input_bytes, output_bytes;
  th_firmware_kind kind;
  bool count; /* job 0 then counts instructions on the first sample; jobs 1.. share the samples */
  const th_context *ctx;
  pthread_mutex_t report; /* one at a time tells the caller how far it is */
  int done[JOBS + 1];
  bool stop;
  th_firmware_result *result;
  int layers; /* kind PROFILE */
  uint64_t *layer_instructions;
} run;

typedef struct job {
  run *r;
  int number, begin, samples;
  bool count;
  th_arena *arena;
  const char *dir, *input, *output, *report;
} job;

/* The output file grows by a sample at a time. */
static bool go_on(void *user) {
  job *j = user;
  struct stat file;
  int done = stat(j->output, &file) == 0 ? (int)((size_t)file.st_size / j->r->output_bytes) : 0, sum = 0;
  pthread_mutex_lock(&j->r->report);
  j->r->done[j->number] = j->count ? 0 : done;
  for (int i = 0; i <= JOBS; i++) sum += j->r->done[i];
  th_progress p = {.stage = "firmware",
                   .done = sum,
                   .total = j->r->samples,
                   .unit = "samples",
                   .loss = (double)NAN,
                   .accuracy = (double)NAN};
  if (!j->r->stop) j->r->stop = !th_progress_report(j->r->ctx, &p);
  bool yes = !j->r->stop;
  pthread_mutex_unlock(&j->r->report);
  return yes;
}

static const char *command_of(const job *j) {
  if (th_target_is_host(j->r->t)) return "../firmware input.bin output.bin";
  const char *file = th_arena_printf(j->arena, "../%s", th_firmware_file(j->r->t->name, j->r->kind));
  return file ? th_target_command(j->r->t, file, j->count, j->arena) : NULL;
}

static th_status start(job *j, th_buf *text) {
  th_command c = {0};
  const char *words = command_of(j);
  if (!words) return TH_ERR_RESOURCE;
  TH_TRY(th_command_words(&c, j->arena, words));
  int code = 0;
  TH_TRY(th_process_run(th_command_argv(&c), j->dir, RUN_SECONDS, go_on, j, text, &code));
  if (code == 0) return TH_OK;
  return th_fail(TH_ERR_CHECK, "the firmware in %s ended with code %d: %.500s", j->r->dir, code, th_buf_cstr(text));
}

/* Boards that open the host's files run all samples at once. */
static th_status run_with_files(job *j) {
  const run *r = j->r;
  th_buf text = {0};
  TH_TRY(th_file_write(j->input, r->inputs + (size_t)j->begin * r->input_bytes, (size_t)j->samples * r->input_bytes));
  const th_status status = start(j, &text);
  th_buf_free(&text);
  return status;
}

/* The others start anew for each sample; what they send becomes the same files. */
static th_status run_by_serial(job *j) {
  const run *r = j->r;
  th_buf output = {0};
  th_status status = TH_OK;
  for (int i = 0; i < j->samples && status == TH_OK; i++) {
    th_buf hex = {0}, text = {0};
    status = th_serial_input(r->inputs + (size_t)(j->begin + i) * r->input_bytes, r->input_bytes, &hex);
    if (status == TH_OK) status = th_file_write(j->input, hex.data, hex.size);
    if (status == TH_OK) status = start(j, &text);
    if (status == TH_OK) status = th_serial_output(th_buf_cstr(&text), &output);
    if (status == TH_OK) status = th_file_write(j->output, output.data, output.size);
    if (status == TH_OK && i == 0) status = th_file_write(j->report, text.data, text.size);
    th_buf_free(&hex);
    th_buf_free(&text);
  }
  th_buf_free(&output);
  return status;
}

static th_status report_value(const char *report, const char *name, uint64_t *value) {
  const char *at = strstr(report, name);
  unsigned long long v;
  if (!at || sscanf(at + strlen(name), " %llx", &v) != 1)
    return th_fail(TH_ERR_CHECK, "the firmware's report has no line \"%s\"", name);
  *value = v;
  return TH_OK;
}

static uint64_t instructions_of(const th_target *t, uint64_t ticks) {
  return ticks * 1000000000u / (uint64_t)t->hertz;
}

static th_status read_report(job *j) {
  uint8_t *text;
  size_t size;
  uint64_t arena, touched, outside, stack, first;
  th_firmware_result *result = j->r->result;
  TH_TRY(th_file_read(j->arena, j->report, 1 << 16, &text, &size));
  TH_TRY(report_value((const char *)text, "arena", &arena));
  TH_TRY(report_value((const char *)text, "touched", &touched));
  TH_TRY(report_value((const char *)text, "outside", &outside));
  TH_TRY(report_value((const char *)text, "stack", &stack));
  TH_TRY(report_value((const char *)text, "first", &first));
  if (outside) return th_fail(TH_ERR_CHECK, "the firmware in %s writes outside its arena", j->r->dir);
  result->arena_bytes = (uint32_t)arena;
  result->touched_bytes = (uint32_t)touched;
  result->stack_bytes = (uint32_t)stack;
  if (j->count) result->instructions = instructions_of(j->r->t, first);
  const char *at = (const char *)text;
  for (int i = 0; j->count && i < j->r->layers; i++) { /* one line each, in order */
    at = strstr(at, "layer");
    TH_TRY(report_value(at ? at : "", "layer", &first));
    j->r->layer_instructions[i] = instructions_of(j->r->t, first);
    at += strlen("layer");
  }
  return TH_OK;
}

static th_status run_in_folder(job *j) {
  const run *r = j->r;
  uint8_t *data;
  size_t size, expected = (size_t)j->samples * r->output_bytes;
  TH_TRY(th_dir_create(j->dir));
  TH_TRY(th_target_has_files(r->t) ? run_with_files(j) : run_by_serial(j));
  TH_TRY(th_file_read(j->arena, j->output, expected + 1, &data, &size));
  if (size != expected)
    return th_fail(TH_ERR_CHECK, "the firmware in %s wrote %zu bytes, expected %zu", r->dir, size, expected);
  if (!j->count && r->outputs) memcpy(r->outputs + (size_t)j->begin * r->output_bytes, data, size);
  /* all instances run the same code: the first that handles sample 0 reports for all */
  return !th_target_is_host(r->t) && j->begin == 0 && (j->count || !r->count) ? read_report(j) : TH_OK;
}

static th_status run_job(void *arg, int chunk, int thread) {
  (void)thread;
  run *r = arg;
  bool count = r->count && chunk == 0;
  int share = chunk - (r->count ? 1 : 0);
  job j = {.r = r, .number = chunk, .count = count, .arena = th_arena_create()};
  if (!j.arena) return TH_ERR_RESOURCE;
  j.begin = count ? 0 : (int)((int64_t)r->samples * share / r->jobs);
  j.samples = count ? 1 : (int)((int64_t)r->samples * (share + 1) / r->jobs) - j.begin;
  j.dir = th_arena_printf(j.arena, "%s/run%d", r->dir, chunk);
  j.input = j.dir ? th_path_join(j.arena, j.dir, th_target_has_files(r->t) ? "input.bin" : "input.hex") : NULL;
  j.output = j.dir ? th_path_join(j.arena, j.dir, "output.bin") : NULL;
  j.report = j.dir ? th_path_join(j.arena, j.dir, "report.txt") : NULL;
  th_status status = j.input && j.output && j.report ? run_in_folder(&j) : TH_ERR_RESOURCE;
  if (j.input && j.output && j.report) {
    unlink(j.input);
    unlink(j.output);
    unlink(j.report);
    rmdir(j.dir);
  }
  th_arena_destroy(j.arena);
  return status;
}

static th_status run_all(run *r) {
  if (!r->t) return TH_ERR_USAGE;
  if (r->samples < 1 || r->output_bytes < 1) return th_fail(TH_ERR_USAGE, "a firmware run needs at least one sample");
  pthread_mutex_init(&r->report, NULL);
  th_status status = th_parallel_for(r->jobs + (r->count ? 1 : 0), run_job, r);
  pthread_mutex_destroy(&r->report);
  return status;
}

th_status th_firmware_run(const char *dir, const char *target, int samples, const void *inputs, size_t input_bytes,
                          void *outputs, size_t output_bytes, bool count, const th_context *ctx,
                          th_firmware_result *result) {
  run r = {.dir = dir,
           .t = th_target_find(target),
           .samples = samples,
           .inputs = inputs,
           .outputs = outputs,
           .input_bytes = input_bytes,
           .output_bytes = output_bytes,
           .ctx = ctx,
           .result = result};
  r.jobs = samples / FEWEST_PER_JOB < 1 ? 1 : samples / FEWEST_PER_JOB > JOBS ? JOBS : samples / FEWEST_PER_JOB;
  r.count = count && r.t && !th_target_is_host(r.t);
  result->samples = samples;
  return run_all(&r);
}

th_status th_firmware_profile(const char *dir, const char *target, const void *input, size_t input_bytes,
                              size_t output_bytes, int layers, uint64_t *instructions, const th_context *ctx) {
  th_firmware_result result = {0};
  run r = {.dir = dir,
           .t = th_target_find(target),
           .kind = TH_FIRMWARE_PROFILE,
           .samples = 1,
           .inputs = input,
           .input_bytes = input_bytes,
           .output_bytes = output_bytes,
           .count = true,
           .ctx = ctx,
           .result = &result,
           .layers = layers,
           .layer_instructions = instructions};
  return run_all(&r);
}
