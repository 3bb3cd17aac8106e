/* Messages and progress: callbacks that the host program sets; the library itself prints nothing.
 *
 * A context is passed down explicitly to whatever may take long. A NULL context is silent and cannot be interrupted.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_LOG_H
#define TH_BASE_LOG_H

#include <stdbool.h>

typedef enum th_log_level { TH_LOG_DEBUG, TH_LOG_INFO, TH_LOG_WARN } th_log_level;

typedef struct th_progress {
  const char *stage;  /* "train lenet-5", "prune", ... */
  double done, total; /* in `unit`; total 0 = not known */
  const char *unit;   /* "steps", "images" */
  int epoch, epochs;  /* 0 when there are none */
  double loss;        /* NaN when not known */
  double accuracy;    /* 0..1 on the validation split, NaN when not known */
  double seconds;     /* since the stage began */
  double rate;        /* units per second */
  bool end;           /* last call of this stage */
} th_progress;

typedef struct th_context {
  void *user;
  void (*log)(void *user, th_log_level level, const char *message); /* may be NULL */
  bool (*progress)(void *user, const th_progress *progress);        /* false: please stop; may be NULL */
  int threads;                                                      /* 0: as many as the machine has */
} th_context;

void th_log(const th_context *ctx, th_log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool th_progress_report(const th_context *ctx, const th_progress *p); /* true: go on */
double th_clock_seconds(void);                                        /* monotonic */

#endif
