/* Steps of a program as a chain of stages (rt/include/thr_rows.h), and what running them costs in memory.
 *
 * A range of steps can be a chain when each has a row form, nothing but the last result is needed afterwards, and maps
 * are handed on in the shape they were made in. The runtime's own scheduler is run over the stages without data: how
 * many lines of each map must be kept, and how far the result may lie over a map that the chain uses up, is what that
 * run shows. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_EVAL_CHAIN_H
#define TH_EVAL_CHAIN_H

#include "../../rt/core/stage.h"
#include "eval/lower.h"

/* A value that the chain reads and that lies in the arena before it. The result may begin `lead` bytes behind its
 * beginning, or earlier: it then never reaches a byte that is still to be read. */
typedef struct th_chain_source {
  int value;
  uint32_t rows, line_bytes;
  int64_t lead;
} th_chain_source;

typedef struct th_chain {
  int first, last; /* steps */
  thr_stage stage[THR_STAGES_MOST];
  uint32_t kept[THR_STAGES_MOST]; /* lines of each stage's map that must exist at a time; all of the last one's */
  th_chain_source source[2 * THR_STAGES_MOST];
  int n_sources;
} th_chain;

/* False when these steps cannot be a chain. Offsets and rings are those of the program when it is planned. */
bool th_chain_of(const th_program *program, int first, int last, th_chain *chain);

/* Gives an element-wise step the parameters of one of `rows` lines; false when its operands do not fall into lines. */
bool th_step_make_line(thr_step *step, uint32_t rows);

/* Last step in which a value is needed; not below its first. */
static inline int th_value_last(const th_value *v) {
  return v->last_step > v->first_step ? v->last_step : v->first_step;
}

#endif
