/* Arena planning in three steps: values become buffers (in-place results join the buffer they overwrite, scratch is a
 * buffer of one step), several orders are placed first-fit and the smallest kept, and small problems that miss the
 * lower bound are searched by branch and bound over placement orders. See plan.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/plan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../rt/core/fields.h"
#include "base/arena.h"

enum { SEARCH_MOST_BUFFERS = 14, SEARCH_MOST_NODES = 200000 };

typedef struct buffer {
  int first, last; /* steps in which it is alive, both included */
  uint32_t bytes, align, offset;
  int id;
} buffer;

typedef struct layout {
  buffer *b;
  int n;
  int *buffer_of;  /* per value; -1: constant */
  int *scratch_of; /* per step; -1: none */
  uint32_t lower_bound;
} layout;

/* --- values to buffers --- */

/* Kernels whose output may be an input (rt/kernel/kernels.def): of two operands, both must have its size. */
static bool may_overwrite(const th_program *p, const th_program_step *s) {
  if (!thr_kernel_about(s->step.kernel)->over) return false;
  return s->n_in == 1 || p->values[s->in[0]].bytes == p->values[s->in[1]].bytes;
}

static int last_use(const th_value *v) {
  return v->last_step > v->first_step ? v->last_step : v->first_step;
}

/* The input that dies in this step and whose place the output can take, or -1. */
static int overwritten_input(const th_program *p, int step) {
  const th_program_step *s = &p->steps[step];
  if (!may_overwrite(p, s)) return -1;
  const th_value *out = &p->values[s->out];
  for (int i = 0; i < s->n_in; i++) {
    const th_value *in = &p->values[s->in[i]];
    if (!in->data && s->in[i] != s->out && in->bytes == out->bytes && last_use(in) == step && out->first_step == step)
      return s->in[i];
  }
  return -1;
}

static void add_value(const th_program *p, layout *l, int value) {
  const th_value *v = &p->values[value];
  l->buffer_of[value] = -1;
  if (v->data) return;
  l->b[l->n] = (buffer){v->first_step, last_use(v), v->bytes, th_value_align(p, v), 0, l->n};
  l->buffer_of[value] = l->n++;
}

/* Joins the buffer of `value` into `into`: one place, alive over both. */
static void join_buffers(const th_program *p, layout *l, int into, int value) {
  int from = l->buffer_of[value];
  buffer *a = &l->b[into], *b = &l->b[from];
  if (b->first < a->first) a->first = b->first;
  if (b->last > a->last) a->last = b->last;
  if (b->align > a->align) a->align = b->align;
  b->bytes = 0;
  for (int i = 0; i < p->n_values; i++)
    if (l->buffer_of[i] == from) l->buffer_of[i] = into;
}

static uint32_t bytes_alive(const layout *l, int step) {
  uint32_t sum = 0;
  for (int i = 0; i < l->n; i++)
    if (l->b[i].first <= step && step <= l->b[i].last) sum += l->b[i].bytes;
  return sum;
}

static uint32_t scratch_align(const th_program_step *s) {
  const uint32_t align = thr_kernel_about(s->step.kernel)->scratch_align;
  return align > 1 ? align : 1;
}

static th_status make_layout(const th_program *p, th_arena *arena, layout *l) {
  *l = (layout){0};
  l->b = TH_ARRAY(arena, buffer, p->n_values + p->n_steps + 1);
  l->buffer_of = TH_ARRAY(arena, int, p->n_values + 1);
  l->scratch_of = TH_ARRAY(arena, int, p->n_steps + 1);
  if (!l->b || !l->buffer_of || !l->scratch_of) return TH_ERR_RESOURCE;
  for (int i = 0; i < p->n_values; i++) add_value(p, l, i);
  for (int i = 0; i < p->n_steps; i++) {
    int in = overwritten_input(p, i);
    if (in >= 0 && l->buffer_of[in] != l->buffer_of[p->steps[i].out])
      join_buffers(p, l, l->buffer_of[in], p->steps[i].out);
    l->scratch_of[i] = -1;
    if (p->steps[i].scratch_bytes == 0) continue;
    l->b[l->n] = (buffer){i, i, p->steps[i].scratch_bytes, scratch_align(&p->steps[i]), 0, l->n};
    l->scratch_of[i] = l->n++;
  }
  for (int i = -1; i <= p->n_steps; i++) {
    uint32_t alive = bytes_alive(l, i);
    if (alive > l->lower_bound) l->lower_bound = alive;
  }
  return TH_OK;
}

