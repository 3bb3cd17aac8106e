/* Results. See result.h; the public side is in thimble/thimble.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/result.h"

#include <stdlib.h>
#include <string.h>

#include "thimble/thimble.h"

th_status th_result_create(th_result **result) {
  th_result *r = th_alloc(sizeof *r);
  if (!r) return TH_ERR_RESOURCE;
  r->arena = th_arena_create();
  r->json = th_json_object();
  if (!r->arena || !r->json) {
    th_result_free(r);
    return TH_ERR_RESOURCE;
  }
  *result = r;
  return TH_OK;
}

void th_result_free(th_result *r) {
  if (!r) return;
  th_arena_destroy(r->arena);
  th_json_free(r->json);
  th_buf_free(&r->printed);
  th_buf_free(&r->text);
  th_free(r);
}

th_status th_result_finish(th_result *r) {
  TH_TRY(th_buf_status(&r->text));
  r->printed.size = 0;
  return th_json_print(r->json, true, &r->printed);
}

th_status th_result_give(th_status status, th_result *made, th_result **result) {
  if (status == TH_OK)
    *result = made;
  else
    th_result_free(made);
  return status;
}

const char *th_result_json(th_result *r) {
  return th_buf_cstr(&r->printed);
}
const char *th_result_text(th_result *r) {
  return th_buf_cstr(&r->text);
}

double th_result_number(const th_result *r, const char *path, double otherwise) {
  const th_json *at = r->json;
  while (at && *path) {
    char key[64];
    size_t n = strcspn(path, ".");
    if (n == 0 || n >= sizeof key) return otherwise;
    memcpy(key, path, n);
    key[n] = '\0';
    bool is_position = key[strspn(key, "0123456789")] == '\0';
    at = is_position ? th_json_at(at, atoi(key)) : th_json_get(at, key);
    path += n + (path[n] == '.');
  }
  return at ? th_json_number(at, otherwise) : otherwise;
}
