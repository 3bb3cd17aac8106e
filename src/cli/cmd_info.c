/* info MODEL: what a model is made of. SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)options, (void)n_words;
  th_model *model;
  th_result *result;
  TH_TRY(th_model_open(words[0], &model));
  th_status status = th_model_info(model, &result);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_model_close(model);
  return status;
}

const cli_spec cli_spec_info = {NULL, NULL, 0, NULL, run};
