/* Arena planning in three steps: values become buffers (in-place results join the buffer they overwrite, scratch is a
 * buffer of one step), several orders are placed first-fit and the smallest kept, and what misses the lower bound is
 * searched: small problems by branch and bound over placement orders, all by moving the buffer at the top forward in
 * the order. See plan.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/plan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../rt/core/fields.h"
#include "base/arena.h"
#include "base/rng.h"
#include "pass/memory.h"

enum { SEARCH_MOST_BUFFERS = 14, SEARCH_MOST_NODES = 200000 };
enum { STATE_ALIGN = 4 };
/* Placing n buffers takes some n^2 steps: this many of those. */
enum { MOVES_MOST = 4000, MOVES_WORK = 20000000 };

typedef struct buffer {
  int first, last; /* steps in which it is alive, both included */
  uint32_t bytes, align, offset;
  int id;
  bool in_trail;
} buffer;

/* The result of a segment may begin up to `lead` bytes behind (or -lead bytes before) the source that it uses up. */
typedef struct trail {
  int source, result; /* buffers */
  int64_t lead;
} trail;

typedef struct layout {
  buffer *b;
  int n;
  trail *trails;
  int n_trails;
  int *buffer_of;  /* per value; -1: constant */
  int *scratch_of; /* per step; -1: none */
  uint32_t lower_bound;
} layout;

/* --- values to buffers --- */

