/* The words of a command line, collected one after the other.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_COMMAND_H
#define TH_WRITE_COMMAND_H

#include "base/arena.h"
#include "base/status.h"
#include "write/process.h"

enum { TH_COMMAND_WORDS = 250 };

typedef struct th_command {
  const char *argv[TH_COMMAND_WORDS + 1];
  int n;
} th_command;

/* A word; it must outlive the command. NULL, and what goes beyond TH_COMMAND_WORDS, is left out. */
void th_command_push(th_command *c, const char *word);
/* Words with single spaces between; copies of them go to the arena. */
th_status th_command_words(th_command *c, th_arena *arena, const char *words);
/* As th_process_run() takes it. */
const char *const *th_command_argv(th_command *c);

#endif
