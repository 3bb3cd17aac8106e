/* Rate-constrained choice of levels, and the search for lambda. See sweep.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/sweep.h"

#include <math.h>
#include <string.h>

enum { LEVELS = 256, OFFSET = 128, ROUNDS = 4, HALVINGS = 30, NEAR = 6 };

typedef struct work {
  const th_sweep_tensor *tensors;
  int count;
  int8_t **chosen;           /* by tensor */
  th_context_prices **there; /* by tensor: of being zero or not */
} work;

/* --- one tensor --- */

typedef struct levels { /* those in use, ascending, zero always */
  int n, value[LEVELS], place[LEVELS];
  double bits[LEVELS]; /* of what is there, by its share */
} levels;

static void find_levels(const int8_t *q, int64_t n, levels *l) {
  int64_t seen[LEVELS] = {0};
  for (int64_t i = 0; i < n; i++) seen[q[i] + OFFSET]++;
  const double there = (double)(n - seen[OFFSET]);
  l->n = 0;
  for (int k = 0; k < LEVELS; k++) {
    l->place[k] = l->n;
    if (!seen[k] && k != OFFSET) continue;
    l->bits[l->n] = k == OFFSET ? 0 : log2(there / (double)seen[k]);
    l->value[l->n++] = k - OFFSET;
  }
}

typedef struct choice {
  double cost;
  int value;
} choice;

/* What a weight is moved from, and what being zero or not takes. */
typedef struct weight {
  int from;
  double price, zero, there;
} weight;

static void weigh(const levels *l, int k, const weight *w, double lambda, choice *best) {
  const double d = l->value[k] - w->from, bits = l->value[k] ? w->there + l->bits[k] : w->zero;
  const double cost = w->price * d * d + lambda * bits;
  if (cost < best->cost) *best = (choice){cost, l->value[k]};
}

/* The neighbours of where the weight began, and zero. */
static int choose_level(const levels *l, const weight *w, double lambda) {
  const int place = l->place[w->from + OFFSET], zero = l->place[OFFSET];
  const int lo = place > NEAR ? place - NEAR : 0, hi = place + NEAR < l->n ? place + NEAR : l->n - 1;
  choice best = {(double)INFINITY, w->from};
  weigh(l, zero, w, lambda, &best);
  for (int k = lo; k <= hi; k++) weigh(l, k, w, lambda, &best);
  return best.value;
}

/* Shares follow choices; a few rounds settle them. */
static void choose_tensor(const th_sweep_tensor *t, th_context_prices *there, double lambda, int8_t *chosen) {
  levels l;
  memcpy(chosen, t->q, (size_t)t->n);
  for (int round = 0; round < ROUNDS; round++) {
    find_levels(chosen, t->n, &l);
    th_context_prices_update(there, chosen);
    for (int64_t i = 0; i < t->n; i++) {
      const weight w = {.from = t->q[i],
                        .price = (double)t->price[i],
                        .zero = (double)th_context_price(there, (uint32_t)i, false),
                        .there = (double)th_context_price(there, (uint32_t)i, true)};
      if (w.from) chosen[i] = (int8_t)choose_level(&l, &w, lambda);
    }
  }
}

static double bits_of_tensor(const int8_t *q, int64_t n, th_context_prices *there) {
  double bits = 0;
  levels l;
  find_levels(q, n, &l);
  th_context_prices_update(there, q);
  for (int64_t i = 0; i < n; i++)
    bits += (double)th_context_price(there, (uint32_t)i, q[i] != 0) + l.bits[l.place[q[i] + OFFSET]];
  return bits;
}

/* --- all --- */

static double bits_of(const work *w, bool chosen) {
  double bits = 0;
  for (int i = 0; i < w->count; i++)
    bits += bits_of_tensor(chosen ? w->chosen[i] : w->tensors[i].q, w->tensors[i].n, w->there[i]);
  return bits;
}

static double choose_all(const work *w, double lambda) {
  for (int i = 0; i < w->count; i++) choose_tensor(&w->tensors[i], w->there[i], lambda, w->chosen[i]);
  return bits_of(w, true);
}

/* A price of one level against one bit, on average: where the search begins. */
static double first_lambda(const work *w) {
  double sum = 0;
  int64_t n = 0;
  for (int i = 0; i < w->count; i++)
    for (int64_t k = 0; k < w->tensors[i].n; k++) {
      if (!w->tensors[i].q[k]) continue;
      sum += (double)w->tensors[i].price[k];
      n++;
    }
  return n && sum > 0 ? sum / (double)n : 1;
}

/* Doubles or halves until the wanted bits lie between two values, then halves their distance. */
static double search(const work *w, double wanted) {
  double lo = 0, hi = first_lambda(w);
  for (int i = 0; i < HALVINGS && choose_all(w, hi) > wanted; i++) lo = hi, hi *= 4;
  for (int i = 0; i < HALVINGS && hi - lo > 0.02 * hi; i++) {
    const double mid = 0.5 * (lo + hi);
    if (choose_all(w, mid) > wanted)
      lo = mid;
    else
      hi = mid;
  }
  return hi;
}

static void take_chosen(const work *w, th_sweep_outcome *o) {
  for (int i = 0; i < w->count; i++) {
    const th_sweep_tensor *t = &w->tensors[i];
    for (int64_t k = 0; k < t->n; k++) {
      const double d = w->chosen[i][k] - t->q[k];
      o->damage += (double)t->price[k] * d * d;
      o->changed += d != 0;
    }
    memcpy(t->q, w->chosen[i], (size_t)t->n);
  }
}

static th_status allocate(work *w, th_arena *arena) {
  w->chosen = TH_ARRAY(arena, int8_t *, w->count + 1);
  w->there = TH_ARRAY(arena, th_context_prices *, w->count + 1);
  if (!w->chosen || !w->there) return TH_ERR_RESOURCE;
  for (int i = 0; i < w->count; i++) {
    const th_sweep_tensor *t = &w->tensors[i];
    if (!(w->chosen[i] = TH_ARRAY(arena, int8_t, t->n + 1))) return TH_ERR_RESOURCE;
    TH_TRY(th_context_prices_create(t->q, (uint32_t)t->n, &t->form, &w->there[i]));
  }
  return TH_OK;
}

th_status th_sweep_choose(th_sweep_tensor *tensors, int count, double part, th_sweep_outcome *outcome) {
  work w = {.tensors = tensors, .count = count};
  th_arena *arena = th_arena_create();
  const th_status status = arena ? allocate(&w, arena) : TH_ERR_RESOURCE;
  if (status == TH_OK) {
    *outcome = (th_sweep_outcome){.bits_before = bits_of(&w, false)};
    outcome->lambda = search(&w, (1 - part) * outcome->bits_before);
    outcome->bits_after = choose_all(&w, outcome->lambda);
    take_chosen(&w, outcome);
  }
  for (int i = 0; i < count && w.there; i++) th_context_prices_destroy(w.there[i]);
  th_arena_destroy(arena);
  return status;
}
