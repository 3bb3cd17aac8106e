/* A crew of child processes. See crew.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/crew_internal.h"
#include "base/parallel.h"

/* The places share the threads that the caller may use; results do not depend on them. */
static int threads_each(const th_crew *c) {
  const int busy = c->expected < c->places ? c->expected : c->places;
  const int threads = th_parallel_threads() / (busy > 0 ? busy : 1);
  return threads > 1 ? threads : 1;
}

static th_status start(th_crew *c, int place, const th_buf *job) {
  return th_crew_child_start(c, place, job, threads_each(c));
}

/* The place of a child that has something to say, -1 after a while. */
static int listen_to_all(const th_crew *c, struct pollfd *polled) {
  for (int i = 0; i < c->places; i++)
    polled[i] = (struct pollfd){.fd = c->child[i].pid ? c->child[i].fd : -1, .events = POLLIN};
  if (poll(polled, (nfds_t)c->places, TH_CREW_WAIT_MS) <= 0) return -1;
  for (int i = 0; i < c->places; i++)
    if (polled[i].revents) return i;
  return -1;
}

static bool wait_for_one(th_crew *c, th_crew_answer *answer) {
  const int place = listen_to_all(c, c->of_backend);
  if (place < 0 || th_child_read(&c->child[place])) return false;
  th_crew_child_end(c, place, answer);
  return true;
}

static void stop(th_crew *c) {
  for (int i = 0; i < c->places; i++) {
    if (c->child[i].pid) th_child_kill(&c->child[i]);
    c->child[i] = (th_child){0};
  }
}

static th_status serve(th_crew *c) {
  (void)c;
  return TH_OK; /* there is nobody else to lead */
}

static void close_all(th_crew *c) {
  stop(c);
  th_free(c->of_backend);
}

static const th_crew_backend processes = {start, wait_for_one, stop, serve, close_all};

th_status th_crew_of_processes(int jobs, th_crew_fn *fn, void *user, th_crew **crew) {
  struct pollfd *polled = th_alloc((size_t)jobs * sizeof *polled);
  if (!polled) return TH_ERR_RESOURCE;
  const th_status status = th_crew_create(&processes, jobs, fn, user, crew);
  if (status == TH_OK)
    (*crew)->of_backend = polled;
  else
    th_free(polled);
  return status;
}
