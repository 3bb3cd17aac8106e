/* fork and a pipe: the child sends its status, its message and its result, in this order. A message that is not whole
 * means that the child died. SPDX-License-Identifier: Apache-2.0 */
#include "base/isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

enum { HEADER = 8, MOST_MESSAGE = 1 << 16 };

/* --- in the child --- */

static void limit(int what, rlim_t most) {
  struct rlimit now;
  if (getrlimit(what, &now) != 0) return;
  if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most) most = now.rlim_max;
  now.rlim_cur = most;
  setrlimit(what, &now);
}

#ifdef SANITIZED
static void die(void) {
  _exit(1);
}
#else
/* Bytes of address space in use, from /proc; 0 when not known. */
static size_t space_in_use(void) {
  unsigned long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f) return 0;
  if (fscanf(f, "%lu", &pages) != 1) pages = 0;
  fclose(f);
  return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}
#endif

/* A signal handler of the caller (a debugger's, a sanitizer's, the tool's) has no business here: dying is the report.
 */
static void set_limits(const th_isolate_limits *limits, int out) {
  static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGPIPE, SIGTERM, SIGINT};
  for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) signal(fatal[i], SIG_DFL);
  int null = open("/dev/null", O_WRONLY); /* nor is what the library prints the caller's */
  if (null >= 0 && out > 2) dup2(null, 1), dup2(null, 2);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, (rlim_t)limits->cpu_seconds);
#ifdef SANITIZED
  __sanitizer_set_death_callback(die); /* a fuzzer would take it for a finding of its own */
#else
  size_t used = space_in_use();
  if (used) limit(RLIMIT_AS, (rlim_t)(used + limits->memory_bytes));
#endif
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

static void run_child(th_isolated_fn *fn, void *user, const th_isolate_limits *limits, int fd) {
  th_buf result = {0};
  set_limits(limits, fd);
  th_error_clear();
  th_status status = fn(user, &result);
  if (status == TH_OK) status = th_buf_status(&result);
  if (status == TH_OK && result.size > limits->result_bytes)
    status = th_fail(TH_ERR_INPUT, "more than %zu bytes of result", limits->result_bytes);
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

static void receive(int fd, size_t most, th_buf *all) {
  static const size_t block = 1 << 16;
  uint8_t bytes[1 << 16];
  while (all->size <= most) {
    ssize_t n = read(fd, bytes, block);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    th_buf_append(all, bytes, (size_t)n);
  }
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
  if (header[0] != TH_OK) {
    *status = header[0] == TH_ERR_RESOURCE ? TH_ERR_RESOURCE : TH_ERR_INPUT;
    th_fail(*status, "%.*s", (int)header[1], (const char *)all->data + HEADER);
  }
  all->size = (size_t)size;
  memmove(all->data, all->data + at + sizeof size, all->size);
  return true;
}

static th_status died(int state, const char *what) {
  if (WIFSIGNALED(state) && (WTERMSIG(state) == SIGXCPU || WTERMSIG(state) == SIGKILL))
    return th_fail(TH_ERR_INPUT, "%s: reading it does not come to an end; the file is damaged", what);
  return th_fail(TH_ERR_INPUT, "%s: the library that reads it failed; the file is damaged", what);
}

th_status th_isolate(th_isolated_fn *fn, void *user, const th_isolate_limits *limits, const char *what, th_buf *out) {
  int fd[2], state = 0;
  th_status status = TH_OK;
  if (pipe(fd) != 0) return th_fail(TH_ERR_RESOURCE, "%s: no pipe: %s", what, strerror(errno));
  pid_t child = fork();
  if (child == 0) {
    close(fd[0]);
    run_child(fn, user, limits, fd[1]);
  }
  close(fd[1]);
  if (child < 0) {
    close(fd[0]);
    return th_fail(TH_ERR_RESOURCE, "%s: no process: %s", what, strerror(errno));
  }
  receive(fd[0], limits->result_bytes + MOST_MESSAGE + 64, out);
  close(fd[0]); /* a child that still writes dies of it */
  while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  TH_TRY(th_buf_status(out));
  return settle(out, &status) ? status : died(state, what);
}