/* --- placing --- */

static bool meet(const buffer *a, const buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

static uint32_t align_up(uint32_t v, uint32_t align) {
  return (v + align - 1) / align * align;
}

/* The lowest offset at which b fits between the placed buffers that live at the same time. */
static uint32_t lowest_offset(const buffer *const *placed, int n, const buffer *b) {
  uint32_t at = 0;
  bool moved = true;
  while (moved) {
    moved = false;
    for (int i = 0; i < n; i++) {
      const buffer *o = placed[i];
      if (!meet(o, b) || o->bytes == 0 || at + b->bytes <= o->offset || o->offset + o->bytes <= at) continue;
      at = align_up(o->offset + o->bytes, b->align);
      moved = true;
    }
  }
  return at;
}

static uint32_t place_in_order(buffer **order, int n) {
  uint32_t top = 0;
  for (int i = 0; i < n; i++) {
    if (order[i]->bytes == 0) continue;
    order[i]->offset = lowest_offset((const buffer *const *)order, i, order[i]);
    if (order[i]->offset + order[i]->bytes > top) top = order[i]->offset + order[i]->bytes;
  }
  return top;
}

static int duration(const buffer *b) {
  return b->last - b->first + 1;
}

static int by_id(const buffer *x, const buffer *y) {
  return (x->id > y->id) - (x->id < y->id);
}

static int by_size(const void *a, const void *b) {
  const buffer *x = *(buffer *const *)a, *y = *(buffer *const *)b;
  return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : by_id(x, y);
}

static int by_area(const void *a, const void *b) {
  const buffer *x = *(buffer *const *)a, *y = *(buffer *const *)b;
  uint64_t p = (uint64_t)x->bytes * (uint64_t)duration(x), q = (uint64_t)y->bytes * (uint64_t)duration(y);
  return p != q ? (p < q ? 1 : -1) : by_id(x, y);
}

static int by_duration(const void *a, const void *b) {
  const buffer *x = *(buffer *const *)a, *y = *(buffer *const *)b;
  return duration(x) != duration(y) ? duration(y) - duration(x) : by_size(a, b);
}

static int by_start(const void *a, const void *b) {
  const buffer *x = *(buffer *const *)a, *y = *(buffer *const *)b;
  return x->first != y->first ? x->first - y->first : by_size(a, b);
}

static int by_end(const void *a, const void *b) {
  const buffer *x = *(buffer *const *)a, *y = *(buffer *const *)b;
  return x->last != y->last ? y->last - x->last : by_size(a, b);
}

static void save(const layout *l, uint32_t *offsets) {
  for (int i = 0; i < l->n; i++) offsets[i] = l->b[i].offset;
}

static uint32_t best_of_orders(layout *l, buffer **order, uint32_t *offsets) {
  int (*const orders[])(const void *, const void *) = {by_size, by_area, by_duration, by_start, by_end};
  uint32_t best = UINT32_MAX;
  for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
    for (int i = 0; i < l->n; i++) order[i] = &l->b[i];
    qsort(order, (size_t)l->n, sizeof *order, orders[k]);
    uint32_t top = place_in_order(order, l->n);
    if (top < best) {
      best = top;
      save(l, offsets);
    }
  }
  return best;
}

/* --- searching --- */

typedef struct search {
  layout *l;
  buffer **order; /* the first `depth` are placed */
  int n;
  uint32_t best, *offsets;
  int budget;
} search;

/* Depth-first over orders; an order is given up when a buffer reaches what is already known to be possible. The depth
 * is at most SEARCH_MOST_BUFFERS. */
static void search_orders(search *s, int depth, uint32_t top) {
  if (s->budget-- <= 0 || s->best == s->l->lower_bound) return;
  if (depth == s->n) {
    s->best = top;
    save(s->l, s->offsets);
    return;
  }
  for (int i = depth; i < s->n; i++) {
    buffer *b = s->order[i];
    s->order[i] = s->order[depth];
    s->order[depth] = b;
    b->offset = lowest_offset((const buffer *const *)s->order, depth, b);
    uint32_t end = b->offset + b->bytes, higher = end > top ? end : top;
    if (higher < s->best) search_orders(s, depth + 1, higher);
    s->order[depth] = s->order[i];
    s->order[i] = b;
  }
}

