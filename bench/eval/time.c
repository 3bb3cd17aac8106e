/* Times the evaluator, command by command, so that bench/eval/run.py can alternate it with other programs.
 *
 *   time MODEL INPUT [VARIANTS]      INPUT: samples of the model's input in its own type; VARIANTS: kernel variants
 *                                    that may be used, 0 for the reference [all]
 *
 * Commands on standard input: "run BATCH ROUNDS" prints the microseconds per sample of the fastest round and of all;
 * "write FILE" the output of all samples; "load ROUNDS" the milliseconds of reading, lowering and planning the model;
 * "variants" the names of those that this processor runs. One thread. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/parallel.h"
#include "eval/eval.h"
#include "eval/lower.h"
#include "eval/variant.h"
#include "lib/model.h"
#include "pass/plan.h"

typedef struct bench {
  const char *path;
  th_arena *arena;
  th_model *model;
  th_eval *eval;
  uint8_t *input, *output;
  size_t in_bytes, out_bytes;
  int samples;
} bench;

/* Of the processor, so that other programs on a busy machine count little. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static th_status open_all(bench *b, const char *input, int variants) {
  size_t size;
  TH_TRY(th_model_open(b->path, &b->model));
  TH_TRY(th_eval_open_variants(b->model->graph, false, variants, &b->eval));
  TH_TRY(th_file_read(b->arena, input, TH_FILE_LIMIT, &b->input, &size));
  b->in_bytes = th_model_input(b->model, 0).bytes;
  b->out_bytes = th_model_output(b->model, 0).bytes;
  b->samples = (int)(size / b->in_bytes);
  if (b->samples < 1) return th_fail(TH_ERR_INPUT, "%s: less than one sample", input);
  b->output = th_arena_array(b->arena, (size_t)b->samples, b->out_bytes);
  return b->output ? TH_OK : TH_ERR_RESOURCE;
}

/* All samples once, `batch` of them at a time. */
static th_status run_all(bench *b, int batch) {
  for (int i = 0; i < b->samples; i += batch) {
    const void *in[] = {b->input + (size_t)i * b->in_bytes};
    void *out[] = {b->output + (size_t)i * b->out_bytes};
    TH_TRY(th_eval_run(b->eval, b->samples - i < batch ? b->samples - i : batch, in, out));
  }
  return TH_OK;
}

static th_status command_run(bench *b, int batch, int rounds) {
  double least = 1e9, begin = seconds();
  for (int i = 0; i < rounds; i++) {
    const double before = seconds();
    TH_TRY(run_all(b, batch));
    const double took = seconds() - before;
    if (took < least) least = took;
  }
  printf("%.3f %.3f\n", 1e6 * least / b->samples, 1e6 * (seconds() - begin) / b->samples / rounds);
  return TH_OK;
}

static th_status command_write(bench *b, const char *path) {
  TH_TRY(run_all(b, b->samples));
  TH_TRY(th_file_write(path, b->output, (size_t)b->samples * b->out_bytes));
  printf("ok\n");
  return TH_OK;
}

static th_status load(const char *path) {
  th_model *m;
  th_program *p;
  TH_TRY(th_model_open(path, &m));
  th_status status = th_lower(m->graph, &p);
  if (status == TH_OK) {
    status = th_pass_plan(p, NULL);
    th_program_destroy(p);
  }
  th_model_close(m);
  return status;
}

static th_status command_load(const bench *b, int rounds) {
  double least = 1e9, begin = seconds();
  for (int i = 0; i < rounds; i++) {
    const double before = seconds();
    TH_TRY(load(b->path));
    const double took = seconds() - before;
    if (took < least) least = took;
  }
  printf("%.3f %.3f\n", 1e3 * least, 1e3 * (seconds() - begin) / rounds);
  return TH_OK;
}

static th_status command_variants(void) {
  printf("variants:");
  for (int i = 0; th_variant_nth(i); i++) printf(" %s", th_variant_nth(i)->name);
  printf("\n");
  return TH_OK;
}

static th_status command(bench *b, const char *line) {
  char word[300];
  int batch, rounds;
  if (sscanf(line, "run %d %d", &batch, &rounds) == 2 && batch > 0) return command_run(b, batch, rounds);
  if (sscanf(line, "load %d", &rounds) == 1) return command_load(b, rounds);
  if (!strncmp(line, "variants", 8)) return command_variants();
  if (sscanf(line, "write %299s", word) == 1) return command_write(b, word);
  return th_fail(TH_ERR_USAGE, "unknown command %s", line);
}

int main(int argc, char **argv) {
  bench b = {.path = argc > 1 ? argv[1] : "", .arena = th_arena_create()};
  char line[400];
  if (argc < 3) return fprintf(stderr, "usage: time MODEL INPUT [VARIANTS]\n"), 2;
  th_parallel_set_threads(1);
  th_status status = open_all(&b, argv[2], argc > 3 ? atoi(argv[3]) : TH_VARIANT_BEST);
  while (status == TH_OK && fgets(line, sizeof line, stdin)) {
    status = command(&b, line);
    fflush(stdout);
  }
  if (status != TH_OK) fprintf(stderr, "%s\n", th_error_message());
  th_eval_close(b.eval);
  th_model_close(b.model);
  th_arena_destroy(b.arena);
  return (int)status;
}
