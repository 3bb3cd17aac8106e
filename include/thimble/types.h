/* Thimble: status codes and callbacks, shared by the whole public interface.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THIMBLE_TYPES_H
#define THIMBLE_TYPES_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* in a shared library all else is hidden */
#endif

typedef enum th_status {
  TH_OK = 0,
  TH_ERR_CHECK = 1,       /* a comparison or limit that was asked for does not hold */
  TH_ERR_USAGE = 2,       /* bad argument or option */
  TH_ERR_INPUT = 3,       /* bad or unsupported file, model, data set or recipe */
  TH_ERR_RESOURCE = 4,    /* memory, disk, file descriptors */
  TH_ERR_INTERRUPTED = 5, /* the progress callback asked to stop; what was promised to be saved is saved */
  TH_ERR_INTERNAL = 70    /* a bug */
} th_status;

/* The message of the last failure on this thread: what was handled, what was found, what was expected. "" when none.
 * It stays until th_error_clear(): the first error wins. */
const char *th_error_message(void);
th_status th_error_status(void);
void th_error_clear(void);

typedef enum th_log_level { TH_LOG_DEBUG, TH_LOG_INFO, TH_LOG_WARN } th_log_level;

typedef struct th_progress {
  const char *stage;  /* "train", "prune", ... */
  double done, total; /* in `unit`; total 0 = not known */
  const char *unit;   /* "samples", "layers", ... */
  int epoch, epochs;  /* 0 when there are none */
  double loss;        /* NaN when not known */
  double accuracy;    /* 0..1 on the validation split, NaN when not known */
  double seconds;     /* since the stage began */
  double rate;        /* units per second */
  bool end;           /* last call of this stage */
} th_progress;

/* Callbacks. A NULL context, or NULL members, mean: silent and not interruptible. The library never prints. */
typedef struct th_context {
  void *user;
  void (*log)(void *user, th_log_level level, const char *message);
  bool (*progress)(void *user, const th_progress *progress); /* false: please stop */
} th_context;

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
