/* Arena planning: where each value of a program lives, so that values alive at the same time never overlap.
 *
 * Values alive in the same step must not share bytes; values that are never alive together may. An element-wise kernel
 * that allows it writes over an input that dies there. The step's scratch is a buffer that lives for that step only.
 * Finding the smallest arena is NP-hard; sizes here are small, so good orders plus a bounded search nearly always meet
 * the lower bound, which is reported beside the result. Method: offset assignment by size (Pisarchyk & Lee 2020,
 * "Efficient memory management for deep neural net inference").
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_PLAN_H
#define TH_PASS_PLAN_H

#include "eval/lower.h"

typedef struct th_plan_info {
  uint32_t arena_bytes; /* = program->arena_bytes */
  uint32_t lower_bound; /* max over steps of the bytes alive, scratch included: no plan can be smaller */
} th_plan_info;

/* Sets values[].offset, steps[].scratch_offset, state_bytes and arena_bytes. Variables come first, from states_at on,
 * then everything else, from shared_at on or behind the variables. Offsets are multiples of 4 for float values and 1
 * otherwise; the arena itself must be 4-byte aligned. Call after the weights are coded (scratch depends on it); may be
 * called again. `info` may be NULL. */
th_status th_pass_plan(th_program *program, th_plan_info *info);

/* TH_ERR_INTERNAL, naming the values, if two values that are alive together overlap or one leaves the arena. */
th_status th_plan_check(const th_program *program);

#endif
