/* Status codes and the one error record.
 *
 * Every fallible function returns th_status; results come last in the argument list. On failure the function that
 * noticed the problem calls th_fail() with a message that says what was handled, what was found and what was
 * expected. The first error wins: while a record is set, later th_fail() calls keep it. The record belongs to the
 * calling thread; th_parallel_for() carries a worker's record to its caller.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_STATUS_H
#define TH_BASE_STATUS_H

#include "thimble/types.h"

#if defined(__GNUC__)
#define TH_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#define TH_MUST_USE __attribute__((warn_unused_result))
#else
#define TH_PRINTF(fmt_index, first_arg)
#define TH_MUST_USE
#endif

/* Records `status` and the formatted message if none is recorded yet; returns the status recorded. */
th_status th_fail(th_status status, const char *fmt, ...) TH_PRINTF(2, 3);

/* Puts "prefix: " before the recorded message (for callers that know the file or tensor). Returns the status. */
th_status th_fail_in(th_status status, const char *fmt, ...) TH_PRINTF(2, 3);

/* Sets this thread's record to a given one (used to carry a worker's error over). */
void th_error_set(th_status status, const char *message);

#define TH_TRY(expr)                                    \
  do {                                                  \
    th_status th_try_status_ = (expr);                  \
    if (th_try_status_ != TH_OK) return th_try_status_; \
  } while (0)

/* For functions with cleanup: sets `status_var` and jumps to `label` on failure. */
#define TH_TRY_OR(status_var, expr, label) \
  do {                                     \
    (status_var) = (expr);                 \
    if ((status_var) != TH_OK) goto label; \
  } while (0)

#endif
