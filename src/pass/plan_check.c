/* Checking a plan from the program alone: pairs of values that are alive together; and segments by running their
 * schedule over a picture of the arena in which each byte carries the name of the line that lies there, so that a line
 * that is read after something was written over it is seen, however the places came about.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "pass/memory.h"
#include "pass/plan.h"

static bool overlap(uint32_t a, uint32_t a_bytes, uint32_t b, uint32_t b_bytes) {
  return a_bytes > 0 && b_bytes > 0 && a < b + b_bytes && b < a + a_bytes;
}

/* Values that share bytes on purpose: one dies in the step that writes the other over it. */
static bool handed_over(const th_program *p, int a, int b) {
  for (int i = 0; i < p->n_steps; i++) {
    int in = th_overwritten_input(p, i), out = p->steps[i].out;
    if (in >= 0 && ((in == a && out == b) || (in == b && out == a))) return p->values[a].offset == p->values[b].offset;
  }
  return false;
}

/* The result of a segment may lie over what the segment uses up; check_segment looks closer. */
static bool written_over(const th_program *p, int source, int result) {
  for (int i = 0; i < p->n_segments; i++) {
    const th_segment *s = &p->segments[i];
    if (p->steps[s->last].out == result && p->values[source].first_step < s->first &&
        th_value_last(&p->values[source]) == s->last)
      return true;
  }
  return false;
}

static th_status check_pair(const th_program *p, int a, int b) {
  const th_value *v = &p->values[a], *w = &p->values[b];
  if (v->data || w->data || v->first_step > th_value_last(w) || w->first_step > th_value_last(v)) return TH_OK;
  if (!overlap(v->offset, th_value_room(v), w->offset, th_value_room(w)) || handed_over(p, a, b)) return TH_OK;
  if (written_over(p, a, b) || written_over(p, b, a)) return TH_OK;
  return th_fail(TH_ERR_INTERNAL, "arena plan: %s and %s are alive together and overlap", v->name, w->name);
}

/* The decoded weights of a segment are there together. */
static th_status check_others(const th_program *p, int step) {
  const th_program_step *s = &p->steps[step];
  for (int i = step + 1; i <= th_segment_of(p, step).last; i++) {
    const th_program_step *o = &p->steps[i];
    if (overlap(o->scratch_offset, o->scratch_bytes, s->scratch_offset, s->scratch_bytes))
      return th_fail(TH_ERR_INTERNAL, "arena plan: the weights of %s overlap those of %s", s->name, o->name);
  }
  return TH_OK;
}

static th_status check_scratch(const th_program *p, int step) {
  const th_program_step *s = &p->steps[step];
  if ((uint64_t)s->scratch_offset + s->scratch_bytes > p->arena_bytes)
    return th_fail(TH_ERR_INTERNAL, "arena plan: the scratch of %s leaves the arena", s->name);
  for (int i = 0; i < p->n_values; i++) {
    const th_value *v = &p->values[i];
    if (v->data || v->first_step > step || th_value_last(v) < step) continue;
    if (overlap(v->offset, th_value_room(v), s->scratch_offset, s->scratch_bytes))
      return th_fail(TH_ERR_INTERNAL, "arena plan: the scratch of %s overlaps %s", s->name, v->name);
  }
  return TH_OK;
}

/* --- segments --- */

typedef struct picture {
  const th_program *p;
  const th_chain *c;
  uint32_t *owner; /* per byte of the arena: name of the line, 0 for none */
} picture;

static uint32_t name_of(int value, int32_t line) {
  return (uint32_t)value * (UINT16_MAX + 1u) + (uint32_t)line + 1u;
}

static uint32_t place_of(const thr_lines *lines, int32_t y) {
  return lines->at + (uint32_t)y % lines->kept * lines->bytes;
}

static void paint(const picture *x, const thr_lines *lines, int value, int32_t y) {
  for (uint32_t i = 0; i < lines->bytes; i++) x->owner[place_of(lines, y) + i] = name_of(value, y);
}

static bool is_whole(const picture *x, const thr_lines *lines, int value, int32_t y) {
  for (uint32_t i = 0; i < lines->bytes; i++)
    if (x->owner[place_of(lines, y) + i] != name_of(value, y)) return false;
  return true;
}

