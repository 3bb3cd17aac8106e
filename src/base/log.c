/* Messages and progress through the context's callbacks. See log.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/str.h"

void th_log(const th_context *ctx, th_log_level level, const char *fmt, ...) {
  if (!ctx || !ctx->log) return;
  char text[1024];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  th_str_clean(text);
  ctx->log(ctx->user, level, text);
}

bool th_progress_report(const th_context *ctx, const th_progress *p) {
  return !ctx || !ctx->progress || ctx->progress(ctx->user, p);
}

double th_clock_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
