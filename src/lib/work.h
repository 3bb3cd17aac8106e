/* What of a step its instructions depend on: amounts of work, counted from shapes, weights and their codes before
 * anything is compiled. costs.def says what each amount costs (cost.h). SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_WORK_H
#define TH_LIB_WORK_H

#include "format/json.h"
#include "lib/deploy.h"

typedef struct th_work {
#define TH_WORK(name, what) double name;
#include "lib/work.def"
#undef TH_WORK
} th_work;

th_work th_work_of(const th_program *program, const th_program_step *s);
/* What it would be if `form` ran the step from a table of so many bytes. */
th_work th_work_with(const th_program *program, const th_program_step *s, thr_form_id form, uint32_t packed_bytes);
/* An object "work" with the amounts that are not 0. */
void th_work_write(const th_work *work, th_json *json);

#endif
