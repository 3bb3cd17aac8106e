/* Compile, link, read the ELF's sizes, run under QEMU, read the report back. See firmware.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write/firmware.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parallel.h"
#include "base/str.h"
#include "write/process.h"
#include "write/targets.h"

enum { MOST_ARGUMENTS = 200, BUILD_SECONDS = 300, RUN_SECONDS = 3600 };
#define ELF_LIMIT ((size_t)256 << 20)

/* --- tools --- */

static const char *compiler_of(th_arena *arena, const th_target *t) {
  return *t->prefix ? th_arena_printf(arena, "%sgcc", t->prefix) : "cc";
}

bool th_firmware_available(const char *target, bool run, const char **why) {
  const th_target *t = th_target_find(target);
  th_arena *arena = th_arena_create();
  const char *missing = NULL;
  if (!t || !arena)
    missing = "unknown target";
  else if (!th_process_available(compiler_of(arena, t)))
    missing = *t->prefix ? "no cross compiler (Debian: gcc-arm-none-eabi, libnewlib-arm-none-eabi)" : "no C compiler";
  else if (run && *t->machine && !th_process_available("qemu-system-arm"))
    missing = "no qemu-system-arm (Debian: qemu-system-arm)";
  if (why) *why = missing;
  th_arena_destroy(arena);
  return !missing;
}

/* --- building --- */

typedef struct command {
  const char *argv[MOST_ARGUMENTS + 1];
  int n;
} command;

static void push(command *c, const char *argument) {
  if (argument && c->n < MOST_ARGUMENTS) c->argv[c->n++] = argument;
}

static th_status push_words(command *c, th_arena *arena, const char *words) {
  while (*words) {
    size_t length = strcspn(words, " ");
    const char *word = th_arena_printf(arena, "%.*s", (int)length, words);
    if (!word) return TH_ERR_RESOURCE;
    push(c, word);
    words += length + (words[length] == ' ');
  }
  return TH_OK;
}

/* All C sources below `dir`/`at`, in name order, as paths relative to `dir`. */
static th_status push_sources(command *c, th_arena *arena, const char *dir, const char *at) {
  char **names;
  int count;
  const char *full = *at ? th_path_join(arena, dir, at) : dir;
  if (!full) return TH_ERR_RESOURCE;
  TH_TRY(th_dir_list(arena, full, &names, &count));
  for (int i = 0; i < count; i++) {
    const char *relative = *at ? th_path_join(arena, at, names[i]) : names[i];
    const char *path = relative ? th_path_join(arena, dir, relative) : NULL;
    if (!path) return TH_ERR_RESOURCE;
    if (th_dir_exists(path)) {
      if (*at || th_str_eq(names[i], "rt")) TH_TRY(push_sources(c, arena, dir, relative));
    } else if (th_str_ends(names[i], ".c")) {
      if (c->n >= MOST_ARGUMENTS - 20) return th_fail(TH_ERR_INPUT, "%s holds too many C files", dir);
      push(c, relative);
    }
  }
  return TH_OK;
}

static th_status compile(th_arena *arena, const char *dir, const th_target *t, const char *output) {
  command c = {0};
  push(&c, compiler_of(arena, t));
  TH_TRY(push_words(&c, arena, t->flags));
  TH_TRY(push_words(&c, arena, "-std=c99 -Wall -Wextra -I. -Irt -Irt/include -ffunction-sections -fdata-sections"));
  if (*t->prefix) TH_TRY(push_words(&c, arena, TH_FIRMWARE_LINK_FLAGS " -Tlink.ld -Wno-unused-parameter"));
  TH_TRY(push_sources(&c, arena, dir, ""));
  TH_TRY(push_words(&c, arena, "-o"));
  push(&c, output);
  c.argv[c.n] = NULL;
  th_buf text = {0};
  int code = 0;
  th_status status = th_process_run(c.argv, dir, BUILD_SECONDS, NULL, NULL, &text, &code);
  if (status == TH_OK && code != 0)
    status =
        th_fail(TH_ERR_RESOURCE, "%s failed with code %d in %s:\n%.2000s", c.argv[0], code, dir, th_buf_cstr(&text));
  th_buf_free(&text);
  return status;
}

/* --- sizes: sections of an ELF file that take memory (System V ABI, chapter 4) --- */

enum { SHT_NOBITS_TYPE = 8, SHF_WRITE_FLAG = 1, SHF_ALLOC_FLAG = 2, SECTION_HEADER_BYTES = 40 };

static th_status read_sizes(th_arena *arena, const char *path, th_firmware_result *result) {
  uint8_t *data;
  size_t size;
  TH_TRY(th_file_read(arena, path, ELF_LIMIT, &data, &size));
  th_reader r = th_reader_init(data, size, path);
  if (size < 52 || memcmp(data, "\177ELF\1\1", 6)) return th_fail(TH_ERR_INPUT, "%s is not a 32-bit ELF file", path);
  th_reader_seek(&r, 32);
  uint32_t table = th_reader_u32(&r);
  th_reader_seek(&r, 48);
  uint16_t count = th_reader_u16(&r);
  for (uint32_t i = 0; i < count && !r.failed; i++) {
    th_reader_seek(&r, (size_t)table + (size_t)i * SECTION_HEADER_BYTES + 4);
    uint32_t type = th_reader_u32(&r), flags = th_reader_u32(&r);
    th_reader_seek(&r, (size_t)table + (size_t)i * SECTION_HEADER_BYTES + 20);
    uint32_t bytes = th_reader_u32(&r);
    if (!(flags & SHF_ALLOC_FLAG)) continue;
    if (type == SHT_NOBITS_TYPE)
      result->bss_bytes += bytes;
    else if (flags & SHF_WRITE_FLAG)
      result->data_bytes += bytes;
    else
      result->text_bytes += bytes;
  }
  result->flash_bytes = result->text_bytes + result->data_bytes;
  result->ram_bytes = result->data_bytes + result->bss_bytes;
  return th_reader_status(&r);
}

