/* What runs each step of a compiled model: its kernel, or a form (rt/kernel/forms.def), by measured costs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_CHOOSE_H
#define TH_LIB_CHOOSE_H

#include "lib/deploy.h"
#include "write/targets.h"

/* Instructions of step `s` on `target` when `runner` (the name of a kernel or form) computes it; negative when nobody
 * has measured that. */
double th_cost_estimate(const th_target *target, const char *runner, const th_program *program,
                        const th_program_step *s);
/* The target whose rows are used: `target` itself, or the nearest; NULL when none has any. */
const th_target *th_cost_target(const th_target *target);

/* For speed: each step gets the cheapest of what can run it on the target; steps that get a form have their constants
 * arranged (packed, scratch_bytes, and the bytes in `deployed`). Otherwise nothing changes: forms take flash. Plan
 * afterwards. */
th_status th_choose(th_deployed *deployed, const th_target *target, th_goal goal);

#endif
