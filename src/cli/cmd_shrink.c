/* shrink MODEL --data DATA -o DIR: the whole chain by the default recipe or a given one; --lossless: without one.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cli/cli.h"

typedef struct shrink_options {
  const char *data, *output, *recipe, *target, *device;
  bool resume, lossless;
} shrink_options;

static const opt_row rows[] = {
    {OPT_STRING, 'd', "data", offsetof(shrink_options, data), "DATA", "data set, see 'thimble help'", 0, 0},
    {OPT_FILE, 'o', "output", offsetof(shrink_options, output), "DIR", "folder to write", 0, 0},
    {OPT_FILE, 'r', "recipe", offsetof(shrink_options, recipe), "FILE", "recipe to follow [the default one]", 0, 0},
    {OPT_STRING, 0, "target", offsetof(shrink_options, target), "NAME",
     "microcontroller to compile for [the recipe's, else cortex-m4]", 0, 0},
    {OPT_STRING, 0, "device", offsetof(shrink_options, device), "NAME",
     "part of 'thimble devices' to compile for: decides the target, and you hear whether the result fits", 0, 0},
    {OPT_FLAG, 0, "resume", offsetof(shrink_options, resume), NULL, "go on with an interrupted run in the same folder",
     0, 0},
    {OPT_FLAG, 0, "lossless", offsetof(shrink_options, lossless), NULL,
     "only what keeps every output bit of a quantized model; needs no data", 0, 0},
    OPT_END};
static const shrink_options defaults = {0};

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const shrink_options *o = options;
  th_model *model = NULL;
  th_data *data = NULL;
  th_result *result;
  if (!o->lossless) TH_TRY(cli_need(o->data, "--data DATA"));
  if (o->lossless && (o->recipe || o->resume))
    return th_fail(TH_ERR_USAGE, "--lossless has no recipe and nothing to resume");
  TH_TRY(cli_need(o->output, "-o DIR"));
  TH_TRY(cli_check_folder_output(o->output));
  uint64_t seed = c->common.seed.given ? c->common.seed.value : 0; /* 0: the recipe's */
  th_shrink_options shrink = {o->recipe, seed, o->resume, o->target, o->device, o->lossless};
  th_status status = th_model_open(words[0], &model);
  if (status == TH_OK && o->data) status = cli_data_open(o->data, &data);
  if (status == TH_OK) status = th_shrink(model, data, &shrink, o->output, &c->context, &result);
  cli_progress_end(&c->progress);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_data_close(data);
  th_model_close(model);
  return status;
}

const cli_spec cli_spec_shrink = {rows, &defaults, sizeof defaults, NULL, run};
