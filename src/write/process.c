/* fork, exec, and a pipe for what it prints. See process.h.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* pipe2 */
#include "write/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/log.h"

enum { TEXT_LIMIT = 64 << 10, POLL_MS = 100 };

static void become(const char *const *argv, const char *dir, int out) {
  int null = open("/dev/null", O_RDONLY);
  setpgid(0, 0);
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* do not outlive the tool */
#endif
  if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(127);
  if (dir && chdir(dir) != 0) _exit(127);
  execvp(argv[0], (char *const *)argv);
  _exit(127);
}

static void keep(th_buf *text, const char *data, ssize_t n) {
  size_t room = text->size < TEXT_LIMIT ? TEXT_LIMIT - text->size : 0;
  th_buf_append(text, data, (size_t)n < room ? (size_t)n : room);
}

/* Reads until the program closes its output (TH_OK) or must be given up. */
static th_status drain(int in, double deadline, th_go_on_fn *go_on, void *user, th_buf *text) {
  char block[4096];
  for (;;) {
    struct pollfd p = {.fd = in, .events = POLLIN};
    if (poll(&p, 1, POLL_MS) > 0) {
      ssize_t n = read(in, block, sizeof block);
      if (n == 0 || (n < 0 && errno != EINTR)) return TH_OK;
      if (n > 0) keep(text, block, n);
    }
    if (go_on && !go_on(user)) return TH_ERR_INTERRUPTED;
    if (th_clock_seconds() > deadline) return TH_ERR_CHECK;
  }
}

th_status th_process_run(const char *const *argv, const char *dir, double seconds, th_go_on_fn *go_on, void *user,
                         th_buf *text, int *exit_code) {
  int fd[2], state = 0;
  if (pipe2(fd, O_CLOEXEC) != 0) return th_fail(TH_ERR_RESOURCE, "%s: no pipe: %s", argv[0], strerror(errno));
  pid_t child = fork();
  if (child == 0) become(argv, dir, fd[1]);
  close(fd[1]);
  if (child < 0) {
    close(fd[0]);
    return th_fail(TH_ERR_RESOURCE, "%s cannot be started: %s", argv[0], strerror(errno));
  }
  th_status ended = drain(fd[0], th_clock_seconds() + seconds, go_on, user, text);
  close(fd[0]);
  if (ended != TH_OK) kill(-child, SIGKILL);
  if (ended != TH_OK) kill(child, SIGKILL); /* in case it had no group of its own yet */
  while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  if (ended == TH_ERR_INTERRUPTED) return th_fail(ended, "%s was stopped", argv[0]);
  if (ended != TH_OK) return th_fail(ended, "%s took longer than %.0f seconds", argv[0], seconds);
  *exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  return th_buf_status(text);
}

bool th_process_available(const char *program) {
  const char *const argv[] = {program, "--version", NULL};
  th_buf text = {0};
  int code = 127;
  th_status status = th_process_run(argv, NULL, 20, NULL, NULL, &text, &code);
  th_buf_free(&text);
  if (status != TH_OK) th_error_clear();
  return status == TH_OK && code != 127; /* not every program knows --version */
}
