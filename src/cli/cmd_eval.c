/* eval MODEL --data DATA: accuracy, AUC or squared error, by the arithmetic of the model: integer models run the
 * device's own kernels. SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stddef.h>

#include "cli/cli.h"

typedef struct eval_options {
  const char *data, *metric;
  bool validation, training;
  int limit;
} eval_options;

static const opt_row rows[] = {
    {OPT_STRING, 'd', "data", offsetof(eval_options, data), "DATA", "data set, see 'thimble help'", 0, 0},
    {OPT_FLAG, 0, "validation", offsetof(eval_options, validation), NULL, "the validation part, not the test set", 0,
     0},
    {OPT_FLAG, 0, "training", offsetof(eval_options, training), NULL, "the training part, not the test set", 0, 0},
    {OPT_INT, 'n', "limit", offsetof(eval_options, limit), "N", "only the first N samples; 0: all", 0, INT_MAX},
    {OPT_STRING, 'm', "metric", offsetof(eval_options, metric), "M", "accuracy, auc or mse [by the data set]", 0, 0},
    OPT_END};
static const eval_options defaults = {.limit = 0};

static th_status run(cli *c, const void *options, int n_words, char **words) {
  (void)n_words;
  const eval_options *o = options;
  th_model *model = NULL;
  th_data *data = NULL;
  th_result *result;
  TH_TRY(cli_need(o->data, "--data DATA"));
  if (o->validation && o->training) return th_fail(TH_ERR_USAGE, "--validation and --training exclude each other");
  th_split_name split = o->validation ? TH_ON_VALIDATION : o->training ? TH_ON_TRAINING : TH_ON_TEST;
  th_status status = th_model_open(words[0], &model);
  if (status == TH_OK) status = cli_data_open(o->data, &data);
  if (status == TH_OK) status = th_evaluate(model, data, split, o->limit, o->metric, &c->context, &result);
  cli_progress_end(&c->progress);
  if (status == TH_OK) status = cli_print_result(c, result);
  th_data_close(data);
  th_model_close(model);
  return status;
}

const cli_spec cli_spec_eval = {rows, &defaults, sizeof defaults, NULL, run};
