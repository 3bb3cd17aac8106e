/* bench MODEL: time per inference on this machine, by layer. With --target (or a data set or folder): build the
 * firmware, run it under emulation, compare every output byte with the host's, and measure. SPDX-License-Identifier:
 * Apache-2.0 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/cli.h"

typedef struct bench_options {
  const char *data, *output;
  int samples;
  const char *input;
  bool lossless, all, totals;
} bench_options;

static const opt_row rows[] = {
    {OPT_STRING, 'd', "data", offsetof(bench_options, data), "DATA",
     "data set whose test samples are run [random values]", 0, 0},
    {OPT_FILE, 'o', "output", offsetof(bench_options, output), "DIR", "folder for the firmware [firmware]", 0, 0},
    {OPT_INT, 'n', "samples", offsetof(bench_options, samples), "N", "samples to run", 1, INT_MAX},
    {OPT_FILE, 0, "input", offsetof(bench_options, input), "FILE", "raw inputs, sample after sample, instead of DATA",
     0, 0},
    {OPT_FLAG, 0, "all", offsetof(bench_options, all), NULL,
     "builds for speed, size and ram beside each other, in folders of DIR", 0, 0},
    {OPT_FLAG, 0, "totals", offsetof(bench_options, totals), NULL,
     "do not count single layers, which takes a second build", 0, 0},
    {OPT_FLAG, 0, "lossless", offsetof(bench_options, lossless), NULL,
     "compile what shrink --lossless would make of the model", 0, 0},
    OPT_END};
static const bench_options defaults = {.samples = 100};

/* Nothing that belongs to a firmware was given. */
static bool about_host(const cli *c, const bench_options *o) {
  for (int i = 0; c->setting_rows[i].name; i++)
    if (c->setting_values[i]) return false;
  return !o->data && !o->output && !o->input && !o->all && !o->totals && !o->lossless;
}

static th_status run_firmware(cli *c, const bench_options *o, th_model *model, th_result **result) {
  const char *output = o->output ? o->output : "firmware";
  th_data *data = NULL;
  th_settings *settings = NULL;
  TH_TRY(cli_check_folder_output(output));
  TH_TRY(cli_settings(c, &settings));
  th_status status = o->data ? cli_data_open(o->data, &data) : TH_OK;
  const th_bench_options options = {
      .samples = o->samples, .input = o->input, .all = o->all, .totals = o->totals, .lossless = o->lossless};
  if (status == TH_OK) status = th_bench(model, data, settings, &options, output, &c->context, result);
  th_data_close(data);
  th_settings_free(settings);
  return status;
}

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const bench_options *o = options;
  th_model *model = NULL;
  th_result *result;
  TH_TRY(th_model_open(words[0], &model));
  th_status status = about_host(c, o) ? th_bench_host(model, o->samples, &result) : run_firmware(c, o, model, &result);
  cli_progress_end(&c->progress);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_model_close(model);
  return status;
}

const cli_spec cli_spec_bench = {rows, &defaults, sizeof defaults, "compile", run};
