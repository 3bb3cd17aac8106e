/* Running another program and keeping what it prints.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_PROCESS_H
#define TH_WRITE_PROCESS_H

#include <stdbool.h>

#include "base/bytes.h"

typedef bool th_go_on_fn(void *user); /* false: stop the program */

/* argv ends with NULL; argv[0] is looked up in PATH. `dir` (may be NULL) becomes its working directory. Standard input
 * is empty; output and errors are appended to `text` (at most 64 KiB kept). *exit_code: 0..255, 128 + signal, or 127
 * when it could not be started. Every tenth of a second `go_on` (may be NULL) is asked; TH_ERR_INTERRUPTED when it says
 * no, TH_ERR_CHECK after `seconds`; the program is then killed. It is in a process group of its own, so Ctrl-C reaches
 * this program alone. */
th_status th_process_run(const char *const *argv, const char *dir, double seconds, th_go_on_fn *go_on, void *user,
                         th_buf *text, int *exit_code);

/* True when the program can be started. */
bool th_process_available(const char *program);

#endif
