/* A function in a child process, and the bytes that it sends back.
 *
 * The child sees all memory of the caller as it was, copy on write, and changes none of it. It sends its status, its
 * message and its result through a pipe, in this order; a message that is not whole means that the child died. It
 * prints nothing and does not outlive its caller.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_BASE_CHILD_H
#define TH_BASE_CHILD_H

#include <sys/types.h>

#include "base/bytes.h"

/* Appends its result to `out`; errors are recorded with th_fail() as usual and reach the caller. */
typedef th_status th_child_fn(void *user, th_buf *out);

typedef struct th_child {
  pid_t pid;
  int fd;      /* what the child sends; readable when there is something, or when it ended */
  size_t most; /* bytes of result */
  th_buf all;  /* as received */
} th_child;

/* `prepare` (may be NULL) runs in the child before `fn`, for limits and the like. */
th_status th_child_start(th_child_fn *fn, void *user, void (*prepare)(const void *limits), const void *limits,
                         size_t most, th_child *child);
/* Takes some bytes, waits while there are none; false: nothing more will come. */
bool th_child_read(th_child *child);
/* After that: true when the message is whole. *status is then the function's, its error recorded with th_fail(), and
 * child->all holds the result. Otherwise *state is what waitpid() said of the dead. The buffer is the caller's. */
bool th_child_end(th_child *child, th_status *status, int *state);
void th_child_kill(th_child *child); /* whatever it is doing; frees everything */

#endif
