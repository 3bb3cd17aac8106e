/* The worker pool behind th_parallel_for.
 *
 * One job at a time: the caller publishes (fn, arg, chunks), wakes the workers, takes chunks itself, and closes the job
 * when none is left: it waits for the workers that have come, not for those that a busy machine has not let run yet.
 * Every thread has a share, consecutive chunks of its own that it takes first, in every job of so many chunks the same:
 * what it wrote last time is in its cache. Then it helps the others. So which thread takes which chunk varies; results
 * must not.
 * Training is thousands of short jobs a second with hardly a pause, and going to sleep and being woken costs more than
 * many of them: both sides look for a while before they sleep.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define MAX_THREADS 64

typedef struct pool {
  pthread_mutex_t lock;
  pthread_cond_t wake, idle;
  pthread_mutex_t job_lock; /* serializes callers */
  int workers;              /* started so far: threads 1..workers */
  int wanted;               /* threads to use, caller included; 0: one per processor */
  atomic_uint generation;
  atomic_int busy; /* workers in the job */
  int use;         /* workers with number <= use may come; 0: the job is closed */
  th_chunk_fn *fn;
  void *arg;
  int chunks;
  int shares;
  struct {
    _Alignas(64) atomic_int next; /* chunk of this share; on a cache line of its own */
  } share[MAX_THREADS];
  int failed_chunk;
  th_status status;
  char message[1024];
} pool;

static pool the_pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
                        .wake = PTHREAD_COND_INITIALIZER,
                        .idle = PTHREAD_COND_INITIALIZER,
                        .job_lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local bool inside; /* this thread is running a chunk */

void th_parallel_set_threads(int threads) {
  pthread_mutex_lock(&the_pool.lock);
  the_pool.wanted = threads < 0 ? 0 : threads > MAX_THREADS ? MAX_THREADS : threads;
  pthread_mutex_unlock(&the_pool.lock);
}

int th_parallel_threads(void) {
  pthread_mutex_lock(&the_pool.lock);
  long n = the_pool.wanted;
  pthread_mutex_unlock(&the_pool.lock);
  if (!n) n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
}

static void record_failure(pool *p, int chunk, th_status status) {
  pthread_mutex_lock(&p->lock);
  if (p->status == TH_OK || chunk < p->failed_chunk) {
    p->failed_chunk = chunk;
    p->status = status;
    strncpy(p->message, th_error_message(), sizeof p->message - 1);
  }
  pthread_mutex_unlock(&p->lock);
  th_error_clear();
}

static int share_begin(const pool *p, int share) {
  return (int)((int64_t)p->chunks * share / p->shares);
}

static void take_chunks(pool *p, int thread) {
  inside = true;
  for (int i = 0; i < p->shares; i++) {
    int share = (thread + i) % p->shares, end = share_begin(p, share + 1);
    for (int chunk; (chunk = atomic_fetch_add(&p->share[share].next, 1)) < end;) {
      th_status status = p->fn(p->arg, chunk, thread);
      if (status != TH_OK) record_failure(p, chunk, status);
    }
  }
  inside = false;
}

#define SPINS 8000 /* about 200 microseconds: longer than the gap between two jobs of one training step */

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

static void *worker(void *number) {
  pool *p = &the_pool;
  int thread = (int)(long)number;
  unsigned seen = 0;
  for (;;) {
    for (int i = 0; i < SPINS && atomic_load_explicit(&p->generation, memory_order_acquire) == seen; i++) relax();
    pthread_mutex_lock(&p->lock);
    while (p->generation == seen || thread > p->use) {
      seen = p->generation;
      pthread_cond_wait(&p->wake, &p->lock);
    }
    seen = p->generation;
    atomic_fetch_add(&p->busy, 1);
    pthread_mutex_unlock(&p->lock);
    take_chunks(p, thread);
    if (atomic_fetch_sub(&p->busy, 1) > 1) continue;
    pthread_mutex_lock(&p->lock);
    pthread_cond_signal(&p->idle);
    pthread_mutex_unlock(&p->lock);
  }
  return NULL;
}

/* Holds p->lock. Fewer threads than asked for is not an error: the work is the same. */
static void start_workers(pool *p, int wanted) {
  pthread_attr_t attr;
  if (pthread_attr_init(&attr) != 0) return;
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  while (p->workers < wanted) {
    pthread_t id;
    if (pthread_create(&id, &attr, worker, (void *)(long)(p->workers + 1)) != 0) break;
    p->workers++;
  }
  pthread_attr_destroy(&attr);
}

static th_status run_serially(int chunks, th_chunk_fn *fn, void *arg) {
  bool was_inside = inside;
  th_status first = TH_OK;
  for (int chunk = 0; chunk < chunks && first == TH_OK; chunk++) {
    inside = true;
    first = fn(arg, chunk, 0);
  }
  inside = was_inside;
  return first;
}

th_status th_parallel_for(int chunks, th_chunk_fn *fn, void *arg) {
  int threads = th_parallel_threads();
  if (threads > chunks) threads = chunks;
  if (inside || threads <= 1) return run_serially(chunks, fn, arg);
  pool *p = &the_pool;
  pthread_mutex_lock(&p->job_lock);
  pthread_mutex_lock(&p->lock);
  start_workers(p, threads - 1);
  p->fn = fn, p->arg = arg, p->chunks = chunks, p->status = TH_OK, p->message[0] = '\0';
  p->use = threads - 1 < p->workers ? threads - 1 : p->workers;
  p->shares = p->use + 1;
  for (int i = 0; i < p->shares; i++) atomic_store(&p->share[i].next, share_begin(p, i));
  p->generation++;
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
  take_chunks(p, 0);
  pthread_mutex_lock(&p->lock);
  p->use = 0;
  pthread_mutex_unlock(&p->lock);
  for (int i = 0; i < SPINS && atomic_load_explicit(&p->busy, memory_order_acquire); i++) relax();
  pthread_mutex_lock(&p->lock);
  while (p->busy) pthread_cond_wait(&p->idle, &p->lock);
  th_status status = p->status;
  if (status != TH_OK) th_error_set(status, p->message);
  pthread_mutex_unlock(&p->lock);
  pthread_mutex_unlock(&p->job_lock);
  return status;
}

/* The threads stayed in the parent, and so may have what they held. */
void th_parallel_after_fork(void) {
  pool *p = &the_pool;
  pthread_mutex_init(&p->lock, NULL);
  pthread_mutex_init(&p->job_lock, NULL);
  pthread_cond_init(&p->wake, NULL);
  pthread_cond_init(&p->idle, NULL);
  p->workers = p->use = 0;
  atomic_store(&p->busy, 0);
}
