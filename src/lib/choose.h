/* What runs each step of a compiled model: its kernel, or a form (rt/kernel/forms.def), by measured costs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_CHOOSE_H
#define TH_LIB_CHOOSE_H

#include "lib/deploy.h"
#include "write/targets.h"

/* A list of forms: "all", "none", or names with commas between; TH_ERR_USAGE when one is unknown. */
th_status th_choose_check(const char *forms);

/* Gives each step what it costs least with, for the goal: speed: instructions; size: bytes of constants, then
 * instructions; RAM: nothing changes, as forms take more scratch and no part in segments. `forms`: such a list. Steps
 * that get a form have their constants arranged (packed, scratch_bytes, and the bytes in `deployed`). Plan afterwards.
 */
th_status th_choose(th_deployed *deployed, const th_target *target, th_goal goal, const char *forms);

#endif
