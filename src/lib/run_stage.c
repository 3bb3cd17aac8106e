/* th_stage_run: one stage with the numbers before and after. See thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "lib/rows.h"
#include "lib/stages.h"
#include "report/result.h"

static th_status run_and_measure(th_model *model, const th_data *data, const th_settings *s, const th_context *ctx,
                                 th_stage_rows *rows) {
  TH_TRY(th_model_need_graph(model, th_stage_name((int)th_settings_stage(s))));
  if (th_settings_stage(s) == TH_STAGE_SWEEP) rows->coders = &th_rows_coded;
  if (!model->untrained) TH_TRY(th_rows_measure(rows, "before", model, data, ctx));
  double begin = th_clock_seconds();
  th_status status = th_stage_apply(model, data, NULL, s, ctx);
  if (status != TH_OK) return status;
  TH_TRY(th_rows_measure(rows, th_stage_name((int)th_settings_stage(s)), model, data, ctx));
  rows->row[rows->n - 1].seconds = th_clock_seconds() - begin;
  th_rows_warn(rows, "ask for less, or give it more epochs", ctx);
  return TH_OK;
}

th_status th_stage_run(th_model *model, const th_data *data, const th_settings *settings, const th_context *ctx,
                       th_result **result) {
  th_stage_rows rows = {.seed = (uint64_t)th_settings_number(settings, "seed")};
  th_result *r;
  TH_TRY(th_result_create(&r));
  th_status status = run_and_measure(model, data, settings, ctx, &rows);
  if (status == TH_OK) {
    th_rows_write_last(&rows, r);
    th_rows_write(&rows, r);
    status = th_result_finish(r);
  }
  return th_result_give(status, r, result);
}
