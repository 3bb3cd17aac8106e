/* What a function found out: a JSON object for programs and text for people, filled side by side.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_REPORT_RESULT_H
#define TH_REPORT_RESULT_H

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

typedef struct th_result {
  th_arena *arena; /* for tables and strings */
  cJSON *json;     /* the root object */
  th_buf text;
  char *printed; /* the JSON as text, made when first asked for */
} th_result;

th_status th_result_create(th_result **result);
void th_result_free(th_result *result);

/* Adding to any JSON object; a failure leaves the key out. NaN becomes null. */
void th_json_number(cJSON *object, const char *key, double value);
void th_json_text(cJSON *object, const char *key, const char *value);
cJSON *th_json_object(cJSON *parent, const char *key); /* key NULL: appended to an array */
cJSON *th_json_array(cJSON *parent, const char *key);

/* TH_ERR_RESOURCE when the text or the printed JSON did not fit; call last. */
th_status th_result_finish(th_result *result);

#endif