th_status th_firmware_build(const char *dir, const char *target, th_firmware_result *result) {
  const th_target *t = th_target_find(target);
  th_arena *arena = t ? th_arena_create() : NULL;
  if (!arena) return t ? TH_ERR_RESOURCE : TH_ERR_USAGE;
  *result = (th_firmware_result){0};
  const char *output = *t->prefix ? "firmware.elf" : "firmware", *path = th_path_join(arena, dir, output);
  th_status status = path ? compile(arena, dir, t, output) : TH_ERR_RESOURCE;
  if (status == TH_OK && *t->prefix) status = read_sizes(arena, path, result);
  th_arena_destroy(arena);
  return status;
}

/* --- running: the samples are split over a few instances, each in a folder of its own --- */

enum { JOBS = 4, FEWEST_PER_JOB = 16 };

typedef struct run {
  const char *dir;
  const th_target *t;
  int samples, jobs;
  const uint8_t *inputs;
  uint8_t *outputs;
  size_t input_bytes, output_bytes;
  bool count; /* job 0 then counts instructions on the first sample; jobs 1.. share the samples */
  const th_context *ctx;
  pthread_mutex_t report; /* one at a time tells the caller how far it is */
  int done[JOBS + 1];
  bool stop;
  th_firmware_result *result;
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

static th_status start(job *j) {
  command c = {0};
  if (!*j->r->t->machine) {
    TH_TRY(push_words(&c, j->arena, "../firmware input.bin output.bin"));
  } else {
    push(&c, "qemu-system-arm");
    push(&c, "-M");
    push(&c, j->r->t->machine);
    TH_TRY(push_words(&c, j->arena, "-nographic -monitor none -serial none"));
    TH_TRY(push_words(&c, j->arena, "-semihosting-config enable=on,target=native -kernel ../firmware.elf"));
    if (j->count) TH_TRY(push_words(&c, j->arena, "-icount shift=0"));
  }
  c.argv[c.n] = NULL;
  th_buf text = {0};
  int code = 0;
  th_status status = th_process_run(c.argv, j->dir, RUN_SECONDS, go_on, j, &text, &code);
  if (status == TH_OK && code != 0)
    status =
        th_fail(TH_ERR_CHECK, "the firmware in %s ended with code %d: %.500s", j->r->dir, code, th_buf_cstr(&text));
  th_buf_free(&text);
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

static th_status read_report(job *j) {
  uint8_t *text;
  size_t size;
  uint64_t arena, stack, first;
  th_firmware_result *result = j->r->result;
  TH_TRY(th_file_read(j->arena, j->report, 1 << 16, &text, &size));
  TH_TRY(report_value((const char *)text, "arena", &arena));
  TH_TRY(report_value((const char *)text, "stack", &stack));
  TH_TRY(report_value((const char *)text, "first", &first));
  result->arena_bytes = (uint32_t)arena;
  result->stack_bytes = (uint32_t)stack;
  if (j->count) result->instructions = first * (uint64_t)j->r->t->tick_ns;
  return TH_OK;
}

static th_status run_in_folder(job *j) {
  const run *r = j->r;
  uint8_t *data;
  size_t size, expected = (size_t)j->samples * r->output_bytes;
  TH_TRY(th_dir_create(j->dir));
  TH_TRY(th_file_write(j->input, r->inputs + (size_t)j->begin * r->input_bytes, (size_t)j->samples * r->input_bytes));
  TH_TRY(start(j));
  TH_TRY(th_file_read(j->arena, j->output, expected + 1, &data, &size));
  if (size != expected)
    return th_fail(TH_ERR_CHECK, "the firmware in %s wrote %zu bytes, expected %zu", r->dir, size, expected);
  if (!j->count && r->outputs) memcpy(r->outputs + (size_t)j->begin * r->output_bytes, data, size);
  /* all instances run the same code: the first that handles sample 0 reports for all */
  return *r->t->machine && j->begin == 0 && (j->count || !r->count) ? read_report(j) : TH_OK;
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
  j.input = j.dir ? th_path_join(j.arena, j.dir, "input.bin") : NULL;
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
  if (!r.t) return TH_ERR_USAGE;
  if (samples < 1 || output_bytes < 1) return th_fail(TH_ERR_USAGE, "a firmware run needs at least one sample");
  r.jobs = samples / FEWEST_PER_JOB < 1 ? 1 : samples / FEWEST_PER_JOB > JOBS ? JOBS : samples / FEWEST_PER_JOB;
  r.count = count && *r.t->machine;
  pthread_mutex_init(&r.report, NULL);
  th_status status = th_parallel_for(r.jobs + (r.count ? 1 : 0), run_job, &r);
  pthread_mutex_destroy(&r.report);
  result->samples = samples;
  return status;
}
