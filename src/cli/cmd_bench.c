/* bench MODEL [--data DATA]: build the firmware, run it under emulation, compare every output byte with
 * the host's, and measure. SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stddef.h>

#include "cli/cli.h"

typedef struct bench_options {
  const char *data, *output;
  int samples;
} bench_options;

static const opt_row rows[] = {
    {OPT_STRING, 'd', "data", offsetof(bench_options, data), "DATA",
     "data set whose test samples are run [random values]", 0, 0},
    {OPT_FILE, 'o', "output", offsetof(bench_options, output), "DIR", "folder for the firmware", 0, 0},
    {OPT_INT, 'n', "samples", offsetof(bench_options, samples), "N", "samples to run", 1, INT_MAX},
    OPT_END};
static const bench_options defaults = {.output = "firmware", .samples = 100};

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const bench_options *o = options;
  th_model *model = NULL;
  th_data *data = NULL;
  th_settings *settings = NULL;
  th_result *result;
  TH_TRY(cli_check_folder_output(o->output));
  TH_TRY(cli_settings(c, &settings));
  th_status status = th_model_open(words[0], &model);
  if (status == TH_OK && o->data) status = cli_data_open(o->data, &data);
  if (status == TH_OK) status = th_bench(model, data, settings, o->samples, o->output, &c->context, &result);
  cli_progress_end(&c->progress);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_data_close(data);
  th_model_close(model);
  th_settings_free(settings);
  return status;
}

const cli_spec cli_spec_bench = {rows, &defaults, sizeof defaults, "compile", run};
