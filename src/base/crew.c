/* The leader of a crew, and what its back ends share. See crew.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/crew.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/crew_internal.h"
#include "base/parallel.h"

/* --- a job in a child --- */

typedef struct work {
  const th_crew *crew;
  const th_buf *job;
} work;

static th_status do_job(void *user, th_buf *out) {
  const work *w = user;
  return w->crew->fn(w->crew->user, w->job, out);
}

static void set_threads(const void *threads) {
  th_parallel_set_threads(*(const int *)threads);
}

th_status th_crew_child_start(th_crew *crew, int place, const th_buf *job, int threads) {
  work w = {crew, job};
  return th_child_start(do_job, &w, set_threads, &threads, TH_CREW_RESULT, &crew->child[place]);
}

static void describe_death(int state, char *message, size_t size) {
  if (WIFSIGNALED(state))
    snprintf(message, size, "its process was ended by signal %d", WTERMSIG(state));
  else
    snprintf(message, size, "its process ended with code %d", WIFEXITED(state) ? WEXITSTATUS(state) : -1);
}

void th_crew_child_end(th_crew *crew, int place, th_crew_answer *answer) {
  int state = 0;
  *answer = (th_crew_answer){.place = place};
  const bool whole = th_child_end(&crew->child[place], &answer->status, &state);
  if (!whole) {
    answer->status = TH_ERR_INTERNAL;
    describe_death(state, answer->message, sizeof answer->message);
  } else if (answer->status != TH_OK) {
    snprintf(answer->message, sizeof answer->message, "%s", th_error_message());
  }
  th_error_clear();
  answer->result = crew->child[place].all;
  crew->child[place] = (th_child){0};
}

/* --- making and ending --- */

th_status th_crew_create(const th_crew_backend *backend, int places, th_crew_fn *fn, void *user, th_crew **crew) {
  th_crew *c = th_alloc(sizeof *c);
  if (!c) return TH_ERR_RESOURCE;
  *c = (th_crew){.backend = backend, .fn = fn, .user = user, .places = places, .expected = places, .leads = true};
  c->job = th_alloc((size_t)places * sizeof *c->job);
  c->child = th_alloc((size_t)places * sizeof *c->child);
  *crew = c;
  if (!c->job || !c->child) {
    th_crew_close(c);
    *crew = NULL;
    return TH_ERR_RESOURCE;
  }
  for (int i = 0; i < places; i++) c->job[i] = -1;
  return TH_OK;
}

void th_crew_close(th_crew *c) {
  if (!c) return;
  if (c->job && c->child) c->backend->close(c);
  th_free(c->job);
  th_free(c->child);
  th_free(c);
}

bool th_crew_leads(const th_crew *crew) {
  return crew->leads;
}

th_status th_crew_serve(th_crew *crew) {
  return crew->backend->serve(crew);
}

/* --- leading --- */

/* Gives work to every place that has none. */
static th_status hand_out(th_crew *c, const th_crew_plan *plan, int *running) {
  th_status status = TH_OK;
  th_buf job = {0};
  for (int place = 0, id; place < c->places && status == TH_OK; place++) {
    if (c->job[place] >= 0) continue;
    job.size = 0;
    if (!plan->next(plan->user, &id, &job)) break;
    status = th_buf_status(&job);
    if (status == TH_OK) status = c->backend->start(c, place, &job);
    if (status == TH_OK) c->job[place] = id, ++*running;
  }
  th_buf_free(&job);
  return status;
}

static th_status take_answer(th_crew *c, const th_crew_plan *plan, int *running) {
  th_crew_answer a = {0};
  if (!c->backend->wait(c, &a)) return TH_OK;
  const int id = c->job[a.place];
  c->job[a.place] = -1;
  --*running;
  const th_status status = plan->ended(plan->user, id, a.status, a.message, &a.result);
  th_buf_free(&a.result);
  return status;
}

static th_status lead(th_crew *c, const th_crew_plan *plan) {
  int running = 0;
  for (;;) {
    TH_TRY(hand_out(c, plan, &running));
    if (!running) return TH_OK;
    TH_TRY(take_answer(c, plan, &running));
    if (!plan->go_on(plan->user)) return th_fail(TH_ERR_INTERRUPTED, "interrupted");
  }
}

void th_crew_expect(th_crew *crew, int jobs) {
  crew->expected = jobs;
}

th_status th_crew_work(th_crew *crew, const th_crew_plan *plan) {
  const th_status status = lead(crew, plan);
  if (status == TH_OK) return TH_OK;
  crew->backend->stop(crew);
  for (int i = 0; i < crew->places; i++) crew->job[i] = -1;
  return status;
}
