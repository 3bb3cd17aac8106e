/* See chain.h. SPDX-License-Identifier: Apache-2.0 */
#include "eval/chain.h"

#include <string.h>

#include "../../rt/core/fields.h"

/* --- steps as stages --- */

/* Whether the operand is read from its first element to its last. */
static bool is_dense(const int32_t dim[4], const int32_t stride[4]) {
  int32_t dense = 1;
  for (int i = 3; i >= 0; dense *= dim[i--])
    if (dim[i] != 1 && stride[i] != dense) return false;
  return true;
}

/* Both operands dense, as lines of any length; or the second the same for all lines. */
static bool make_elementwise_line(thr_elementwise_params *p, uint32_t rows) {
  const int32_t n = p->dim[0] * p->dim[1] * p->dim[2] * p->dim[3];
  if (!is_dense(p->dim, p->stride_a) || rows == 0 || (uint32_t)n % rows != 0) return false;
  if (is_dense(p->dim, p->stride_b)) {
    const int32_t line[4] = {1, 1, 1, n / (int32_t)rows}, stride[4] = {0, 0, 0, 1};
    memcpy(p->dim, line, sizeof line);
    memcpy(p->stride_a, stride, sizeof stride);
    memcpy(p->stride_b, stride, sizeof stride);
    return true;
  }
  if (p->dim[0] != 1 || (uint32_t)p->dim[1] != rows || p->stride_b[1] != 0) return false;
  p->dim[1] = 1;
  p->stride_a[0] = p->stride_a[1] = p->stride_b[0] = 0;
  return true;
}

static bool divide(int32_t *n, uint32_t rows) {
  if (rows == 0 || (uint32_t)*n % rows != 0) return false;
  *n /= (int32_t)rows;
  return true;
}

bool th_step_make_line(thr_step *step, uint32_t rows) {
  switch (thr_kernel_params(step->kernel)) {
    case THR_PARAMS_elementwise:
      return make_elementwise_line(&step->p.elementwise, rows);
    case THR_PARAMS_unary:
      return divide(&step->p.unary.n, rows);
    case THR_PARAMS_lookup:
      return divide(&step->p.lookup.n, rows);
    default:
      return false;
  }
}

/* Lines of the output of an element-wise step: those of the picture that it is, 0 when it is none. */
static uint32_t rows_of(const th_program *p, const th_program_step *s) {
  const int tensor = p->values[s->out].tensor;
  if (tensor < 0) return 0;
  const th_shape *shape = &p->graph->tensors[tensor].shape;
  return shape->rank == 4 && shape->dim[0] == 1 ? (uint32_t)shape->dim[1] : 0;
}

static bool stage_of(const th_program *p, const th_program_step *s, thr_stage *stage) {
  thr_step line = s->step;
  if (s->rows || !thr_row_is_elementwise(s->step.kernel)) return thr_stage_shape(&s->step, s->rows, stage);
  const uint32_t rows = rows_of(p, s);
  return th_step_make_line(&line, rows) && thr_stage_shape(&line, rows, stage);
}

static void place(const th_value *v, thr_lines *lines) {
  lines->at = v->offset == TH_NO_OFFSET ? 0 : v->offset;
  if (v->kept) lines->kept = (uint16_t)v->kept;
}

/* An operand: a constant of one line, the map of an earlier stage, or one that was there before. */
static bool link_input(const th_program *p, th_chain *c, int stage, int k) {
  const int value = p->steps[c->first + stage].in[k];
  const th_value *v = &p->values[value];
  thr_stage_input *in = &c->stage[stage].in[k];
  if (v->data) {
    in->data = v->data;
    return k > 0 && v->bytes <= in->lines.bytes;
  }
  if ((uint64_t)in->lines.rows * in->lines.bytes != v->bytes) return false;
  place(v, &in->lines);
  for (int i = 0; i < stage; i++) {
    if (p->steps[c->first + i].out != value) continue;
    in->from = (int8_t)i;
    return c->stage[i].out.rows == in->lines.rows && c->stage[i].out.bytes == in->lines.bytes;
  }
  if (v->first_step >= c->first) return false;
  for (int i = 0; i < c->n_sources; i++)
    if (c->source[i].value == value) return c->source[i].line_bytes == in->lines.bytes;
  c->source[c->n_sources++] = (th_chain_source){value, in->lines.rows, in->lines.bytes, v->bytes};
  return true;
}

static bool used_inside(const th_program *p, int value, int after, int last) {
  for (int i = after + 1; i <= last; i++)
    for (int k = 0; k < p->steps[i].n_in; k++)
      if (p->steps[i].in[k] == value) return true;
  return false;
}

