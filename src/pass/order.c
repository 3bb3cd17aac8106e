/* See order.h. A set of steps is a row of bits; level k of the search holds the sets of k steps that can be done first.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/order.h"

#include <stdlib.h>
#include <string.h>

#include "../../rt/core/fields.h"
#include "base/arena.h"

enum { STEPS_MOST = 4096, LEVEL_MOST = 400, WORD = 64 };

typedef struct done_set { /* steps that are done, and the best way to have done them */
  uint64_t *bits, peak;
  int parent, step; /* in the level before; the step done last */
} done_set;

typedef struct search {
  th_program *p;
  th_arena *arena;
  int words;
  uint64_t *before; /* per step: the steps it must come after */
  uint64_t *touch;  /* per value: the steps that read or write it */
  uint64_t *write;  /* per value */
  bool *border;     /* per value: an output or a variable, always needed */
  done_set **level;
  int *sets; /* per level */
} search;

static bool has(const uint64_t *bits, int i) {
  return bits[i / WORD] >> (i % WORD) & 1;
}

static void add(uint64_t *bits, int i) {
  bits[i / WORD] |= (uint64_t)1 << (i % WORD);
}

static uint64_t *row(const search *s, uint64_t *rows, int i) {
  return rows + (size_t)i * (size_t)s->words;
}

static bool within(const search *s, const uint64_t *a, const uint64_t *b) {
  for (int w = 0; w < s->words; w++)
    if (a[w] & ~b[w]) return false;
  return true;
}

static bool meet(const search *s, const uint64_t *a, const uint64_t *b) {
  for (int w = 0; w < s->words; w++)
    if (a[w] & b[w]) return true;
  return false;
}

/* --- what depends on what --- */

static void note(search *s, int step, int value, bool writes) {
  add(row(s, s->touch, value), step);
  if (writes || s->p->values[value].state) add(row(s, s->write, value), step);
}

static void find_dependencies(search *s) {
  const th_program *p = s->p;
  for (int i = 0; i < p->n_steps; i++) {
    for (int k = 0; k < p->steps[i].n_in; k++) note(s, i, p->steps[i].in[k], false);
    note(s, i, p->steps[i].out, true);
  }
  for (int v = 0; v < p->n_values; v++) {
    const uint64_t *touch = row(s, s->touch, v), *write = row(s, s->write, v);
    s->border[v] = p->values[v].state;
    for (int j = 0; j < p->n_steps && !p->values[v].data; j++)
      for (int i = 0; i < j && has(touch, j); i++)
        if (has(touch, i) && (has(write, i) || has(write, j))) add(row(s, s->before, j), i);
  }
  for (int i = 0; i < p->n_outputs; i++) s->border[p->outputs[i]] = true;
}

/* --- bytes --- */

static bool is_input(const th_program *p, int value) {
  for (int i = 0; i < p->n_inputs; i++)
    if (p->inputs[i] == value) return true;
  return false;
}

/* Whether a step that comes after `done` is the last to need this value. */
static bool dies_in(search *s, const uint64_t *done, int step, int value) {
  const uint64_t *touch = row(s, s->touch, value);
  if (s->border[value] || s->p->values[value].data) return false;
  for (int w = 0; w < s->words; w++) {
    const uint64_t own = step / WORD == w ? (uint64_t)1 << (step % WORD) : 0;
    if (touch[w] & ~(done[w] | own)) return false;
  }
  return true;
}

/* The result takes the place of an input, as th_overwritten_input has it. */
static bool works_in_place(search *s, const uint64_t *done, int i) {
  const th_program *p = s->p;
  const th_program_step *step = &p->steps[i];
  const uint32_t bytes = p->values[step->out].bytes;
  if (!thr_kernel_about(step->step.kernel)->over || meet(s, row(s, s->write, step->out), done)) return false;
  if (step->n_in > 1 && p->values[step->in[0]].bytes != p->values[step->in[1]].bytes) return false;
  for (int k = 0; k < step->n_in; k++)
    if (step->in[k] != step->out && p->values[step->in[k]].bytes == bytes && dies_in(s, done, i, step->in[k]))
      return true;
  return false;
}

static uint64_t bytes_alive(search *s, const uint64_t *done, int step) {
  const th_program *p = s->p;
  uint64_t sum = p->steps[step].scratch_bytes;
  for (int v = 0; v < p->n_values; v++) {
    if (p->values[v].data) continue;
    const bool there =
        p->values[v].state || is_input(p, v) || v == p->steps[step].out || meet(s, row(s, s->write, v), done);
    if (there && (s->border[v] || !within(s, row(s, s->touch, v), done))) sum += p->values[v].bytes;
  }
  return works_in_place(s, done, step) ? sum - p->values[p->steps[step].out].bytes : sum;
}

/* --- the search --- */

static int find_set(const search *s, int level, const uint64_t *bits) {
  for (int i = 0; i < s->sets[level]; i++)
    if (memcmp(s->level[level][i].bits, bits, (size_t)s->words * sizeof *bits) == 0) return i;
  return -1;
}

/* Where a new set of a level goes: behind the others, or, when there are too many, in the place of the worst. */
static int free_place(search *s, int level, uint64_t peak) {
  if (s->sets[level] < LEVEL_MOST) return s->sets[level]++;
  int worst = 0;
  for (int i = 1; i < LEVEL_MOST; i++)
    if (s->level[level][i].peak > s->level[level][worst].peak) worst = i;
  return s->level[level][worst].peak > peak ? worst : -1;
}