static void add_value(const th_program *p, layout *l, int value) {
  const th_value *v = &p->values[value];
  l->buffer_of[value] = -1;
  if (v->data || v->state) return;
  l->b[l->n] = (buffer){v->first_step, th_value_last(v), th_value_room(v), th_value_align(p, v), 0, l->n, false};
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

static th_status add_trails(const th_program *p, th_arena *arena, layout *l) {
  th_chain chain;
  l->trails = TH_ARRAY(arena, trail, p->n_segments * 2 * THR_STAGES_MOST + 1);
  if (!l->trails) return TH_ERR_RESOURCE;
  for (int s = 0; s < p->n_segments; s++) {
    const th_segment *segment = &p->segments[s];
    if (!th_chain_of(p, segment->first, segment->last, &chain))
      return th_fail(TH_ERR_INTERNAL, "segment at %s: no chain", p->steps[segment->first].name);
    for (int i = 0; i < chain.n_sources; i++) {
      const th_chain_source *source = &chain.source[i];
      if (!th_chain_uses_up(p, &chain, source->value)) continue;
      const trail t = {l->buffer_of[source->value], l->buffer_of[p->steps[segment->last].out], source->lead};
      l->b[t.source].in_trail = l->b[t.result].in_trail = true;
      l->trails[l->n_trails++] = t;
    }
  }
  return TH_OK;
}

static uint32_t state_bytes(const th_program *p) {
  uint32_t sum = 0;
  for (int i = 0; i < p->n_values; i++)
    if (p->values[i].state) sum += p->values[i].bytes;
  return sum;
}

static th_status make_layout(const th_program *p, th_arena *arena, layout *l) {
  *l = (layout){0};
  l->b = TH_ARRAY(arena, buffer, p->n_values + p->n_steps + 1);
  l->buffer_of = TH_ARRAY(arena, int, p->n_values + 1);
  l->scratch_of = TH_ARRAY(arena, int, p->n_steps + 1);
  if (!l->b || !l->buffer_of || !l->scratch_of) return TH_ERR_RESOURCE;
  for (int i = 0; i < p->n_values; i++) add_value(p, l, i);
  for (int i = 0; i < p->n_steps; i++) {
    int in = th_overwritten_input(p, i);
    if (in >= 0 && l->buffer_of[in] != l->buffer_of[p->steps[i].out])
      join_buffers(p, l, l->buffer_of[in], p->steps[i].out);
    l->scratch_of[i] = -1;
    if (p->steps[i].scratch_bytes == 0) continue;
    const th_segment lives = th_segment_of(p, i);
    l->b[l->n] = (buffer){lives.first, lives.last, p->steps[i].scratch_bytes, th_step_scratch_align(&p->steps[i]), 0,
                          l->n,        false};
    l->scratch_of[i] = l->n++;
  }
  const uint64_t peak = th_peak_bytes(p);
  if (peak > INT32_MAX) return th_fail(TH_ERR_INPUT, "the arena would take %llu bytes", (unsigned long long)peak);
  l->lower_bound = (uint32_t)peak - state_bytes(p);
  return add_trails(p, arena, l);
}

/* --- placing --- */

static bool meet(const buffer *a, const buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

static uint32_t align_up(uint32_t v, uint32_t align) {
  return (v + align - 1) / align * align;
}

/* Offsets of b strictly between these are taken by the placed buffer a, which lives at the same time. */
static void taken(const layout *l, const buffer *a, const buffer *b, int64_t *above, int64_t *below) {
  *above = (int64_t)a->offset - b->bytes;
  *below = (int64_t)a->offset + a->bytes;
  for (int i = 0; i < l->n_trails && a->in_trail && b->in_trail; i++) {
    const trail *t = &l->trails[i];
    if (t->source == a->id && t->result == b->id && a->offset + t->lead > *above) *above = a->offset + t->lead;
    if (t->source == b->id && t->result == a->id && a->offset - t->lead < *below) *below = a->offset - t->lead;
  }
}

/* The lowest offset at which b fits between the placed buffers that live at the same time. */
static uint32_t lowest_offset(const layout *l, const buffer *const *placed, int n, const buffer *b) {
  uint32_t at = 0;
  bool moved = true;
  while (moved) {
    moved = false;
    for (int i = 0; i < n; i++) {
      int64_t above, below;
      if (!meet(placed[i], b) || placed[i]->bytes == 0) continue;
      taken(l, placed[i], b, &above, &below);
      if (at <= above || at >= below) continue;
      at = align_up((uint32_t)below, b->align);
      moved = true;
    }
  }
  return at;
}

static uint32_t place_in_order(const layout *l, buffer **order, int n) {
  uint32_t top = 0;
  for (int i = 0; i < n; i++) {
    if (order[i]->bytes == 0) continue;
    order[i]->offset = lowest_offset(l, (const buffer *const *)order, i, order[i]);
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
    uint32_t top = place_in_order(l, order, l->n);
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
    b->offset = lowest_offset(s->l, (const buffer *const *)s->order, depth, b);
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

/* Whatever reaches highest has been placed too late: it moves to some earlier turn, again and again. */
static uint32_t search_moves(layout *l, buffer **order, uint32_t best, uint32_t *offsets) {
  th_rng rng = th_rng_init(1, 0);
  const int64_t moves = MOVES_WORK / ((int64_t)l->n * l->n + 1);
  for (int i = 0; i < l->n; i++) order[i] = &l->b[i];
  qsort(order, (size_t)l->n, sizeof *order, by_size);
  for (int64_t i = 0; i < moves && i < MOVES_MOST && best > l->lower_bound; i++) {
    const uint32_t top = place_in_order(l, order, l->n);
    if (top < best) {
      best = top;
      save(l, offsets);
    }
    int highest = 0;
    for (int k = 0; k < l->n; k++)
      if (order[k]->bytes > 0 && order[k]->offset + order[k]->bytes == top) highest = k;
    const int to = highest > 0 ? (int)th_rng_below(&rng, (uint32_t)highest) : 0;
    buffer *moving = order[highest];
    memmove(order + to + 1, order + to, (size_t)(highest - to) * sizeof *order);
    order[to] = moving;
  }
  return best;
}

/* Variables live always, so they need no search: they lie one after another, apart from the rest. Returns where they
 * end. */
static uint32_t lay_states(th_program *p) {
  uint32_t at = p->states_at;
  for (int i = 0; i < p->n_values; i++) {
    th_value *v = &p->values[i];
    if (!v->state) continue;
    v->offset = at;
    at = align_up(at + v->bytes, STATE_ALIGN);
  }
  p->state_bytes = at - p->states_at;
  return at;
}

/* Everything but the variables moves up behind them, or to where it is wanted. */
static th_status move_up(th_program *p, const layout *l, const uint32_t *offsets, uint32_t top, th_plan_info *info) {
  const uint32_t end = lay_states(p), base = p->shared_at > end ? p->shared_at : end;
  if ((uint64_t)base + top > INT32_MAX)
    return th_fail(TH_ERR_INPUT, "the arena would take %llu bytes", (unsigned long long)base + top);
  for (int i = 0; i < p->n_values; i++)
    if (!p->values[i].state) p->values[i].offset = l->buffer_of[i] < 0 ? TH_NO_OFFSET : base + offsets[l->buffer_of[i]];
  for (int i = 0; i < p->n_steps; i++)
    p->steps[i].scratch_offset = l->scratch_of[i] < 0 ? 0 : base + offsets[l->scratch_of[i]];
  p->arena_bytes = base + top;
  if (info) *info = (th_plan_info){base + top, base + l->lower_bound};
  return TH_OK;
}

static th_status plan(th_program *p, th_arena *arena, th_plan_info *info) {
  layout l;
  TH_TRY(make_layout(p, arena, &l));
  buffer **order = TH_ARRAY(arena, buffer *, l.n + 1);
  uint32_t *offsets = TH_ARRAY(arena, uint32_t, l.n + 1);
  if (!order || !offsets) return TH_ERR_RESOURCE;
  uint32_t best = best_of_orders(&l, order, offsets);
  best = search_moves(&l, order, best, offsets);
  best = search_small(&l, order, best, offsets);
  return move_up(p, &l, offsets, best, info);
}

th_status th_pass_plan(th_program *program, th_plan_info *info) {
  th_arena *arena = th_arena_create();
  if (!arena) return TH_ERR_RESOURCE;
  th_status status = plan(program, arena, info);
  th_arena_destroy(arena);
  return status == TH_OK ? th_plan_check(program) : status;
}
