/* What only a run on data shows: which classes are taken for which, and at which layer the error grows.
 *
 * Measured once, when the data are at hand, and kept in stages/measured.json, so that a report can be made again
 * without them. Nothing is chosen by these numbers. SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "lib/report.h"
#include "report/result.h"

enum { COMPARED = 1000 }; /* samples: enough for the size of an error */

static void take(th_json *measured, const char *key, th_result *r) {
  th_json_add_copy(measured, key, r->json);
  th_result_free(r);
}

/* Networks whose outputs or inputs differ cannot be compared: that is no failure of the report. */
static th_status compare(const th_report_job *j, th_json *measured) {
  th_result *r;
  if (!j->before) return TH_OK;
  const th_status status = th_compare(j->before, j->after, j->data, COMPARED, j->ctx, &r);
  if (status == TH_OK) {
    take(measured, "comparison", r);
    return TH_OK;
  }
  if (status != TH_ERR_INPUT) return status;
  th_json_add_string(measured, "comparison_skipped", th_error_message());
  th_error_clear();
  return TH_OK;
}

static th_status keep(const th_report_job *j, const th_json *measured) {
  const char *path = th_path_join(j->arena, j->dir, TH_MEASURED_FILE);
  th_buf text = {0};
  if (!path) return TH_ERR_RESOURCE;
  th_status status = th_json_print(measured, true, &text);
  if (status == TH_OK) status = th_file_write(path, text.data, text.size);
  th_buf_free(&text);
  return status;
}

th_status th_report_measure(th_report_job *j) {
  th_result *r;
  char id[TH_REPORT_ID];
  th_json *measured = th_json_object();
  if (!measured) return TH_ERR_RESOURCE;
  th_json_free(j->measured);
  j->measured = measured;
  th_json_add_string(measured, "report", th_report_id(j, id));
  TH_TRY(th_evaluate(j->after, j->data, TH_ON_TEST, 0, NULL, j->ctx, &r));
  take(measured, "evaluation", r);
  TH_TRY(compare(j, measured));
  if (j->thorough && !j->fit) TH_TRY(th_report_sensitivity(j));
  return keep(j, measured);
}
