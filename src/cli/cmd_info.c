/* info MODEL: what a model is made of, and what it fits. SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cli/cli.h"

typedef struct info_options {
  const char *device;
} info_options;

static const opt_row rows[] = {{OPT_STRING, 0, "device", offsetof(info_options, device), "NAME",
                                "does it fit this one of 'thimble devices'? [says which of all]", 0, 0},
                               OPT_END};
static const info_options defaults = {NULL};

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const info_options *o = options;
  th_model *model;
  th_result *result;
  TH_TRY(th_model_open(words[0], &model));
  th_status status = th_model_info(model, o->device, &result);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_model_close(model);
  return status;
}

const cli_spec cli_spec_info = {rows, &defaults, sizeof defaults, NULL, run};
