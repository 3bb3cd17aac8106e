/* See planned.h. SPDX-License-Identifier: Apache-2.0 */
#include "eval/planned.h"

#include <string.h>

#include "eval/chain.h"

static th_status run_step(const th_program *p, const th_program_step *s, uint8_t *arena) {
  const void *in[THR_STEP_INPUTS] = {NULL};
  if (s->step.kernel == THR_KERNEL_NONE) return th_fail(TH_ERR_INTERNAL, "%s runs in float", s->name);
  for (int k = 0; k < s->n_in; k++) {
    const th_value *v = &p->values[s->in[k]];
    in[k] = v->data ? v->data : arena + v->offset;
  }
  thr_step_run(&s->step, in, arena + p->values[s->out].offset, arena + s->scratch_offset);
  return TH_OK;
}

static th_status run_segment(const th_program *p, const th_segment *segment, uint8_t *arena) {
  th_chain chain;
  if (!th_chain_of(p, segment->first, segment->last, &chain))
    return th_fail(TH_ERR_INTERNAL, "%s begins no chain", p->steps[segment->first].name);
  for (int i = segment->first; i <= segment->last; i++) {
    const th_program_step *s = &p->steps[i];
    thr_step step = s->step;
    if (chain.stage[i - segment->first].coded)
      thr_unpack(thr_step_weights(&step), s->weight_count, (int8_t *)arena + s->scratch_offset);
  }
  thr_rows_run(thr_stage_of_table, chain.stage, (uint32_t)(segment->last - segment->first + 1), arena);
  return TH_OK;
}

th_status th_planned_run(const th_program *program, void *arena) {
  const th_segment *segment = program->segments, *end = segment + program->n_segments;
  for (int i = 0; i < program->n_steps; i++) {
    if (segment < end && segment->first == i) {
      TH_TRY(run_segment(program, segment, arena));
      i = segment++->last;
    } else {
      TH_TRY(run_step(program, &program->steps[i], arena));
    }
  }
  return TH_OK;
}

void th_planned_reset(const th_program *program, void *arena) {
  for (int i = 0; i < program->n_values; i++) {
    const th_value *v = &program->values[i];
    uint8_t *at = (uint8_t *)arena + v->offset;
    if (v->state && v->initial)
      memcpy(at, v->initial, v->bytes);
    else if (v->state)
      memset(at, v->fill, v->bytes);
  }
}