/* A line may be written over one that the same call reads only element by element, and not behind the reading. */
static bool apart_while_made(const thr_stage *stage, bool elementwise, int32_t y, const thr_lines *in, int32_t from) {
  const uint32_t out_at = place_of(&stage->out, y), in_at = place_of(in, from);
  return !overlap(out_at, stage->out.bytes, in_at, in->bytes) || (elementwise && out_at <= in_at);
}

static th_status make_line(const picture *x, int i, int32_t y) {
  const thr_stage *stage = &x->c->stage[i];
  const th_program_step *s = &x->p->steps[x->c->first + i];
  const bool elementwise = thr_row_is_elementwise(s->step.kernel);
  for (int k = 0; k < stage->inputs; k++) {
    const thr_stage_input *in = &stage->in[k];
    for (int32_t ky = 0; ky < in->kernel && !in->data; ky++) {
      const int32_t from = thr_window_first(in, y) + ky * in->dilation;
      if (from < 0 || from >= in->lines.rows) continue;
      if (!is_whole(x, &in->lines, s->in[k], from) || !apart_while_made(stage, elementwise, y, &in->lines, from))
        return th_fail(TH_ERR_INTERNAL, "arena plan: %s reads line %d of %s, which is not there", s->name, (int)from,
                       x->p->values[s->in[k]].name);
    }
  }
  paint(x, &stage->out, s->out, y);
  return TH_OK;
}

static void paint_sources(const picture *x, int stages) {
  for (int i = 0; i < stages; i++)
    for (int k = 0; k < x->c->stage[i].inputs; k++) {
      const thr_stage_input *in = &x->c->stage[i].in[k];
      for (int32_t y = 0; y < in->lines.rows && in->from < 0 && !in->data; y++)
        paint(x, &in->lines, x->p->steps[x->c->first + i].in[k], y);
    }
}

static th_status run_segment(const picture *x) {
  const int stages = x->c->last - x->c->first + 1;
  const thr_stage *last = &x->c->stage[stages - 1];
  uint16_t made[THR_STAGES_MOST] = {0};
  thr_stage stage;
  paint_sources(x, stages);
  while (made[stages - 1] < last->out.rows) {
    const uint32_t i = thr_rows_next(thr_stage_of_table, x->c->stage, (uint32_t)stages, made, &stage);
    TH_TRY(make_line(x, (int)i, made[i]));
    made[i]++;
  }
  for (int32_t y = 0; y < last->out.rows; y++)
    if (!is_whole(x, &last->out, x->p->steps[x->c->last].out, y))
      return th_fail(TH_ERR_INTERNAL, "arena plan: line %d of %s is lost", (int)y, x->p->steps[x->c->last].name);
  return TH_OK;
}

static th_status check_segment(const th_program *p, const th_segment *segment) {
  th_chain chain;
  if (!th_chain_of(p, segment->first, segment->last, &chain))
    return th_fail(TH_ERR_INTERNAL, "arena plan: %s begins no chain", p->steps[segment->first].name);
  th_arena *arena = th_arena_create();
  const picture x = {p, &chain, arena ? TH_ARRAY(arena, uint32_t, p->arena_bytes + 1) : NULL};
  const th_status status = x.owner ? run_segment(&x) : TH_ERR_RESOURCE;
  th_arena_destroy(arena);
  return status;
}

th_status th_plan_check(const th_program *program) {
  for (int a = 0; a < program->n_values; a++) {
    const th_value *v = &program->values[a];
    if (v->data) continue;
    if ((uint64_t)v->offset + th_value_room(v) > program->arena_bytes || v->offset % th_value_align(program, v) != 0)
      return th_fail(TH_ERR_INTERNAL, "arena plan: %s leaves the arena or is misaligned", v->name);
    for (int b = a + 1; b < program->n_values; b++) TH_TRY(check_pair(program, a, b));
  }
  for (int i = 0; i < program->n_steps; i++) TH_TRY(check_scratch(program, i));
  for (int i = 0; i < program->n_steps; i++) TH_TRY(check_others(program, i));
  for (int i = 0; i < program->n_segments; i++) TH_TRY(check_segment(program, &program->segments[i]));
  return TH_OK;
}
