/* The thread's error record. See status.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

typedef struct record {
  th_status status;
  char text[1024];
} record;

static _Thread_local record current;

th_status th_fail(th_status status, const char *fmt, ...) {
  if (current.status != TH_OK) return current.status;
  va_list args;
  va_start(args, fmt);
  vsnprintf(current.text, sizeof current.text, fmt, args);
  va_end(args);
  th_str_clean(current.text);
  current.status = status;
  return status;
}

th_status th_fail_in(th_status status, const char *fmt, ...) {
  char joined[sizeof current.text];
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(joined, sizeof joined, fmt, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof joined) n = (int)sizeof joined - 1;
  size_t room = sizeof joined - (size_t)n;
  snprintf(joined + n, room, ": %.*s", (int)room, current.text);
  th_str_clean(joined);
  memcpy(current.text, joined, sizeof joined);
  if (current.status == TH_OK) current.status = status;
  return current.status;
}

const char *th_error_message(void) {
  return current.text;
}
th_status th_error_status(void) {
  return current.status;
}

void th_error_clear(void) {
  current.status = TH_OK;
  current.text[0] = '\0';
}

void th_error_set(th_status status, const char *message) {
  char copy[sizeof current.text];
  snprintf(copy, sizeof copy, "%s", message); /* `message` may be this thread's own record */
  memcpy(current.text, copy, sizeof copy);
  current.status = status;
}
