/* Staircases of rows, and the shortest multiplier for each. See narrow.h.
 *
 * Both the original and a candidate give outputs that never decrease with the sum (pass/reach.h), so they agree
 * everywhere when they agree at both ends and on the two sides of every step of the original: at most 255 steps.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/narrow.h"

#include "../../rt/kernel/ref/arith.h"
#include "pass/reach.h"

typedef struct row {
  int32_t mult, zero, lo, hi;
  int8_t shift;
  th_sum_range sum;
} row;

static int32_t output(const row *r, int32_t mult, int64_t sum) {
  return thr_finish(thr_scale((int32_t)sum, mult, r->shift), r->zero, r->lo, r->hi);
}

/* The smallest sum from `from` on whose output is above `value`; one exists. */
static int64_t next_step(const row *r, int64_t from, int32_t value) {
  int64_t below = from, above = r->sum.hi;
  while (above - below > 1) {
    const int64_t mid = below + (above - below) / 2;
    if (output(r, r->mult, mid) > value)
      above = mid;
    else
      below = mid;
  }
  return above;
}

#define MOST_STEPS 256

/* steps[0..n): the sums at which the output rises. */
static int find_steps(const row *r, int64_t steps[MOST_STEPS]) {
  int n = 0;
  int64_t at = r->sum.lo;
  const int32_t last = output(r, r->mult, r->sum.hi);
  for (int32_t v = output(r, r->mult, at); v < last && n < MOST_STEPS; v = output(r, r->mult, at))
    steps[n++] = at = next_step(r, at, v);
  return n;
}

static bool agrees(const row *r, int32_t mult, int64_t sum) {
  return output(r, mult, sum) == output(r, r->mult, sum);
}

static bool same_staircase(const row *r, int32_t mult, const int64_t *steps, int n) {
  if (!agrees(r, mult, r->sum.lo) || !agrees(r, mult, r->sum.hi)) return false;
  for (int i = n - 1; i >= 0; i--) /* the outer steps are the most demanding */
    if (!agrees(r, mult, steps[i]) || !agrees(r, mult, steps[i] - 1)) return false;
  return true;
}

/* The multiplier with the fewest leading bits, the others 0. */
static int32_t shortest(const row *r) {
  int64_t steps[MOST_STEPS];
  const int n = find_steps(r, steps);
  for (int zeros = 30; zeros > 0; zeros--) {
    const int32_t down = (int32_t)((uint32_t)r->mult >> zeros << zeros);
    const int64_t up = down + ((int64_t)1 << zeros);
    if (down == r->mult) return down;
    if (down >= 1 << 30 && same_staircase(r, down, steps, n)) return down;
    if (up <= INT32_MAX && same_staircase(r, (int32_t)up, steps, n)) return (int32_t)up;
  }
  return r->mult;
}

static th_status narrow_step(th_program *p, th_program_step *s, const th_sum_range *sum) {
  thr_requant *requant =
      s->step.kernel == THR_KERNEL_FULLY_CONNECTED_S8 ? &s->step.p.fully_connected.requant : &s->step.p.conv2d.requant;
  const bool dense = s->step.kernel == THR_KERNEL_FULLY_CONNECTED_S8;
  int32_t *mult = TH_ARRAY(p->arena, int32_t, s->requant_count);
  if (!mult) return TH_ERR_RESOURCE;
  for (uint32_t i = 0; i < s->requant_count; i++) {
    row r = {.mult = s->mult[i], .shift = s->shift[i], .sum = sum[i]};
    r.zero = dense ? s->step.p.fully_connected.out_zero : s->step.p.conv2d.out_zero;
    r.lo = dense ? s->step.p.fully_connected.lo : s->step.p.conv2d.lo;
    r.hi = dense ? s->step.p.fully_connected.hi : s->step.p.conv2d.hi;
    mult[i] = th_reach_is_monotone(s, (int32_t)i, r.sum.lo, r.sum.hi) && r.mult > 0 ? shortest(&r) : r.mult;
  }
  s->mult = requant->mult = mult;
  return TH_OK;
}

th_status th_pass_narrow(th_program *program) {
  th_arena *arena = th_arena_create();
  th_reach reach;
  th_status status = arena ? th_reach_find(program->graph, program, arena, &reach) : TH_ERR_RESOURCE;
  for (int i = 0; i < program->n_steps && status == TH_OK; i++) {
    th_program_step *s = &program->steps[i];
    /* a multiplier of its own for each row; shared ones are few anyway */
    if (reach.sum[i] && s->requant_count == s->weight_count / s->row_elems && !s->index)
      status = narrow_step(program, s, reach.sum[i]);
  }
  th_arena_destroy(arena);
  return status;
}
