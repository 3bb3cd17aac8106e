/* Rounds of trials: what needs no training, then brackets of successive halving. See fit.h.
 *
 * A bracket begins with several candidates that train for an epoch, learning from the network as it came in; the best
 * few of them train longer, the best of those still longer (Jamieson & Talwalkar 2016). A round is over before the next
 * is chosen, so what is tried does not depend on who is faster. Trials are cut off by number or by time at any place;
 * the trials before are the same. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "lib/fit.h"

typedef struct rung {
  int trials, epochs;
} rung;

static const rung rungs[] = {{8, TH_FIT_FIRST_EPOCHS}, {3, 4}, {1, 14}};
enum { RUNGS = sizeof rungs / sizeof *rungs, MOST_ROUND = 16, DEFAULT_TRIALS = 60 };

/* --- one round --- */

static int trials_wanted(const th_fit_search *s) {
  return s->options->trials ? s->options->trials : DEFAULT_TRIALS;
}

static bool may_go_on(const th_fit_search *s) {
  return !s->out_of_time && s->trials < trials_wanted(s);
}

typedef struct entry {
  int candidate, epochs;
} entry;

static th_status add_trial(th_fit_search *s, entry e) {
  th_fit_trial *t = &s->trial[s->trials];
  *t = (th_fit_trial){.candidate = e.candidate, .epochs = e.epochs};
  t->job = (th_fit_job){.kind = TH_FIT_TRIAL, .recipe = th_fit_recipe(s, &s->candidate[e.candidate], e.epochs)};
  if (!t->job.recipe) return TH_ERR_RESOURCE;
  s->trials++;
  return TH_OK;
}

/* As soon as a trial has ended it may join the front; the round's jobs are the last trials. */
static void on_trial(th_fit_search *s, int i) {
  th_fit_trial *t = &s->trial[s->round_begin + i];
  th_fit_judge(s, t);
  th_fit_find_front(s);
  if (t->on_front) th_fit_tell(s, t);
}

static th_status run_round(th_fit_search *s, const entry *list, int n) {
  th_fit_job *jobs[MOST_ROUND];
  int done;
  s->round_begin = s->trials;
  for (int i = 0; i < n && s->trials < trials_wanted(s); i++) TH_TRY(add_trial(s, list[i]));
  const int count = s->trials - s->round_begin;
  for (int i = 0; i < count; i++) jobs[i] = &s->trial[s->round_begin + i].job;
  TH_TRY(th_fit_run_jobs(s, jobs, count, on_trial, &done));
  th_fit_learn(s);
  return th_fit_save_json(s, s->dir);
}

/* --- promoting --- */

/* Training makes a network more accurate, not smaller: bytes come first. */
static bool promises_more(const th_fit_search *s, const th_fit_trial *a, const th_fit_trial *b) {
  const double x = th_fit_build_excess(s, &a->best), y = th_fit_build_excess(s, &b->best);
  return x != y ? x < y : a->drop < b->drop;
}

static bool counts(const th_fit_trial *t) {
  return t->job.done && !t->job.outcome.error && t->job.outcome.builds && !isnan(t->drop);
}

/* The best `most` trials from `begin` on, as entries of the next rung. */
static int promote(const th_fit_search *s, int begin, int end, int most, int epochs, entry *next) {
  bool taken[MOST_ROUND] = {false};
  int n = 0;
  for (; n < most; n++) {
    int best = -1;
    for (int i = begin; i < end; i++) {
      if (taken[i - begin] || !counts(&s->trial[i])) continue;
      if (best < 0 || promises_more(s, &s->trial[i], &s->trial[best])) best = i;
    }
    if (best < 0) break;
    taken[best - begin] = true;
    next[n] = (entry){s->trial[best].candidate, epochs};
  }
  return n;
}

static th_status run_bracket(th_fit_search *s, bool *any) {
  entry list[MOST_ROUND];
  int chosen[MOST_ROUND], n;
  TH_TRY(th_fit_next_candidates(s, rungs[0].trials, chosen, &n));
  *any = n > 0;
  for (int i = 0; i < n; i++) list[i] = (entry){chosen[i], rungs[0].epochs};
  for (int r = 0; r < RUNGS && n > 0 && may_go_on(s); r++) {
    TH_TRY(run_round(s, list, n));
    const int begin = s->round_begin, end = s->trials;
    n = r + 1 < RUNGS ? promote(s, begin, end, rungs[r + 1].trials, rungs[r + 1].epochs, list) : 0;
  }
  return TH_OK;
}

/* --- all --- */

/* Without training: plain integers, and fewer bits where these are too many. */
static th_status run_untrained(th_fit_search *s) {
  entry list[MOST_ROUND];
  int n = 0;
  for (int i = 0; i < s->candidates && n < MOST_ROUND; i++)
    if (s->candidate[i].untrained >= 0 && th_fit_untrained_helps(s, &s->candidate[i])) list[n++] = (entry){i, 0};
  return run_round(s, list, n);
}

/* An accuracy that was asked for and is kept ends the search; without one there is always something to gain. */
static bool is_content(const th_fit_search *s) {
  const th_fit_options *o = s->options;
  return (!isnan(o->max_drop) || !isnan(o->min_accuracy)) && th_fit_chosen(s);
}

th_status th_fit_rounds(th_fit_search *s) {
  bool any = s->trains;
  s->trial = TH_ARRAY(s->arena, th_fit_trial, trials_wanted(s) + 1);
  if (!s->trial) return TH_ERR_RESOURCE;
  TH_TRY(th_fit_scout(s));
  TH_TRY(run_untrained(s));
  while (any && may_go_on(s) && !is_content(s)) TH_TRY(run_bracket(s, &any));
  return TH_OK;
}
