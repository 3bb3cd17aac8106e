/* Parallel-for over a fixed number of chunks.
 *
 * The number of chunks is chosen by the work, never by the number of threads, and chunks may only write to places of
 * their own; whoever sums over chunks does it afterwards in chunk order. So results do not depend on the threads.
 * Workers are started once and sleep between calls. Calls from inside a chunk run serially.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_PARALLEL_H
#define TH_BASE_PARALLEL_H

#include "base/status.h"

typedef th_status th_chunk_fn(void *arg, int chunk, int thread); /* thread in [0, th_parallel_threads()) */

void th_parallel_set_threads(int threads); /* 0: one per processor; takes effect at the next call */
int th_parallel_threads(void);
th_status th_parallel_for(int chunks, th_chunk_fn *fn, void *arg); /* the error of the lowest failing chunk wins */

/* In the child of a fork(), where there are no workers any more. */
void th_parallel_after_fork(void);

#endif
