/* compare A B --data DATA: accuracy of both, agreement, and per layer the error of B against A.
 * SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stddef.h>

#include "cli/cli.h"

typedef struct compare_options {
  const char *data;
  int limit;
} compare_options;

static const opt_row rows[] = {
    {OPT_STRING, 'd', "data", offsetof(compare_options, data), "DATA", "data set, see 'thimble help'", 0, 0},
    {OPT_INT, 'n', "limit", offsetof(compare_options, limit), "N", "only the first N test samples; 0: all", 0, INT_MAX},
    OPT_END};
static const compare_options defaults = {NULL, 0};

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const compare_options *o = options;
  th_model *a = NULL, *b = NULL;
  th_data *data = NULL;
  th_result *result;
  TH_TRY(cli_need(o->data, "--data DATA"));
  th_status status = th_model_open(words[0], &a);
  if (status == TH_OK) status = th_model_open(words[1], &b);
  if (status == TH_OK) status = cli_data_open(o->data, &data);
  if (status == TH_OK) status = th_compare(a, b, data, o->limit, &c->context, &result);
  cli_progress_end(&c->progress);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_data_close(data);
  th_model_close(b);
  th_model_close(a);
  return status;
}

const cli_spec cli_spec_compare = {rows, &defaults, sizeof defaults, NULL, run};
