/* fork and a pipe. See child.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/parallel.h"

enum { HEADER = 8, MOST_MESSAGE = 1 << 16 };

/* --- in the child --- */

/* A signal handler of the caller (a debugger's, a sanitizer's, the tool's) has no business here: dying is the report.
 * Ctrl-C reaches every process of a terminal; the caller decides what becomes of its children. */
static void leave_caller(int out) {
  static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGPIPE, SIGTERM};
  for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) signal(fatal[i], SIG_DFL);
  signal(SIGINT, SIG_IGN);
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  int null = open("/dev/null", O_WRONLY); /* nor is what the library prints the caller's */
  if (null >= 0 && out > 2) dup2(null, 1), dup2(null, 2);
  th_parallel_after_fork();
  th_error_clear();
}

static void send_all(int fd, const void *data, size_t size) {
  const uint8_t *p = data;
  while (size) {
    ssize_t n = write(fd, p, size < 1 << 20 ? size : 1 << 20);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(1);
    p += n;
    size -= (size_t)n;
  }
}

static void run(th_child_fn *fn, void *user, size_t most, int fd) {
  th_buf result = {0};
  th_status status = fn(user, &result);
  if (status == TH_OK) status = th_buf_status(&result);
  if (status == TH_OK && result.size > most) status = th_fail(TH_ERR_INPUT, "more than %zu bytes of result", most);
  const char *message = status == TH_OK ? "" : th_error_message();
  size_t length = strlen(message);
  uint32_t header[2] = {(uint32_t)status, (uint32_t)(length < MOST_MESSAGE ? length : MOST_MESSAGE)};
  send_all(fd, header, HEADER);
  send_all(fd, message, header[1]);
  uint64_t size = status == TH_OK ? result.size : 0;
  send_all(fd, &size, sizeof size);
  send_all(fd, result.data, (size_t)size);
  _exit(0); /* without the caller's exit handlers */
}

/* --- in the caller --- */

th_status th_child_start(th_child_fn *fn, void *user, void (*prepare)(const void *limits), const void *limits,
                         size_t most, th_child *child) {
  int fd[2];
  *child = (th_child){.most = most};
  if (pipe(fd) != 0) return th_fail(TH_ERR_RESOURCE, "no pipe: %s", strerror(errno));
  child->pid = fork();
  if (child->pid == 0) {
    close(fd[0]);
    leave_caller(fd[1]);
    if (prepare) prepare(limits);
    run(fn, user, most, fd[1]);
  }
  close(fd[1]);
  child->fd = fd[0];
  if (child->pid > 0) {
    fcntl(fd[0], F_SETFD, FD_CLOEXEC);
    return TH_OK;
  }
  close(fd[0]);
  return th_fail(TH_ERR_RESOURCE, "no process: %s", strerror(errno));
}

bool th_child_read(th_child *child) {
  uint8_t bytes[1 << 16];
  if (child->all.size > child->most + MOST_MESSAGE + 64) return false;
  ssize_t n;
  do n = read(child->fd, bytes, sizeof bytes);
  while (n < 0 && errno == EINTR);
  if (n > 0) th_buf_append(&child->all, bytes, (size_t)n);
  return n > 0;
}

/* Takes the child's message apart. False: it is not whole. */
static bool settle(th_buf *all, th_status *status) {
  uint32_t header[2];
  uint64_t size;
  if (all->size < HEADER) return false;
  memcpy(header, all->data, HEADER);
  size_t at = HEADER + (size_t)header[1];
  if (header[1] > MOST_MESSAGE || all->size < at + sizeof size) return false;
  memcpy(&size, all->data + at, sizeof size);
  if (all->size - at - sizeof size != size) return false;
  *status = (th_status)header[0];
  if (*status != TH_OK) th_fail(*status, "%.*s", (int)header[1], (const char *)all->data + HEADER);
  all->size = (size_t)size;
  memmove(all->data, all->data + at + sizeof size, all->size);
  return true;
}

bool th_child_end(th_child *child, th_status *status, int *state) {
  close(child->fd); /* a child that still writes dies of it */
  while (waitpid(child->pid, state, 0) < 0 && errno == EINTR) {
  }
  *status = th_buf_status(&child->all);
  return *status != TH_OK || settle(&child->all, status);
}

void th_child_kill(th_child *child) {
  int state;
  kill(child->pid, SIGKILL);
  close(child->fd);
  while (waitpid(child->pid, &state, 0) < 0 && errno == EINTR) {
  }
  th_buf_free(&child->all);
}
