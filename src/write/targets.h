/* What the C writer can write a runnable project for: the rows of targets.def.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_TARGETS_H
#define TH_WRITE_TARGETS_H

#include <stdbool.h>

#include "base/arena.h"
#include "eval/lower.h"

typedef struct th_family { /* lists are separated by single spaces */
  const char *name, *compiler, *link_flags;
  const char *folders; /* "cross" and these of src/write/templates; all their files are copied */
  const char *emulator, *arguments, *counting; /* "": the target is this machine */
  const char *unit;                            /* what its counter counts: "instructions", "cycles" */
  const char *no_compiler, *no_emulator;       /* what to say where one is missing, with its Debian packages */
} th_family;

typedef struct th_target {
  const char *name, *what, *family;
  const char *flags;       /* of the compiler, for the processor; separated by single spaces */
  const char *kernels;     /* folders of rt/kernel whose variants and forms it runs, separated by single spaces */
  const char *machine;     /* of the emulator */
  int hertz;               /* of the counter there: a tick is 1e9 / hertz instructions when counting */
  const char *flash, *ram; /* "ORIGIN = ..., LENGTH = ..." */
} th_target;

const char *th_goal_flag(th_goal goal); /* what is asked of the compiler's optimizer: "-O2" */

const th_target *th_target_list(int i);            /* NULL past the last */
const th_target *th_target_find(const char *name); /* NULL, with the error recorded, when unknown */
const th_family *th_target_family(const th_target *target);
bool th_target_is_host(const th_target *target);
bool th_target_has_files(const th_target *target); /* of the host; else see write/serial.h */
/* A number of `flash` or `ram`, "LENGTH" say; 0 on the host, which has enough. */
int64_t th_target_memory(const char *memory, const char *what);
bool th_target_runs(const th_target *target, const char *folder); /* of rt/kernel */
/* What runs the linked file `firmware` under emulation, as words with single spaces between; NULL: no memory. count:
 * so that the board's counter counts instructions. */
const char *th_target_command(const th_target *target, const char *firmware, bool count, th_arena *arena);

#endif
