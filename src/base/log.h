/* Messages and progress: callbacks that the host program sets; the library itself prints nothing.
 *
 * A context is passed down explicitly to whatever may take long. A NULL context is silent and cannot be interrupted.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_LOG_H
#define TH_BASE_LOG_H

#include "thimble/types.h"

void th_log(const th_context *ctx, th_log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool th_progress_report(const th_context *ctx, const th_progress *p); /* true: go on */
double th_clock_seconds(void);                                        /* monotonic */

#endif
