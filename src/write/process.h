/* Running another program and keeping what it prints.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_PROCESS_H
#define TH_WRITE_PROCESS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/log.h"

/* argv ends with NULL; argv[0] is looked up in PATH. `dir` (may be NULL) becomes its working directory. Standard input
 * is empty; output and errors are appended to `text` (at most 64 KiB kept). *exit_code: 0..255, 128 + signal, or 127
 * when it could not be started. Given up after `seconds`, or when the progress callback of `ctx` asks to stop. */
th_status th_process_run(const char *const *argv, const char *dir, double seconds, const th_context *ctx, th_buf *text,
                         int *exit_code);

/* True when the program can be started. */
bool th_process_available(const char *program);

#endif
