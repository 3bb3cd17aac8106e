/* Entropy-constrained choice of levels, and the search for lambda. See sweep.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/sweep.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"

enum { LEVELS = 256, OFFSET = 128, ROUNDS = 4, HALVINGS = 30, NEAR = 6 };

typedef struct work {
  const th_sweep_tensor *tensors;
  int count;
  int8_t **chosen; /* by tensor */
} work;

/* --- one tensor --- */

typedef struct levels { /* those in use, ascending, and what each takes by its share */
  int n, value[LEVELS], place[LEVELS];
  double bits[LEVELS], all;
} levels;

static void find_levels(const int8_t *q, int64_t n, levels *l) {
  int64_t seen[LEVELS] = {0};
  for (int64_t i = 0; i < n; i++) seen[q[i] + OFFSET]++;
  l->n = 0;
  l->all = 0;
  for (int k = 0; k < LEVELS; k++) {
    l->place[k] = l->n;
    if (!seen[k] && k != OFFSET) continue;
    l->bits[l->n] = log2((double)n / ((double)seen[k] + (seen[k] == 0)));
    l->all += (double)seen[k] * l->bits[l->n];
    l->value[l->n++] = k - OFFSET;
  }
}

typedef struct choice {
  double cost;
  int value;
} choice;

static void weigh(const levels *l, int k, int from, double price, double lambda, choice *best) {
  const double d = l->value[k] - from, cost = price * d * d + lambda * l->bits[k];
  if (cost < best->cost) *best = (choice){cost, l->value[k]};
}

/* The neighbours of where the weight began, and zero. */
static int choose_level(const levels *l, int from, double price, double lambda) {
  const int place = l->place[from + OFFSET], zero = l->place[OFFSET];
  const int lo = place > NEAR ? place - NEAR : 0, hi = place + NEAR < l->n ? place + NEAR : l->n - 1;
  choice best = {(double)INFINITY, from};
  weigh(l, zero, from, price, lambda, &best);
  for (int k = lo; k <= hi; k++) weigh(l, k, from, price, lambda, &best);
  return best.value;
}

/* Shares follow choices; a few rounds settle them. */
static void choose_tensor(const th_sweep_tensor *t, double lambda, int8_t *chosen) {
  levels l;
  memcpy(chosen, t->q, (size_t)t->n);
  for (int round = 0; round < ROUNDS; round++) {
    find_levels(chosen, t->n, &l);
    for (int64_t i = 0; i < t->n; i++)
      if (t->q[i]) chosen[i] = (int8_t)choose_level(&l, t->q[i], (double)t->price[i], lambda);
  }
}

/* --- all --- */

static double bits_of(const work *w, bool chosen) {
  double bits = 0;
  levels l;
  for (int i = 0; i < w->count; i++) {
    find_levels(chosen ? w->chosen[i] : w->tensors[i].q, w->tensors[i].n, &l);
    bits += l.all;
  }
  return bits;
}

static double choose_all(const work *w, double lambda) {
  for (int i = 0; i < w->count; i++) choose_tensor(&w->tensors[i], lambda, w->chosen[i]);
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

th_status th_sweep_choose(th_sweep_tensor *tensors, int count, double part, th_sweep_outcome *outcome) {
  work w = {.tensors = tensors, .count = count};
  th_arena *arena = th_arena_create();
  w.chosen = arena ? TH_ARRAY(arena, int8_t *, count + 1) : NULL;
  bool ok = w.chosen != NULL;
  for (int i = 0; i < count && ok; i++) ok = (w.chosen[i] = TH_ARRAY(arena, int8_t, tensors[i].n + 1)) != NULL;
  if (ok) {
    *outcome = (th_sweep_outcome){.bits_before = bits_of(&w, false)};
    outcome->lambda = search(&w, (1 - part) * outcome->bits_before);
    outcome->bits_after = choose_all(&w, outcome->lambda);
    take_chosen(&w, outcome);
  }
  th_arena_destroy(arena);
  return ok ? TH_OK : TH_ERR_RESOURCE;
}
