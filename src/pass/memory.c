/* See memory.h. SPDX-License-Identifier: Apache-2.0 */
#include "pass/memory.h"

#include "../../rt/core/fields.h"

/* Kernels whose output may be an input (rt/kernel/kernels.def): of two operands, both must have its size. */
static bool may_overwrite(const th_program *p, const th_program_step *s) {
  if (s->rows || !thr_kernel_about(s->step.kernel)->over) return false;
  return s->n_in == 1 || p->values[s->in[0]].bytes == p->values[s->in[1]].bytes;
}

int th_overwritten_input(const th_program *p, int step) {
  const th_program_step *s = &p->steps[step];
  if (!may_overwrite(p, s)) return -1;
  const th_value *out = &p->values[s->out];
  for (int i = 0; i < s->n_in; i++) {
    const th_value *in = &p->values[s->in[i]];
    if (!in->data && s->in[i] != s->out && in->bytes == out->bytes && th_value_last(in) == step &&
        out->first_step == step)
      return s->in[i];
  }
  return -1;
}

static bool alive(const th_value *v, int first, int last) {
  return !v->data && v->first_step <= last && th_value_last(v) >= first;
}

uint64_t th_step_bytes_alive(const th_program *p, int step) {
  uint64_t sum = 0;
  for (int i = 0; i < p->n_values; i++)
    if (alive(&p->values[i], step, step)) sum += th_value_room(&p->values[i]);
  if (step < 0 || step >= p->n_steps) return sum;
  if (th_overwritten_input(p, step) >= 0) sum -= p->values[p->steps[step].out].bytes;
  return sum + p->steps[step].scratch_bytes;
}

bool th_chain_uses_up(const th_program *p, const th_chain *chain, int value) {
  const th_value *v = &p->values[value];
  return !v->data && !v->state && th_value_last(v) <= chain->last;
}

/* What result and source save by lying over each other. */
static uint64_t saving(const th_program *p, const th_chain *chain, const th_chain_source *source) {
  if (!th_chain_uses_up(p, chain, source->value)) return 0;
  const int64_t in = p->values[source->value].bytes, out = p->values[p->steps[chain->last].out].bytes;
  const int64_t in_end = source->lead < 0 ? in - source->lead : in, both = in_end > out ? in_end : out;
  return both < in + out ? (uint64_t)(in + out - both) : 0;
}

static uint64_t room_in_chain(const th_program *p, const th_chain *chain, int value) {
  for (int i = 0; i < chain->last - chain->first; i++)
    if (p->steps[chain->first + i].out == value) return (uint64_t)chain->kept[i] * chain->stage[i].out.bytes;
  return p->values[value].bytes;
}

uint64_t th_chain_bytes_alive(const th_program *p, const th_chain *chain) {
  uint64_t sum = 0, saved = 0;
  for (int i = 0; i < p->n_values; i++)
    if (alive(&p->values[i], chain->first, chain->last)) sum += room_in_chain(p, chain, i);
  for (int i = chain->first; i <= chain->last; i++) sum += p->steps[i].scratch_bytes; /* decoded weights */
  for (int i = 0; i < chain->n_sources; i++) {
    const uint64_t s = saving(p, chain, &chain->source[i]);
    if (s > saved) saved = s;
  }
  return sum - saved;
}

uint64_t th_bytes_alive(const th_program *p, int step) {
  const th_segment segment = th_segment_of(p, step);
  th_chain chain;
  const bool chained = step >= 0 && step < p->n_steps && p->steps[step].rows;
  if (!chained || !th_chain_of(p, segment.first, segment.last, &chain)) return th_step_bytes_alive(p, step);
  return th_chain_bytes_alive(p, &chain);
}

uint64_t th_peak_bytes(const th_program *p) {
  uint64_t peak = 0;
  for (int i = -1; i <= p->n_steps; i = th_segment_of(p, i).last + 1) {
    const uint64_t bytes = th_bytes_alive(p, i);
    if (bytes > peak) peak = bytes;
  }
  return peak;
}
