/* Progress on stderr: a live line on a terminal, one line per epoch otherwise, nothing with --quiet; and Ctrl-C.
 *
 * The first Ctrl-C sets a flag, and the next progress callback asks the library to stop cleanly; a second one kills.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

#include "thimble/types.h"

typedef struct cli_progress {
  bool quiet, verbose, terminal;
  bool line_shown;    /* a live line stands on the terminal */
  double last_redraw; /* seconds of the stage when it was drawn */
  double seconds;     /* of the stage at the last report; going back means that another stage has begun */
  int epochs_done;    /* whole epochs at the last report */
} cli_progress;

void cli_progress_begin(cli_progress *p, bool quiet, bool verbose); /* also installs the Ctrl-C handler */
void cli_progress_end(cli_progress *p);                             /* removes the live line */
bool cli_progress_update(void *cli_progress, const th_progress *now);
void cli_progress_log(void *cli_progress, th_log_level level, const char *message);
bool cli_interrupted(void);

#endif
