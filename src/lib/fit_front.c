/* What the trials amount to: how far each is from the limits, the front, the chosen one, the nearest miss. See fit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "lib/fit.h"

/* --- one trial against the limits --- */

static double over(int64_t value, int64_t limit) {
  return limit > 0 && value > limit ? (double)(value - limit) / (double)limit : 0;
}

/* Linked files have been up to 0.5 % larger than predicted, and the example has some buffers of its own. */
int64_t th_fit_flash_needed(const th_fit_build *b) {
  return b->flash_bytes + b->flash_bytes / 200;
}

int64_t th_fit_ram_needed(const th_fit_build *b) {
  return b->ram_bytes + 48;
}

double th_fit_build_excess(const th_fit_search *s, const th_fit_build *b) {
  return fmax(over(th_fit_flash_needed(b), s->flash_limit), over(th_fit_ram_needed(b), s->ram_limit));
}

/* The accuracy that may be lost, in points: by either limit. */
static double allowed_drop(const th_fit_search *s) {
  const th_fit_options *o = s->options;
  const double by_value = isnan(o->min_accuracy) ? (double)INFINITY : th_fit_drop(s, o->min_accuracy);
  return fmin(by_value, isnan(o->max_drop) ? (double)INFINITY : o->max_drop);
}

#define POINTS 10.0 /* too many are as bad as twice the bytes that a limit allows */

static double accuracy_excess(const th_fit_search *s, const th_fit_trial *t) {
  const double allowed = allowed_drop(s);
  if (isnan(t->drop)) return (double)INFINITY;
  return t->drop > allowed + 1e-9 ? (t->drop - allowed) / POINTS : 0;
}

/* What is not known counts as slowest. */
static uint64_t time_of(const th_fit_build *b) {
  return b->instructions > 0 ? (uint64_t)b->instructions : UINT64_MAX;
}

/* The fastest build that keeps the limits, else the one that exceeds them least. */
static void choose_build(const th_fit_search *s, th_fit_trial *t) {
  const th_fit_outcome *o = &t->job.outcome;
  int best = 0;
  for (int i = 1; i < o->builds; i++) {
    const double a = th_fit_build_excess(s, &o->build[i]), b = th_fit_build_excess(s, &o->build[best]);
    const bool faster = time_of(&o->build[i]) < time_of(&o->build[best]);
    if (a < b || (a == b && (a > 0 ? o->build[i].flash_bytes < o->build[best].flash_bytes : faster))) best = i;
  }
  t->best = o->build[best];
}

void th_fit_judge(const th_fit_search *s, th_fit_trial *t) {
  const th_fit_outcome *o = &t->job.outcome;
  t->drop = o->error ? (double)NAN : th_fit_drop(s, o->value);
  t->excess = (double)INFINITY;
  if (o->error || !o->builds || !t->job.done) return;
  choose_build(s, t);
  t->excess = fmax(th_fit_build_excess(s, &t->best), accuracy_excess(s, t));
}

/* --- comparing --- */

static bool counts(const th_fit_trial *t) {
  return t->job.done && !t->job.outcome.error && t->job.outcome.builds && !isnan(t->drop);
}

/* Nearer to the limits; within them more accurate, then smaller, then faster. */
bool th_fit_better(const th_fit_trial *a, const th_fit_trial *b) {
  if (a->excess != b->excess) return a->excess < b->excess;
  if (a->drop != b->drop) return a->drop < b->drop;
  if (a->best.flash_bytes != b->best.flash_bytes) return a->best.flash_bytes < b->best.flash_bytes;
  return time_of(&a->best) < time_of(&b->best);
}

/* b is at least as good in everything, and better in something or earlier. */
static bool beats(const th_fit_trial *b, const th_fit_trial *a) {
  const th_fit_build *x = &b->best, *y = &a->best;
  if (x->flash_bytes > y->flash_bytes || x->ram_bytes > y->ram_bytes || time_of(x) > time_of(y)) return false;
  if (b->drop > a->drop) return false;
  return x->flash_bytes < y->flash_bytes || x->ram_bytes < y->ram_bytes || time_of(x) < time_of(y) ||
         b->drop < a->drop || b < a;
}

void th_fit_find_front(th_fit_search *s) {
  for (int i = 0; i < s->trials; i++) {
    th_fit_trial *t = &s->trial[i];
    t->on_front = counts(t);
    for (int k = 0; k < s->trials && t->on_front; k++)
      if (k != i && counts(&s->trial[k]) && beats(&s->trial[k], t)) t->on_front = false;
  }
}

static const th_fit_trial *best_trial(const th_fit_search *s) {
  const th_fit_trial *best = NULL;
  for (int i = 0; i < s->trials; i++)
    if (counts(&s->trial[i]) && (!best || th_fit_better(&s->trial[i], best))) best = &s->trial[i];
  return best;
}

const th_fit_trial *th_fit_chosen(const th_fit_search *s) {
  const th_fit_trial *best = best_trial(s);
  return best && best->excess == 0 ? best : NULL;
}

/* --- the nearest miss --- */

/* How far a build of the trial is over one limit when it keeps the two others; infinite when it does not. */
static double only_over(const th_fit_search *s, const th_fit_trial *t, const th_fit_build *b, int limit) {
  const double excess[] = {over(th_fit_flash_needed(b), s->flash_limit), over(th_fit_ram_needed(b), s->ram_limit),
                           accuracy_excess(s, t)};
  for (int i = 0; i < 3; i++)
    if (i != limit && excess[i] > 0) return (double)INFINITY;
  return excess[limit];
}

th_fit_miss th_fit_nearest(const th_fit_search *s) {
  static const char *const names[] = {"flash", "ram", "accuracy"};
  th_fit_miss miss = {best_trial(s), NULL, {0}};
  double least = (double)INFINITY;
  for (int i = 0; i < s->trials; i++)
    for (int b = 0; counts(&s->trial[i]) && b < s->trial[i].job.outcome.builds; b++)
      for (int limit = 0; limit < 3; limit++) {
        const double excess = only_over(s, &s->trial[i], &s->trial[i].job.outcome.build[b], limit);
        if (excess >= least) continue;
        least = excess;
        miss = (th_fit_miss){&s->trial[i], names[limit], s->trial[i].job.outcome.build[b]};
      }
  if (miss.trial && !miss.limit) miss.build = miss.trial->best;
  return miss;
}
