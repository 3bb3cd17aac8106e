/* What runs each step of a compiled model: its kernel, or a form (rt/kernel/forms.def), by measured costs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_CHOOSE_H
#define TH_LIB_CHOOSE_H

#include "base/bytes.h"
#include "format/json.h"
#include "lib/deploy.h"
#include "write/targets.h"

/* What the costs of a step are proportional to: elements of the output; MACs, or taps of pooling windows, or elements
 * read. */
typedef struct th_work {
  double outputs, work;
} th_work;
th_work th_work_of(const th_program *program, const th_program_step *s);

/* The kernel or form that runs the step, by name. */
const char *th_runner_name(const th_program_step *s);

/* Instructions that `runner` needs for a step on `target`, by src/lib/costs.def; negative when nobody has measured
 * that.
 */
double th_cost_estimate(const th_target *target, const char *runner, const th_work *work);
/* The target whose rows are used: `target` itself, or the one that shares most folders of kernels; NULL when there is
 * none, and no choice either. */
const th_target *th_cost_target(const th_target *target);
/* JSON "costs_of", and a line of text when the costs are those of another target; nothing unless for speed. */
void th_cost_note(const th_program *program, const th_target *target, th_json *json, th_buf *text);

/* Gives each step what it costs least with, for the goal: speed: instructions; size: bytes of constants, then
 * instructions; RAM: nothing changes, as forms take more scratch and no part in segments. `forms`: "all", "none", or
 * names with commas between; TH_ERR_USAGE when one is unknown. Steps that get a form have their constants arranged
 * (packed, scratch_bytes, and the bytes in `deployed`). Plan afterwards. */
th_status th_choose(th_deployed *deployed, const th_target *target, th_goal goal, const char *forms);

#endif
