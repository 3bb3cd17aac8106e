/* Results. See result.h; the public side is in thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thimble/thimble.h"

th_status th_result_create(th_result **result) {
  th_result *r = th_alloc(sizeof *r);
  if (!r) return TH_ERR_RESOURCE;
  r->arena = th_arena_create();
  r->json = cJSON_CreateObject();
  if (!r->arena || !r->json) {
    th_result_free(r);
    return th_fail(TH_ERR_RESOURCE, "out of memory for a result");
  }
  *result = r;
  return TH_OK;
}

void th_result_free(th_result *r) {
  if (!r) return;
  th_arena_destroy(r->arena);
  cJSON_Delete(r->json);
  cJSON_free(r->printed);
  th_buf_free(&r->text);
  th_free(r);
}

void th_json_number(cJSON *object, const char *key, double value) {
  if (isnan(value))
    cJSON_AddNullToObject(object, key);
  else
    cJSON_AddNumberToObject(object, key, value);
}

void th_json_text(cJSON *object, const char *key, const char *value) {
  cJSON_AddStringToObject(object, key, value);
}

static cJSON *attach(cJSON *parent, const char *key, cJSON *child) {
  if (!child) return NULL;
  bool ok = key ? cJSON_AddItemToObject(parent, key, child) : cJSON_AddItemToArray(parent, child);
  if (ok) return child;
  cJSON_Delete(child);
  return NULL;
}

cJSON *th_json_object(cJSON *parent, const char *key) {
  return attach(parent, key, cJSON_CreateObject());
}
cJSON *th_json_array(cJSON *parent, const char *key) {
  return attach(parent, key, cJSON_CreateArray());
}

th_status th_result_finish(th_result *r) {
  TH_TRY(th_buf_status(&r->text));
  cJSON_free(r->printed);
  r->printed = cJSON_Print(r->json);
  return r->printed ? TH_OK : th_fail(TH_ERR_RESOURCE, "out of memory for a result");
}

const char *th_result_json(th_result *r) {
  return r->printed ? r->printed : "{}";
}
const char *th_result_text(th_result *r) {
  return th_buf_cstr(&r->text);
}

double th_result_number(const th_result *r, const char *path, double otherwise) {
  const cJSON *at = r->json;
  while (at && *path) {
    char key[64];
    size_t n = strcspn(path, ".");
    if (n == 0 || n >= sizeof key) return otherwise;
    memcpy(key, path, n);
    key[n] = '\0';
    at = cJSON_IsArray(at) ? cJSON_GetArrayItem(at, atoi(key)) : cJSON_GetObjectItemCaseSensitive(at, key);
    path += n + (path[n] == '.');
  }
  return cJSON_IsNumber(at) ? at->valuedouble : otherwise;
}
