/* Bytes of the arena that a program needs at a time, whatever the places: what the passes that lower the peak compare,
 * and the lower bound of a plan.
 *
 * Values that are needed in the same step take room at the same time, but for two cases: an element-wise kernel writes
 * its result exactly over an input that it is the last to read, and a chain writes its result over the part of its
 * input that it has read (eval/chain.h). SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_MEMORY_H
#define TH_PASS_MEMORY_H

#include "eval/chain.h"

/* The input that dies in this step and whose place the output takes, or -1. None in a segment. */
int th_overwritten_input(const th_program *program, int step);

/* Whether a value that the chain reads is not needed after it, so that the result may come to lie over it. */
bool th_chain_uses_up(const th_program *program, const th_chain *chain, int value);

/* In a step outside of segments, scratch included; -1: before the first, n_steps: after the last. */
uint64_t th_step_bytes_alive(const th_program *program, int step);
/* While a chain runs: a segment of the program, or steps that might become one. */
uint64_t th_chain_bytes_alive(const th_program *program, const th_chain *chain);
/* While a step runs, or the segment that it is in. */
uint64_t th_bytes_alive(const th_program *program, int step);
/* The most of all steps and segments: no plan can be smaller. */
uint64_t th_peak_bytes(const th_program *program);

#endif
