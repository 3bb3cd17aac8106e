/* report DIR: one HTML file that shows what a folder of shrink or fit holds.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cli/cli.h"

typedef struct report_options {
  const char *output, *data;
} report_options;

static const opt_row rows[] = {
    {OPT_FILE, 'o', "output", offsetof(report_options, output), "FILE", "page to write [DIR/report.html]", 0, 0},
    {OPT_STRING, 'd', "data", offsetof(report_options, data), "DATA",
     "measure confusion, errors and sensitivity by layer on this data set, see 'thimble help'", 0, 0},
    OPT_END};
static const report_options defaults = {0};

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const report_options *o = options;
  th_data *data = NULL;
  th_result *result;
  if (o->output) TH_TRY(cli_check_file_output(o->output));
  th_status status = o->data ? cli_data_open(o->data, &data) : TH_OK;
  if (status == TH_OK) status = th_report(words[0], data, o->output, &c->context, &result);
  cli_progress_end(&c->progress);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_data_close(data);
  return status;
}

const cli_spec cli_spec_report = {rows, &defaults, sizeof defaults, NULL, run};
