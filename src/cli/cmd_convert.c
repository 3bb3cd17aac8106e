/* convert IN OUT: read one format, write another, nothing in between. SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)options, (void)n_words;
  th_model *model;
  th_result *result;
  TH_TRY(cli_check_model_output(words[1]));
  TH_TRY(th_model_open(words[0], &model));
  th_status status = th_model_save(model, words[1]);
  if (status == TH_OK && c->common.json) {
    status = th_model_info(model, NULL, &result);
    if (status == TH_OK) status = cli_print_result(c, result);
  }
  if (status == TH_OK) cli_say(c, "wrote %s", words[1]);
  th_model_close(model);
  return status;
}

const cli_spec cli_spec_convert = {NULL, NULL, 0, NULL, run};
