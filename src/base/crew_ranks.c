/* A crew of MPI ranks: the first leads, hands out jobs and works itself, the others serve. See crew.h.
 *
 * Each rank runs its job in a child and looks for messages meanwhile, so nobody waits for anybody. Messages are jobs
 * and answers as bytes; that is all that ranks have in common, so they may be on one host or on many. When a rank dies,
 * mpirun ends the others. SPDX-License-Identifier: Apache-2.0 */
#include <mpi.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/crew_internal.h"
#include "base/parallel.h"

enum { JOB = 1, STOP, CLOSE, ANSWER, STOPPED }; /* tags */
enum { LOOK_MS = 5, LEADER = 0 };

typedef struct ranks {
  int rank, size, threads;
} ranks;

bool th_crew_has_ranks(void) {
  return true;
}

/* --- messages --- */

static void send_bytes(int to, int tag, const void *data, size_t size) {
  MPI_Send(data, (int)size, MPI_BYTE, to, tag, MPI_COMM_WORLD);
}

/* A message from `from` with `tag` (either may be any) that has arrived; false: none. */
static bool receive(int from, int tag, MPI_Status *status, th_buf *bytes) {
  int there = 0, size = 0;
  MPI_Iprobe(from, tag, MPI_COMM_WORLD, &there, status);
  if (!there) return false;
  MPI_Get_count(status, MPI_BYTE, &size);
  bytes->size = 0;
  th_buf_zeros(bytes, (size_t)size);
  if (bytes->failed) return false;
  MPI_Recv(bytes->data, size, MPI_BYTE, status->MPI_SOURCE, status->MPI_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  return true;
}

/* Looks at this rank's child for a moment; true: it has ended. Without a child the moment passes. */
static bool child_ended(th_crew *c) {
  th_child *child = &c->child[0];
  struct pollfd polled = {.fd = child->fd, .events = POLLIN};
  const int n = poll(&polled, child->pid ? 1 : 0, LOOK_MS);
  return child->pid && n > 0 && !th_child_read(child);
}

static void kill_child(th_crew *c) {
  if (c->child[0].pid) th_child_kill(&c->child[0]);
  c->child[0] = (th_child){0};
}

/* --- the ranks that serve --- */

static void send_answer(const th_crew_answer *a) {
  th_buf b = {0};
  th_buf_u32(&b, (uint32_t)a->status);
  th_buf_append(&b, a->message, sizeof a->message);
  th_buf_append(&b, a->result.data, a->result.size);
  send_bytes(LEADER, ANSWER, b.data, b.size);
  th_buf_free(&b);
}

static th_status begin_job(th_crew *c, const th_buf *job) {
  return th_crew_child_start(c, 0, job, ((const ranks *)c->of_backend)->threads);
}

/* *open: the leader has not closed the crew. */
static th_status obey(th_crew *c, const MPI_Status *message, const th_buf *bytes, bool *open) {
  if (message->MPI_TAG == JOB) return begin_job(c, bytes);
  kill_child(c);
  *open = message->MPI_TAG == STOP;
  if (*open) send_bytes(LEADER, STOPPED, NULL, 0);
  return TH_OK;
}

static th_status serve(th_crew *c) {
  th_buf bytes = {0};
  MPI_Status message;
  bool open = true;
  th_status status = TH_OK;
  while (open && status == TH_OK) {
    if (child_ended(c)) {
      th_crew_answer a;
      th_crew_child_end(c, 0, &a);
      send_answer(&a);
      th_buf_free(&a.result);
    }
    if (receive(LEADER, MPI_ANY_TAG, &message, &bytes)) status = obey(c, &message, &bytes, &open);
  }
  th_buf_free(&bytes);
  if (status != TH_OK) MPI_Abort(MPI_COMM_WORLD, (int)status); /* the leader would wait for its answer */
  return status;
}

/* --- the leader: place 0 is its own, the others are ranks --- */

static th_status start(th_crew *c, int place, const th_buf *job) {
  if (place == LEADER) return begin_job(c, job);
  send_bytes(place, JOB, job->data, job->size);
  return TH_OK;
}

static bool take_message(th_crew_answer *a) {
  th_buf bytes = {0};
  MPI_Status message;
  const size_t head = sizeof(uint32_t) + sizeof a->message;
  if (!receive(MPI_ANY_SOURCE, ANSWER, &message, &bytes)) return false;
  *a = (th_crew_answer){.place = message.MPI_SOURCE, .status = TH_ERR_INTERNAL};
  if (bytes.size >= head) {
    uint32_t status;
    memcpy(&status, bytes.data, sizeof status);
    a->status = (th_status)status;
    memcpy(a->message, bytes.data + sizeof status, sizeof a->message);
    th_buf_append(&a->result, bytes.data + head, bytes.size - head);
  }
  th_buf_free(&bytes);
  return true;
}

static bool wait_for_one(th_crew *c, th_crew_answer *answer) {
  for (int ms = 0; ms < TH_CREW_WAIT_MS; ms += LOOK_MS) {
    if (child_ended(c)) {
      th_crew_child_end(c, LEADER, answer);
      return true;
    }
    if (take_message(answer)) return true;
  }
  return false;
}

/* An answer that crosses the order to stop is dropped. */
static void stop(th_crew *c) {
  th_buf bytes = {0};
  MPI_Status message;
  kill_child(c);
  for (int rank = 1; rank < c->places; rank++) {
    send_bytes(rank, STOP, NULL, 0);
    do {
      while (!receive(rank, MPI_ANY_TAG, &message, &bytes)) poll(NULL, 0, LOOK_MS);
    } while (message.MPI_TAG != STOPPED);
  }
  th_buf_free(&bytes);
}

static void close_all(th_crew *c) {
  kill_child(c);
  for (int rank = 1; c->leads && rank < c->places; rank++) send_bytes(rank, CLOSE, NULL, 0);
  MPI_Finalize();
  th_free(c->of_backend);
}

/* --- all --- */

static const th_crew_backend backend = {start, wait_for_one, stop, serve, close_all};

/* The ranks of a host share its processors. */
static int threads_each(void) {
  MPI_Comm host;
  int here = 1;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
  MPI_Comm_size(host, &here);
  MPI_Comm_free(&host);
  const int threads = th_parallel_threads() / here;
  return threads > 1 ? threads : 1;
}

th_status th_crew_of_ranks(th_crew_fn *fn, void *user, th_crew **crew) {
  ranks *r = th_alloc(sizeof *r);
  if (!r) return TH_ERR_RESOURCE;
  MPI_Init(NULL, NULL); /* an error in MPI ends the program, which is what becomes of the job in any case */
  MPI_Comm_rank(MPI_COMM_WORLD, &r->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &r->size);
  r->threads = threads_each();
  const th_status status = th_crew_create(&backend, r->size, fn, user, crew);
  if (status != TH_OK) MPI_Abort(MPI_COMM_WORLD, (int)status);
  (*crew)->of_backend = r;
  (*crew)->leads = r->rank == LEADER;
  return TH_OK;
}
