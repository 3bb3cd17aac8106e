/* Limits around a child (base/child.h), and what its end means.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/isolate.h"

#include <signal.h>
#include <stdio.h>
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

static void set_limits(const void *user) {
  const th_isolate_limits *limits = user;
  signal(SIGINT, SIG_DFL); /* reading a file is nothing to finish */
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, (rlim_t)limits->cpu_seconds);
#ifdef SANITIZED
  __sanitizer_set_death_callback(die); /* a fuzzer would take it for a finding of its own */
#else
  size_t used = space_in_use();
  if (used) limit(RLIMIT_AS, (rlim_t)(used + limits->memory_bytes));
#endif
}

static th_status died(int state, const char *what) {
  if (WIFSIGNALED(state) && (WTERMSIG(state) == SIGXCPU || WTERMSIG(state) == SIGKILL))
    return th_fail(TH_ERR_INPUT, "%s: reading it does not come to an end; the file is damaged", what);
  return th_fail(TH_ERR_INPUT, "%s: the library that reads it failed; the file is damaged", what);
}

/* Whatever is wrong with a file is bad input, but for what the machine lacks. */
static th_status as_input(th_status status) {
  if (status == TH_OK || status == TH_ERR_RESOURCE) return status;
  th_error_set(TH_ERR_INPUT, th_error_message());
  return TH_ERR_INPUT;
}

th_status th_isolate(th_isolated_fn *fn, void *user, const th_isolate_limits *limits, const char *what, th_buf *out) {
  th_child child;
  th_status status = th_child_start(fn, user, set_limits, limits, limits->result_bytes, &child);
  int state = 0;
  if (status != TH_OK) return th_fail_in(status, "%s", what);
  while (th_child_read(&child)) continue;
  const bool whole = th_child_end(&child, &status, &state);
  *out = child.all;
  return whole ? as_input(status) : died(state, what);
}
