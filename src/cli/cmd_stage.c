/* train, prune, distill, cluster, quantize, sweep: open a model, apply one stage of the library, save it.
 *
 * Whatever may go wrong without any work is checked before work begins. A long stage keeps a checkpoint beside its
 * output; Ctrl-C leaves it, --resume goes on from it, success removes it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"

typedef struct stage_options {
  const char *data, *output;
} stage_options;

static const opt_row rows[] = {
    {OPT_STRING, 'd', "data", offsetof(stage_options, data), "DATA", "data set, see 'thimble help'", 0, 0},
    {OPT_FILE, 'o', "output", offsetof(stage_options, output), "FILE",
     "where the result goes, .thim or .tflite [the model's name, the stage, .thim]", 0, 0},
    OPT_END};
static const stage_options defaults = {NULL, NULL};

/* "models/lenet-5.txt" and "prune" -> "lenet-5-prune.thim", in the current folder. */
static const char *default_output(cli *c, const char *model) {
  const char *base = th_path_base(model);
  int stem = (int)(strlen(base) - strlen(th_path_extension(base)));
  if (strcmp(c->command->name, "train") == 0) return th_arena_printf(c->arena, "%.*s.thim", stem, base);
  return th_arena_printf(c->arena, "%.*s-%s.thim", stem, base, c->command->name);
}

/* Value of the setting `name` as given on the command line, or NULL. */
static const char *given(const cli *c, const char *name) {
  for (int i = 0; c->setting_rows[i].name; i++)
    if (strcmp(c->setting_rows[i].name, name) == 0) return c->setting_values[i];
  return NULL;
}

typedef struct job {
  const char *model_path, *output, *checkpoint; /* checkpoint: NULL when the stage has none */
  bool own_checkpoint;                          /* chosen here, removed after success */
  th_settings *settings;
  th_model *model;
  th_data *data;
  th_result *result;
} job;

static th_status choose_checkpoint(cli *c, job *j) {
  if (!cli_stage_has(c->command->name, "checkpoint")) return TH_OK;
  j->checkpoint = given(c, "checkpoint");
  if (j->checkpoint) return TH_OK;
  j->checkpoint = th_arena_printf(c->arena, "%s.checkpoint", j->output);
  j->own_checkpoint = true;
  return j->checkpoint ? th_settings_set(j->settings, "checkpoint", j->checkpoint) : th_error_status();
}

/* Says how to go on after an interruption; the first error record gives way to the better one. */
static th_status explain_interruption(const job *j) {
  if (!j->checkpoint || !th_file_exists(j->checkpoint)) return TH_ERR_INTERRUPTED;
  th_error_clear();
  return th_fail(TH_ERR_INTERRUPTED, "interrupted; %s holds the state, the same command with --resume goes on from it",
                 j->checkpoint);
}

static th_status run_job(cli *c, const stage_options *o, job *j) {
  TH_TRY(cli_check_model_output(j->output));
  TH_TRY(cli_settings(c, &j->settings));
  TH_TRY(choose_checkpoint(c, j));
  TH_TRY(th_model_open(j->model_path, &j->model));
  TH_TRY(cli_data_open(o->data, &j->data));
  th_status status = th_stage_run(j->model, j->data, j->settings, &c->context, &j->result);
  if (status == TH_ERR_INTERRUPTED) return explain_interruption(j);
  TH_TRY(status);
  TH_TRY(th_model_save(j->model, j->output));
  if (j->own_checkpoint) remove(j->checkpoint);
  cli_progress_end(&c->progress);
  th_result *result = j->result;
  j->result = NULL;
  TH_TRY(cli_print_result(c, result));
  cli_say(c, "wrote %s", j->output);
  return TH_OK;
}

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const stage_options *o = options;
  job j = {.model_path = words[0], .output = o->output ? o->output : default_output(c, words[0])};
  TH_TRY(cli_need(o->data, "--data DATA"));
  if (!j.output) return th_error_status();
  th_status status = run_job(c, o, &j);
  th_result_free(j.result);
  th_data_close(j.data);
  th_model_close(j.model);
  th_settings_free(j.settings);
  return status;
}

const cli_spec cli_spec_stage = {rows, &defaults, sizeof defaults, NULL, run};
