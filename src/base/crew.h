/* A crew: jobs that are bytes go out, results that are bytes come back, several at a time.
 *
 * Who works is a back end: child processes of this one, or the processes that mpirun started, on one host or many. Each
 * job runs in a child of whoever works on it, so that a job that dies takes nothing with it. Jobs end in any order;
 * whoever must not depend on that asks for the results in the order of the jobs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_CREW_H
#define TH_BASE_CREW_H

#include "base/child.h"

/* Does one job: reads its bytes, appends the result. In a child of the worker. */
typedef th_status th_crew_fn(void *user, const th_buf *job, th_buf *result);

typedef struct th_crew th_crew;
#define TH_CREW_RESULT ((size_t)1 << 24) /* most bytes of a result */

/* `jobs` children at a time, which share the processors' threads. */
th_status th_crew_of_processes(int jobs, th_crew_fn *fn, void *user, th_crew **crew);
/* All processes of the MPI job that this one belongs to, one child each. */
th_status th_crew_of_ranks(th_crew_fn *fn, void *user, th_crew **crew);
bool th_crew_has_ranks(void); /* was it built with MPI? */
void th_crew_close(th_crew *crew);

/* False in the ranks that only work: they call th_crew_serve(), which returns when the leader closes the crew. */
bool th_crew_leads(const th_crew *crew);
th_status th_crew_serve(th_crew *crew);

/* What the leader has to say. */
typedef struct th_crew_plan {
  void *user;
  /* The next job; false: there is none now, ask again when another has ended. */
  bool (*next)(void *user, int *id, th_buf *job);
  /* A job has ended: TH_OK and its result, or what went wrong. Another status than TH_OK ends everything. */
  th_status (*ended)(void *user, int id, th_status status, const char *message, const th_buf *result);
  bool (*go_on)(void *user); /* asked several times a second; false: what is running is stopped and forgotten */
} th_crew_plan;

/* How many jobs are to come: when they are fewer than places, each may have more threads. */
void th_crew_expect(th_crew *crew, int jobs);
/* Until no job is left. TH_ERR_INTERRUPTED when go_on() said so. */
th_status th_crew_work(th_crew *crew, const th_crew_plan *plan);

#endif
