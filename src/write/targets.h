/* What the C writer can write a runnable project for: the rows of targets.def.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_TARGETS_H
#define TH_WRITE_TARGETS_H

typedef struct th_target {
  const char *name, *what;
  const char *prefix;  /* of the cross compiler; "" = the host's cc */
  const char *flags;   /* separated by single spaces */
  const char *machine; /* of QEMU; "" = none */
  int tick_ns;         /* one SysTick tick there; with -icount shift=0 also the instructions of a tick */
} th_target;

const th_target *th_target_list(int i);            /* NULL past the last */
const th_target *th_target_find(const char *name); /* NULL, with the error recorded, when unknown */

#define TH_FIRMWARE_LINK_FLAGS "--specs=nano.specs -nostartfiles -Wl,--gc-sections"

#endif
