/* JSON over cJSON: adds error recording, exact integers, and refusal of what JSON cannot say (NaN).
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static th_json *made(th_json *value) {
  if (!value) th_fail(TH_ERR_RESOURCE, "out of memory while building JSON");
  return value;
}

th_json *th_json_object(void) {
  return made(cJSON_CreateObject());
}

th_json *th_json_array(void) {
  return made(cJSON_CreateArray());
}

void th_json_free(th_json *root) {
  cJSON_Delete(root);
}

/* Hands `value` over to `parent`; frees it and gives NULL when that is not possible. */
static th_json *attach(th_json *parent, const char *key, th_json *value) {
  if (!made(value)) return NULL;
  bool ok = parent && (key ? cJSON_AddItemToObject(parent, key, value) : cJSON_AddItemToArray(parent, value));
  if (ok) return value;
  cJSON_Delete(value);
  return made(NULL);
}

th_json *th_json_add_object(th_json *parent, const char *key) {
  return attach(parent, key, cJSON_CreateObject());
}

th_json *th_json_add_array(th_json *parent, const char *key) {
  return attach(parent, key, cJSON_CreateArray());
}

void th_json_add_string(th_json *parent, const char *key, const char *value) {
  attach(parent, key, value ? cJSON_CreateString(value) : cJSON_CreateNull());
}

void th_json_add_number(th_json *parent, const char *key, double value) {
  attach(parent, key, isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

void th_json_add_int(th_json *parent, const char *key, int64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%" PRId64, value);
  attach(parent, key, cJSON_CreateRaw(text)); /* a double would round beyond 2^53 */
}

void th_json_add_bool(th_json *parent, const char *key, bool value) {
  attach(parent, key, cJSON_CreateBool(value));
}

void th_json_add_copy(th_json *parent, const char *key, const th_json *value) {
  if (value) attach(parent, key, cJSON_Duplicate(value, true));
}

th_status th_json_print(const th_json *root, bool pretty, th_buf *out) {
  if (!root || th_error_status() == TH_ERR_RESOURCE)
    return th_fail(TH_ERR_RESOURCE, "out of memory while building JSON");
  char *text = pretty ? cJSON_Print(root) : cJSON_PrintUnformatted(root);
  if (!text) return th_fail(TH_ERR_RESOURCE, "out of memory while printing JSON");
  th_buf_append(out, text, strlen(text));
  th_buf_u8(out, '\n');
  cJSON_free(text);
  return th_buf_status(out);
}

static int line_of(const char *text, const char *at) {
  int line = 1;
  for (const char *p = text; p < at; ++p) line += *p == '\n';
  return line;
}

th_status th_json_parse(const char *text, size_t size, const char *what, th_json **root) {
  const char *end = NULL;
  *root = cJSON_ParseWithLengthOpts(text, size, &end, 0);
  if (*root) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s:%d: not valid JSON", what, end ? line_of(text, end) : 1);
}

const th_json *th_json_get(const th_json *object, const char *key) {
  return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

const th_json *th_json_at(const th_json *array, int index) {
  return cJSON_IsArray(array) ? cJSON_GetArrayItem(array, index) : NULL;
}

int th_json_count(const th_json *array) {
  return cJSON_IsArray(array) ? cJSON_GetArraySize(array) : 0;
}

double th_json_number(const th_json *value, double otherwise) {
  if (cJSON_IsRaw(value)) return strtod(value->valuestring, NULL); /* th_json_add_int */
  return cJSON_IsNumber(value) ? value->valuedouble : otherwise;
}

const char *th_json_string(const th_json *value, const char *otherwise) {
  return cJSON_IsString(value) ? value->valuestring : otherwise;
}

bool th_json_is_array(const th_json *value) {
  return cJSON_IsArray(value);
}

bool th_json_is_object(const th_json *value) {
  return cJSON_IsObject(value);
}

bool th_json_is_string(const th_json *value) {
  return cJSON_IsString(value);
}

bool th_json_is_number(const th_json *value) {
  return cJSON_IsNumber(value);
}

bool th_json_bool(const th_json *value, bool otherwise) {
  return cJSON_IsBool(value) ? cJSON_IsTrue(value) : otherwise;
}

const th_json *th_json_first(const th_json *value) {
  return cJSON_IsArray(value) || cJSON_IsObject(value) ? value->child : NULL;
}

const th_json *th_json_next(const th_json *member) {
  return member->next;
}

const char *th_json_key(const th_json *member) {
  return member->string;
}
