/* Between the crew's leader (crew.c) and its back ends (crew_processes.c, crew_ranks.c). SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef TH_BASE_CREW_INTERNAL_H
#define TH_BASE_CREW_INTERNAL_H

#include "base/crew.h"

/* What came of the job in a place. */
typedef struct th_crew_answer {
  int place;
  th_status status;
  char message[1024];
  th_buf result; /* the receiver frees it */
} th_crew_answer;

typedef struct th_crew_backend {
  th_status (*start)(th_crew *crew, int place, const th_buf *job);
  /* Waits for at most a tenth of a second; true: an answer. */
  bool (*wait)(th_crew *crew, th_crew_answer *answer);
  void (*stop)(th_crew *crew); /* every running job; its place is free afterwards */
  th_status (*serve)(th_crew *crew);
  void (*close)(th_crew *crew);
} th_crew_backend;

struct th_crew {
  const th_crew_backend *backend;
  th_crew_fn *fn;
  void *user;
  int places;   /* jobs at a time */
  int expected; /* jobs to come, as far as known */
  bool leads;
  int *job;        /* by place: the id of what runs there, -1: nothing */
  th_child *child; /* by place, or the one of this rank */
  void *of_backend;
};

enum { TH_CREW_WAIT_MS = 100 };

th_status th_crew_create(const th_crew_backend *backend, int places, th_crew_fn *fn, void *user, th_crew **crew);

/* A job in a child of this process, in `place` of crew->child. */
th_status th_crew_child_start(th_crew *crew, int place, const th_buf *job, int threads);
/* Its message is whole, or it died: an answer. The child is gone afterwards. */
void th_crew_child_end(th_crew *crew, int place, th_crew_answer *answer);

#endif
