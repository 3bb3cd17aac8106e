/* fit MODEL --data DATA --device NAME | --flash N --ram N -o DIR: searches until the model keeps the limits. Started by
 * mpirun, all its ranks work; the first one has the result. SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"

typedef struct fit_options {
  const char *data, *output, *target, *device, *flash, *ram, *drop, *accuracy, *budget;
  int trials, jobs;
  bool resume;
} fit_options;

static const opt_row rows[] = {
    {OPT_STRING, 'd', "data", offsetof(fit_options, data), "DATA", "data set, see 'thimble help'", 0, 0},
    {OPT_FILE, 'o', "output", offsetof(fit_options, output), "DIR", "folder to write", 0, 0},
    {OPT_STRING, 0, "device", offsetof(fit_options, device), "NAME",
     "part of 'thimble devices' that it should fit: decides target, flash and RAM", 0, 0},
    {OPT_STRING, 0, "target", offsetof(fit_options, target), "NAME",
     "processor to compile for [the device's, else cortex-m4]", 0, 0},
    {OPT_STRING, 0, "flash", offsetof(fit_options, flash), "BYTES", "limit for code and weights, as 64K [the device's]",
     0, 0},
    {OPT_STRING, 0, "ram", offsetof(fit_options, ram), "BYTES", "limit for arena and stack, as 16K [the device's]", 0,
     0},
    {OPT_STRING, 0, "max-drop", offsetof(fit_options, drop), "POINTS",
     "accuracy that may be lost, on the validation split (of a squared error: percent that it may grow)", 0, 0},
    {OPT_STRING, 0, "min-accuracy", offsetof(fit_options, accuracy), "A", "accuracy that has to be kept, 0 to 1", 0, 0},
    {OPT_STRING, 0, "budget", offsetof(fit_options, budget), "TIME", "time for the search, as 90s, 30m or 2h [30m]", 0,
     0},
    {OPT_INT, 0, "trials", offsetof(fit_options, trials), "N",
     "trials at most (0: 60), the probes of the sensitivity not counted; a search that is given this and no budget is "
     "not cut off by time",
     1, 100000},
    {OPT_INT, 'j', "jobs", offsetof(fit_options, jobs), "N", "trials at a time (0: one per processor)", 1, 1024},
    {OPT_FLAG, 0, "resume", offsetof(fit_options, resume), NULL,
     "go on with an interrupted search in the same folder; the same command without it does so, too", 0, 0},
    OPT_END};
static const fit_options defaults = {0};

/* --- reading --- */

static th_status read_bytes(const char *option, const char *text, int64_t *bytes) {
  long long v;
  if (!text) return TH_OK;
  if (!th_str_size(text, &v) || v < 1)
    return th_fail(TH_ERR_USAGE, "%s: \"%s\" is no number of bytes, as 16384 or 16K", option, text);
  *bytes = v;
  return TH_OK;
}

static th_status read_number(const char *option, const char *text, double least, double most, double *number) {
  if (!text) return TH_OK;
  if (th_str_double(text, number) && *number >= least && *number <= most) return TH_OK;
  return th_fail(TH_ERR_USAGE, "%s: \"%s\": expected a number from %g to %g", option, text, least, most);
}

static th_status read_time(const char *text, double *seconds) {
  static const struct {
    char unit;
    double seconds;
  } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
  char number[32] = "";
  const size_t n = strlen(text);
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (n < 2 || n > sizeof number || text[n - 1] != units[i].unit) continue;
    memcpy(number, text, n - 1);
    if (!th_str_double(number, seconds) || !(*seconds > 0) || *seconds > 1e6) break;
    *seconds *= units[i].seconds;
    return TH_OK;
  }
  return th_fail(TH_ERR_USAGE, "--budget: \"%s\" is no time, as 90s, 30m or 2h", text);
}

static th_status read_options(const cli *c, const fit_options *o, th_fit_options *fit) {
  TH_TRY(cli_need(o->data, "--data DATA"));
  TH_TRY(cli_need(o->output, "-o DIR"));
  if (!o->device && !o->flash && !o->ram)
    return th_fail(TH_ERR_USAGE, "expected what to fit: --device NAME, --flash BYTES or --ram BYTES");
  TH_TRY(cli_check_folder_output(o->output));
  *fit = (th_fit_options){.target = o->target,
                          .device = o->device,
                          .max_drop = (double)NAN,
                          .min_accuracy = (double)NAN,
                          .budget_seconds = o->trials ? 0 : 1800,
                          .trials = o->trials,
                          .seed = c->common.seed.value,
                          .jobs = o->jobs,
                          .ranks = getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE") || getenv("PMIX_RANK"),
                          .resume = o->resume};
  TH_TRY(read_bytes("--flash", o->flash, &fit->flash_bytes));
  TH_TRY(read_bytes("--ram", o->ram, &fit->ram_bytes));
  TH_TRY(read_number("--max-drop", o->drop, 0, 1000, &fit->max_drop));
  TH_TRY(read_number("--min-accuracy", o->accuracy, 0, 1, &fit->min_accuracy));
  return o->budget ? read_time(o->budget, &fit->budget_seconds) : TH_OK;
}

/* --- printing --- */

static th_status print(const cli *c, th_result *result) {
  const bool chosen = th_result_number(result, "chosen", 0) > 0;
  TH_TRY(cli_print_result(c, result));
  return chosen ? TH_OK : th_fail(TH_ERR_CHECK, "nothing that was tried keeps all limits");
}

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const fit_options *o = options;
  th_fit_options fit;
  th_model *model = NULL;
  th_data *data = NULL;
  th_result *result = NULL;
  TH_TRY(read_options(c, o, &fit));
  th_status status = th_model_open(words[0], &model);
  if (status == TH_OK) status = cli_data_open(o->data, &data);
  if (status == TH_OK) status = th_fit(model, data, &fit, o->output, &c->context, &result);
  cli_progress_end(&c->progress);
  if (status == TH_OK && result) status = print(c, result);
  th_data_close(data);
  th_model_close(model);
  return status;
}

const cli_spec cli_spec_fit = {rows, &defaults, sizeof defaults, NULL, run};
