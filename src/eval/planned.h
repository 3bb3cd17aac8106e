/* Running a planned program on the host exactly as the device does: same steps, same chains, same places in one arena.
 * The evaluator (eval/eval.h) has its own, faster way; this is for checking plans. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TH_EVAL_PLANNED_H
#define TH_EVAL_PLANNED_H

#include "eval/lower.h"

/* `arena`: program->arena_bytes, inputs in place, variables with their values. The outputs are there afterwards.
 * TH_ERR_INTERNAL for steps that run in float, and for segments that are none. */
th_status th_planned_run(const th_program *program, void *arena);
/* Gives the variables their first values. */
void th_planned_reset(const th_program *program, void *arena);

#endif