/* A result that only the steps up to `last` need. */
static bool stays_inside(const th_program *p, int step, int last) {
  const int value = p->steps[step].out;
  const th_value *v = &p->values[value];
  for (int i = 0; i < p->n_outputs; i++)
    if (p->outputs[i] == value) return false;
  return v->last_step <= last && used_inside(p, value, step, last);
}

static bool link_stage(const th_program *p, th_chain *c, int i) {
  const th_program_step *s = &p->steps[c->first + i];
  const th_value *out = &p->values[s->out];
  thr_stage *stage = &c->stage[i];
  const bool made_here = out->first_step == (s->rows ? c->first : c->first + i);
  if (!stage_of(p, s, stage) || s->n_in != stage->inputs || out->state || !made_here) return false;
  if ((uint64_t)stage->out.rows * stage->out.bytes != out->bytes) return false;
  if (c->first + i < c->last && !stays_inside(p, c->first + i, c->last)) return false;
  place(out, &stage->out);
  stage->weights = s->scratch_offset;
  uint32_t lines = 0;
  for (int k = 0; k < s->n_in; k++) {
    if (!link_input(p, c, i, k)) return false;
    lines += (uint32_t)stage->in[k].kernel;
  }
  return lines <= THR_STAGE_LINES;
}

/* --- running the schedule --- */

typedef struct schedule {
  const th_program *p;
  th_chain *c;
  int stages;
  uint16_t made[THR_STAGES_MOST];
} schedule;

/* The first line of a value that a stage still reads when it is about to make line y. */
static int32_t still_read(const schedule *s, int stage, int32_t y, int value) {
  const thr_stage *st = &s->c->stage[stage];
  int32_t least = INT32_MAX;
  for (int k = 0; k < st->inputs; k++) {
    const thr_stage_input *in = &st->in[k];
    if (in->data || s->p->steps[s->c->first + stage].in[k] != value) continue;
    const int32_t first = y < st->out.rows ? thr_window_first(in, y) : in->lines.rows;
    const int32_t from = first < 0 ? 0 : first > in->lines.rows ? in->lines.rows : first;
    if (from < least) least = from;
  }
  return least;
}

static int32_t least_read(const schedule *s, int value) {
  int32_t least = INT32_MAX;
  for (int i = 0; i < s->stages; i++) {
    const int32_t from = still_read(s, i, s->made[i], value);
    if (from < least) least = from;
  }
  return least;
}

/* Stage i is about to write a line of its ring. */
static void see_ring(schedule *s, int i) {
  const int32_t least = least_read(s, s->p->steps[s->c->first + i].out);
  const uint32_t kept = (uint32_t)(s->made[i] + 1 - (least < s->made[i] ? least : s->made[i]));
  if (kept > s->c->kept[i]) s->c->kept[i] = kept;
}

/* The last stage is about to write a line of the result: it must not reach what is still read. A kernel that works
 * element by element may write where it reads, or before that. */
static void see_result(schedule *s) {
  const int last = s->stages - 1;
  const int32_t y = s->made[last];
  const int64_t line = s->c->stage[last].out.bytes, end = (y + 1) * line;
  const bool in_place = thr_row_is_elementwise(s->p->steps[s->c->last].step.kernel);
  for (int e = 0; e < s->c->n_sources; e++) {
    th_chain_source *source = &s->c->source[e];
    const int32_t own = still_read(s, last, y, source->value);
    int32_t least = in_place ? still_read(s, last, y + 1, source->value) : own;
    for (int i = 0; i < last; i++) {
      const int32_t from = still_read(s, i, s->made[i], source->value);
      if (from < least) least = from;
    }
    const int64_t gap = (int64_t)least * source->line_bytes - end,
                  own_gap = (int64_t)own * source->line_bytes - y * line;
    if (least < (int32_t)source->rows && gap < source->lead) source->lead = gap;
    if (in_place && own != INT32_MAX && own_gap < source->lead) source->lead = own_gap;
  }
}

static void run_schedule(const th_program *p, th_chain *c) {
  schedule s = {.p = p, .c = c, .stages = c->last - c->first + 1};
  const int last = s.stages - 1;
  thr_stage stage;
  c->kept[last] = c->stage[last].out.rows;
  while (s.made[last] < c->stage[last].out.rows) {
    const uint32_t i = thr_rows_next(thr_stage_of_table, c->stage, (uint32_t)s.stages, s.made, &stage);
    if ((int)i == last)
      see_result(&s);
    else
      see_ring(&s, (int)i);
    s.made[i]++;
  }
}

bool th_chain_of(const th_program *program, int first, int last, th_chain *chain) {
  if (last - first >= THR_STAGES_MOST) return false;
  memset(chain, 0, sizeof *chain);
  chain->first = first;
  chain->last = last;
  for (int i = 0; i <= last - first; i++)
    if (!link_stage(program, chain, i)) return false;
  run_schedule(program, chain);
  return true;
}
