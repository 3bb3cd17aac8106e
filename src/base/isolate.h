/* Runs a function in a child process and brings back the bytes that it made.
 *
 * For libraries that parse foreign files and are too large to be trusted with damaged ones: whatever happens in the
 * child (a crash, an endless loop, memory without bound), the caller gets an error and goes on. The child sees all
 * memory of the caller as it was, copy on write, and changes none of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_ISOLATE_H
#define TH_BASE_ISOLATE_H

#include "base/child.h"

typedef th_child_fn th_isolated_fn;

typedef struct th_isolate_limits {
  int cpu_seconds;     /* processor time, rounded up to whole seconds by the system */
  size_t memory_bytes; /* beyond what the caller has; not enforced under a sanitizer */
  size_t result_bytes; /* most bytes of result */
} th_isolate_limits;

/* TH_OK: `out` (empty before) holds what the function made. The function's own error: passed on. When it did not come
 * to an end: TH_ERR_INPUT, "`what`: ...", since its input is to blame. */
th_status th_isolate(th_isolated_fn *fn, void *user, const th_isolate_limits *limits, const char *what, th_buf *out);

#endif
