/* The jobs of one round: those that the journal has are taken from it, the others go to the crew. See fit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "lib/fit.h"

typedef struct round {
  th_fit_search *s;
  th_fit_job **jobs;
  int n, next, done;
  int *waiting; /* jobs that are not in the journal */
  int n_waiting;
  void (*ended)(th_fit_search *s, int i);
} round_of_jobs;

static bool next(void *user, int *id, th_buf *job) {
  round_of_jobs *r = user;
  if (r->next == r->n_waiting) return false;
  *id = r->waiting[r->next++];
  th_fit_write_job(r->jobs[*id], job);
  return true;
}

static void tell_end(round_of_jobs *r, int i) {
  r->jobs[i]->done = true;
  r->done++;
  if (r->ended) r->ended(r->s, i);
}

static th_status keep(th_fit_search *s, th_fit_job *job, const char *outcome) {
  const uint64_t key = th_fit_job_key(s, job);
  TH_TRY(th_fit_journal_add(s->journal, key, job, outcome));
  const th_fit_outcome *o = th_fit_journal_find(s->journal, key);
  if (!o) return th_fail(TH_ERR_INTERNAL, "a job's outcome cannot be read");
  job->outcome = *o;
  return TH_OK;
}

/* A job whose process died is an outcome, too: the others go on. It is not kept: what killed it may be gone next time.
 */
static th_status on_end(void *user, int id, th_status status, const char *message, const th_buf *result) {
  round_of_jobs *r = user;
  th_fit_job *job = r->jobs[id];
  if (status == TH_OK && result->size) {
    th_buf text = {0};
    th_buf_append(&text, result->data, result->size - 1); /* one line, without its end */
    status = th_buf_status(&text);
    if (status == TH_OK) status = keep(r->s, job, th_buf_cstr(&text));
    th_buf_free(&text);
    TH_TRY(status);
  } else {
    job->outcome = (th_fit_outcome){.value = (double)NAN, .error = th_arena_strdup(r->s->arena, message)};
    if (!job->outcome.error) return TH_ERR_RESOURCE;
  }
  tell_end(r, id);
  return TH_OK;
}

static bool go_on(void *user) {
  round_of_jobs *r = user;
  th_fit_search *s = r->s;
  const double seconds = th_clock_seconds() - s->began, most = s->options->budget_seconds;
  const th_progress p = {.stage = "fit",
                         .done = r->done,
                         .total = r->n,
                         .unit = r->n ? "jobs" : NULL,
                         .loss = (double)NAN,
                         .accuracy = (double)NAN,
                         .seconds = seconds};
  s->out_of_time = most > 0 && seconds >= most;
  return !s->out_of_time && th_progress_report(s->ctx, &p);
}

static th_status run(round_of_jobs *r) {
  th_fit_search *s = r->s;
  for (int i = 0; i < r->n; i++) {
    const th_fit_outcome *known = th_fit_journal_find(s->journal, th_fit_job_key(s, r->jobs[i]));
    if (!known) {
      r->waiting[r->n_waiting++] = i;
      continue;
    }
    r->jobs[i]->outcome = *known;
    tell_end(r, i);
  }
  if (!r->n_waiting) return TH_OK;
  const th_crew_plan plan = {.user = r, .next = next, .ended = on_end, .go_on = go_on};
  th_crew_expect(s->crew, r->n_waiting);
  const th_status status = go_on(r) ? th_crew_work(s->crew, &plan) : th_fail(TH_ERR_INTERRUPTED, "interrupted");
  if (status != TH_ERR_INTERRUPTED || !s->out_of_time) return status;
  th_error_clear();
  return TH_OK;
}

th_status th_fit_run_jobs(th_fit_search *s, th_fit_job **jobs, int n, void (*ended)(th_fit_search *s, int i),
                          int *n_done) {
  round_of_jobs r = {.s = s, .jobs = jobs, .n = n, .ended = ended};
  r.waiting = th_alloc((size_t)(n + 1) * sizeof *r.waiting);
  if (!r.waiting) return TH_ERR_RESOURCE;
  const th_status status = run(&r);
  th_free(r.waiting);
  *n_done = r.done;
  return status;
}