static uint32_t search_small(layout *l, buffer **order, uint32_t best, uint32_t *offsets) {
  int n = 0;
  for (int i = 0; i < l->n; i++)
    if (l->b[i].bytes > 0) order[n++] = &l->b[i];
  if (n > SEARCH_MOST_BUFFERS || best == l->lower_bound) return best;
  qsort(order, (size_t)n, sizeof *order, by_size);
  search s = {l, order, n, best, offsets, SEARCH_MOST_NODES};
  search_orders(&s, 0, 0);
  return s.best;
}

static th_status plan(th_program *p, th_arena *arena, th_plan_info *info) {
  layout l;
  TH_TRY(make_layout(p, arena, &l));
  buffer **order = TH_ARRAY(arena, buffer *, l.n + 1);
  uint32_t *offsets = TH_ARRAY(arena, uint32_t, l.n + 1);
  if (!order || !offsets) return TH_ERR_RESOURCE;
  uint32_t best = best_of_orders(&l, order, offsets);
  best = search_small(&l, order, best, offsets);
  for (int i = 0; i < p->n_values; i++)
    p->values[i].offset = l.buffer_of[i] < 0 ? TH_NO_OFFSET : offsets[l.buffer_of[i]];
  for (int i = 0; i < p->n_steps; i++) p->steps[i].scratch_offset = l.scratch_of[i] < 0 ? 0 : offsets[l.scratch_of[i]];
  p->arena_bytes = best;
  if (info) *info = (th_plan_info){best, l.lower_bound};
  return TH_OK;
}

th_status th_pass_plan(th_program *program, th_plan_info *info) {
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  th_status status = plan(program, arena, info);
  th_arena_destroy(arena);
  return status == TH_OK ? th_plan_check(program) : status;
}

/* --- checking, from the program alone --- */

static bool overlap(uint32_t a, uint32_t a_bytes, uint32_t b, uint32_t b_bytes) {
  return a_bytes > 0 && b_bytes > 0 && a < b + b_bytes && b < a + a_bytes;
}

/* Values that share bytes on purpose: one dies in the step that writes the other over it. */
static bool handed_over(const th_program *p, int a, int b) {
  for (int i = 0; i < p->n_steps; i++) {
    int in = overwritten_input(p, i), out = p->steps[i].out;
    if (in >= 0 && ((in == a && out == b) || (in == b && out == a))) return p->values[a].offset == p->values[b].offset;
  }
  return false;
}

static th_status check_pair(const th_program *p, int a, int b) {
  const th_value *v = &p->values[a], *w = &p->values[b];
  if (v->data || w->data || v->first_step > last_use(w) || w->first_step > last_use(v)) return TH_OK;
  if (!overlap(v->offset, v->bytes, w->offset, w->bytes) || handed_over(p, a, b)) return TH_OK;
  return th_fail(TH_ERR_INTERNAL, "arena plan: %s and %s are alive together and overlap", v->name, w->name);
}

static th_status check_scratch(const th_program *p, int step) {
  const th_program_step *s = &p->steps[step];
  if ((uint64_t)s->scratch_offset + s->scratch_bytes > p->arena_bytes)
    return th_fail(TH_ERR_INTERNAL, "arena plan: the scratch of %s leaves the arena", s->name);
  for (int i = 0; i < p->n_values; i++) {
    const th_value *v = &p->values[i];
    if (v->data || v->first_step > step || last_use(v) < step) continue;
    if (overlap(v->offset, v->bytes, s->scratch_offset, s->scratch_bytes))
      return th_fail(TH_ERR_INTERNAL, "arena plan: the scratch of %s overlaps %s", s->name, v->name);
  }
  return TH_OK;
}

th_status th_plan_check(const th_program *program) {
  for (int a = 0; a < program->n_values; a++) {
    const th_value *v = &program->values[a];
    if (v->data) continue;
    if ((uint64_t)v->offset + v->bytes > program->arena_bytes || v->offset % th_value_align(program, v) != 0)
      return th_fail(TH_ERR_INTERNAL, "arena plan: %s leaves the arena or is misaligned", v->name);
    for (int b = a + 1; b < program->n_values; b++) TH_TRY(check_pair(program, a, b));
  }
  for (int i = 0; i < program->n_steps; i++) TH_TRY(check_scratch(program, i));
  return TH_OK;
}
