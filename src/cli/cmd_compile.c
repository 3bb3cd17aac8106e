/* compile MODEL -o DIR: source or another deployable form for a target. SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cli/cli.h"

typedef struct compile_options {
  const char *output;
} compile_options;

static const opt_row rows[] = {
    {OPT_FILE, 'o', "output", offsetof(compile_options, output), "DIR", "folder to write", 0, 0}, OPT_END};
static const compile_options defaults = {NULL};

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const compile_options *o = options;
  th_model *model = NULL;
  th_settings *settings = NULL;
  th_result *result;
  TH_TRY(cli_need(o->output, "-o DIR"));
  TH_TRY(cli_check_folder_output(o->output));
  TH_TRY(cli_settings(c, &settings));
  th_status status = th_model_open(words[0], &model);
  if (status == TH_OK) status = th_compile(model, settings, o->output, &c->context, &result);
  cli_progress_end(&c->progress);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_model_close(model);
  th_settings_free(settings);
  return status;
}

const cli_spec cli_spec_compile = {rows, &defaults, sizeof defaults, "compile", run};
