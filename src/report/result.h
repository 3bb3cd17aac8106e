/* What a function found out: a JSON object for programs and text for people, filled side by side.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_REPORT_RESULT_H
#define TH_REPORT_RESULT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "format/json.h"

typedef struct th_result {
  th_arena *arena; /* for tables and strings */
  th_json *json;   /* the root object */
  th_buf text;
  th_buf printed; /* the JSON as text */
} th_result;

th_status th_result_create(th_result **result);
void th_result_free(th_result *result);

/* Prints the JSON; TH_ERR_RESOURCE when it or the text did not fit. Call last. */
th_status th_result_finish(th_result *result);

/* The end of a function that made a result: gives it to the caller when `status` is TH_OK, else frees it. Returns
 * status. */
th_status th_result_give(th_status status, th_result *made, th_result **result);

#endif
