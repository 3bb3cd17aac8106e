/* What steps cost on a target, by what bench/costs measured: the one model of costs, for choosing what runs a step and
 * for predicting how long it takes. Instructions of a step are a sum over its amounts of work (work.def), each times a
 * number of the row of costs.def for what runs it. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_COST_H
#define TH_LIB_COST_H

#include "base/bytes.h"
#include "format/json.h"
#include "lib/work.h"
#include "write/targets.h"

/* The kernel or form that runs the step, by name. */
const char *th_runner_name(const th_program_step *s);

/* The rows of costs.def for a step as it stands: for what runs it and the way that this goes, and for decoding its
 * weights; "" when it need not. */
enum { TH_COST_NAME = 64 };
typedef struct th_cost_rows {
  char run[TH_COST_NAME], decode[TH_COST_NAME];
} th_cost_rows;
th_cost_rows th_cost_rows_of(const th_target *target, const th_program *program, int step);

/* Instructions of the step as it stands, decoding its weights included; negative when nobody has measured that. */
double th_cost_of_step(const th_target *target, th_goal goal, const th_program *program, int step);
/* The same as if `form` ran it from a table of so many bytes, or its kernel (NONE, 0) from weights that are not coded.
 */
double th_cost_with(const th_target *target, th_goal goal, const th_program *program, int step, thr_form_id form,
                    uint32_t packed_bytes);
/* The target whose rows are used: `target` itself, or the one that shares most folders of kernels; NULL when there is
 * none, and no choice either. */
const th_target *th_cost_target(const th_target *target);
/* JSON "costs_of", and a line of text when the costs are those of another target; nothing unless for speed. */
void th_cost_note(const th_program *program, const th_target *target, th_json *json, th_buf *text);

#endif
