/* devices: the microcontrollers that --device knows; --fits MODEL: and which of them a model fits.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cli/cli.h"

typedef struct devices_options {
  const char *fits;
} devices_options;

static const opt_row rows[] = {{OPT_FILE, 0, "fits", offsetof(devices_options, fits), "MODEL",
                                "a quantized model: say what it needs on each and whether that is there", 0, 0},
                               OPT_END};
static const devices_options defaults = {NULL};

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words, (void)words;
  const devices_options *o = options;
  th_model *model = NULL;
  th_result *result;
  if (o->fits) TH_TRY(th_model_open(o->fits, &model));
  th_status status = th_devices(model, &result);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_model_close(model);
  return status;
}

const cli_spec cli_spec_devices = {rows, &defaults, sizeof defaults, NULL, run};