static th_status go_on(search *s, int level, int parent, int step) {
  const done_set *from = &s->level[level][parent];
  const uint64_t here = bytes_alive(s, from->bits, step), peak = here > from->peak ? here : from->peak;
  uint64_t *bits = TH_ARRAY(s->arena, uint64_t, s->words);
  if (!bits) return TH_ERR_RESOURCE;
  memcpy(bits, from->bits, (size_t)s->words * sizeof *bits);
  add(bits, step);
  int at = find_set(s, level + 1, bits);
  if (at >= 0 && s->level[level + 1][at].peak <= peak) return TH_OK;
  if (at < 0) at = free_place(s, level + 1, peak);
  if (at >= 0) s->level[level + 1][at] = (done_set){bits, peak, parent, step};
  return TH_OK;
}

static th_status run_search(search *s) {
  const int n = s->p->n_steps;
  s->level[0][0] = (done_set){TH_ARRAY(s->arena, uint64_t, s->words), 0, -1, -1};
  if (!s->level[0][0].bits) return TH_ERR_RESOURCE;
  s->sets[0] = 1;
  for (int k = 0; k < n; k++) {
    s->level[k + 1] = TH_ARRAY(s->arena, done_set, LEVEL_MOST);
    if (!s->level[k + 1]) return TH_ERR_RESOURCE;
    for (int i = 0; i < s->sets[k]; i++)
      for (int step = 0; step < n; step++)
        if (!has(s->level[k][i].bits, step) && within(s, row(s, s->before, step), s->level[k][i].bits))
          TH_TRY(go_on(s, k, i, step));
  }
  return TH_OK;
}

static th_status peak_as_it_is(search *s, uint64_t *peak) {
  uint64_t *done = TH_ARRAY(s->arena, uint64_t, s->words);
  if (!done) return TH_ERR_RESOURCE;
  *peak = 0;
  for (int i = 0; i < s->p->n_steps; i++) {
    const uint64_t bytes = bytes_alive(s, done, i);
    if (bytes > *peak) *peak = bytes;
    add(done, i);
  }
  return TH_OK;
}

/* --- writing it into the program --- */

static void set_live_ranges(th_program *p) {
  for (int v = 0; v < p->n_values; v++) {
    th_value *value = &p->values[v];
    const bool first = is_input(p, v) || value->state;
    value->first_step = first ? -1 : p->n_steps;
    value->last_step = value->state ? p->n_steps : -1;
  }
  for (int i = 0; i < p->n_steps; i++) {
    th_value *out = &p->values[p->steps[i].out];
    if (out->first_step > i) out->first_step = i;
    for (int k = 0; k < p->steps[i].n_in; k++)
      if (p->values[p->steps[i].in[k]].last_step < i) p->values[p->steps[i].in[k]].last_step = i;
    if (out->last_step < i) out->last_step = i;
  }
  for (int i = 0; i < p->n_outputs; i++) p->values[p->outputs[i]].last_step = p->n_steps;
}

static th_status reorder(search *s) {
  const int n = s->p->n_steps;
  th_program_step *steps = TH_ARRAY(s->arena, th_program_step, n + 1);
  if (!steps) return TH_ERR_RESOURCE;
  for (int k = n, at = 0; k > 0; k--) {
    steps[k - 1] = s->p->steps[s->level[k][at].step];
    at = s->level[k][at].parent;
  }
  memcpy(s->p->steps, steps, (size_t)n * sizeof *steps);
  set_live_ranges(s->p);
  return TH_OK;
}

static th_status order(search *s) {
  const th_program *p = s->p;
  uint64_t before;
  s->words = (p->n_steps + WORD - 1) / WORD;
  s->before = TH_ARRAY(s->arena, uint64_t, p->n_steps * s->words);
  s->touch = TH_ARRAY(s->arena, uint64_t, p->n_values * s->words);
  s->write = TH_ARRAY(s->arena, uint64_t, p->n_values * s->words);
  s->border = TH_ARRAY(s->arena, bool, p->n_values);
  s->level = TH_ARRAY(s->arena, done_set *, p->n_steps + 1);
  s->sets = TH_ARRAY(s->arena, int, p->n_steps + 1);
  if (!s->before || !s->touch || !s->write || !s->border || !s->level || !s->sets) return TH_ERR_RESOURCE;
  s->level[0] = TH_ARRAY(s->arena, done_set, 1);
  if (!s->level[0]) return TH_ERR_RESOURCE;
  find_dependencies(s);
  TH_TRY(peak_as_it_is(s, &before));
  TH_TRY(run_search(s));
  return s->sets[p->n_steps] > 0 && s->level[p->n_steps][0].peak < before ? reorder(s) : TH_OK;
}

th_status th_pass_order(th_program *program) {
  if (program->n_steps < 2 || program->n_steps > STEPS_MOST) return TH_OK;
  search s = {.p = program, .arena = th_arena_create()};
  if (!s.arena) return TH_ERR_RESOURCE;
  const th_status status = order(&s);
  th_arena_destroy(s.arena);
  return status;
}
