/* A step as a stage of a chain (thr_rows.h): its row kernel, and the shape of its lines and windows. Internal to
 * rt/core and the host's planner and writers. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_STAGE_H
#define THR_STAGE_H

#include "parse.h"

/* Whether the kernel works element by element: its parameters are then those of one line, and any number of lines can
 * be made. */
int thr_row_is_elementwise(thr_kernel_id kernel);

/* Fills all of *stage but the places: `rows` and `bytes` of lines, windows, number of inputs, all maps complete. `rows`
 * counts only for element-wise kernels. Returns 0 when the step cannot make lines: a kernel that has no such form, a
 * window of too many lines. */
int thr_stage_shape(const thr_step *step, uint32_t rows, thr_stage *stage);

/* The same of a step read from a blob, with the places. It refers to *parsed. */
int thr_stage_of_parsed(const thr_parsed_step *parsed, thr_stage *stage);

#endif
