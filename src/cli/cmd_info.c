/* info MODEL: what a model is made of; with --target (or another setting of compile), what it would take as
 * firmware, and with --device whether it fits.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>

#include "cli/cli.h"

static bool asks_for_target(const cli *c) {
  for (int i = 0; c->setting_rows[i].name; i++)
    if (c->setting_values[i]) return true;
  return false;
}

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)options, (void)n_words;
  th_model *model = NULL;
  th_settings *settings = NULL;
  th_result *result;
  if (asks_for_target(c)) TH_TRY(cli_settings(c, &settings));
  th_status status = th_model_open(words[0], &model);
  if (status == TH_OK) status = th_model_info(model, settings, &result);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_model_close(model);
  th_settings_free(settings);
  return status;
}

const cli_spec cli_spec_info = {NULL, NULL, 0, "compile", run};
