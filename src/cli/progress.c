/* Progress line and Ctrl-C; see progress.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/status.h"

#define REDRAW_SECONDS 0.1
#define SHORT_SECONDS 2.0 /* a stage without epochs that took less leaves no line */
#define BAR_CELLS 20

/* A signal handler can reach nothing but a static variable. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1;
}

bool cli_interrupted(void) {
  return interrupted != 0;
}

void cli_progress_begin(cli_progress *p, bool quiet, bool verbose) {
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  *p = (cli_progress){.quiet = quiet, .verbose = verbose, .terminal = isatty(STDERR_FILENO) != 0, .seconds = -1};
}

static void clear_line(cli_progress *p) {
  if (p->line_shown) fputs("\r\033[K", stderr);
  p->line_shown = false;
}

void cli_progress_end(cli_progress *p) {
  clear_line(p);
  fflush(stderr);
}

void cli_progress_log(void *user, th_log_level level, const char *message) {
  cli_progress *p = user;
  if (level == TH_LOG_DEBUG && !p->verbose) return;
  if (level == TH_LOG_INFO && p->quiet) return;
  clear_line(p);
  fprintf(stderr, "%s%s\n", level == TH_LOG_WARN ? "warning: " : "", message);
}

/* Text built in a fixed buffer; what does not fit is cut, as a line on a terminal would be. */
typedef struct text {
  char s[256];
  size_t n;
} text;

static void append(text *t, const char *fmt, ...) TH_PRINTF(2, 3);
static void append(text *t, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(t->s + t->n, sizeof t->s - t->n, fmt, args);
  va_end(args);
  if (n > 0) t->n = t->n + (size_t)n < sizeof t->s ? t->n + (size_t)n : sizeof t->s - 1;
}

static void append_duration(text *t, double seconds) {
  long s = (long)ceil(seconds);
  if (s >= 3600)
    append(t, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  else
    append(t, "%ld:%02ld", s / 60, s % 60);
}

static void append_values(text *t, const th_progress *now) {
  if (!isnan(now->loss)) append(t, "  loss %.4f", now->loss);
  if (!isnan(now->accuracy)) append(t, "  accuracy %.2f %%", 100 * now->accuracy);
  if (now->rate > 0) append(t, "  %.*f %s/s", now->rate < 10 ? 1 : 0, now->rate, now->unit ? now->unit : "");
}

static void append_stage(text *t, const th_progress *now, int epoch) {
  append(t, "%s", now->stage ? now->stage : "working");
  if (now->epochs > 0) append(t, "  epoch %d/%d", epoch, now->epochs);
}

static void draw_bar(text *t, double fraction) {
  int full = (int)(fraction * BAR_CELLS);
  append(t, "  [");
  for (int i = 0; i < BAR_CELLS; i++) append(t, "%c", i < full ? '=' : i == full ? '>' : ' ');
  append(t, "] %3.0f %%", 100 * fraction);
}

static void redraw(cli_progress *p, const th_progress *now) {
  struct winsize window = {0};
  text t = {.n = 0};
  append_stage(&t, now, now->epoch);
  if (now->total > 0) draw_bar(&t, fmin(now->done / now->total, 1));
  append_values(&t, now);
  if (now->rate > 0 && now->total > now->done) {
    append(&t, "  ");
    append_duration(&t, (now->total - now->done) / now->rate);
    append(&t, " left");
  }
  int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 ? window.ws_col - 1 : 79;
  fprintf(stderr, "\r\033[K%.*s", width, t.s);
  fflush(stderr);
  p->line_shown = true;
  p->last_redraw = now->seconds;
}

/* A line that stays: after each epoch or, when there are none, at the end of a stage. */
static void print_line(cli_progress *p, const th_progress *now) {
  text t = {.n = 0};
  clear_line(p);
  append_stage(&t, now, p->epochs_done);
  append_values(&t, now);
  append(&t, "  ");
  append_duration(&t, now->seconds);
  fprintf(stderr, "%s\n", t.s);
}

/* Has an epoch been completed since the last report? A stage that was resumed begins with some completed. */
static bool count_epochs(cli_progress *p, const th_progress *now) {
  double done = now->epochs > 0 && now->total > 0 ? now->done / now->total * now->epochs : 0;
  int whole = (int)floor(done + 1e-6);
  if (now->seconds < p->seconds || p->seconds < 0) {
    p->last_redraw = 0;
    p->epochs_done = whole > 0 && fabs(done - whole) < 1e-6 ? whole - 1 : whole;
  }
  bool more = whole > p->epochs_done;
  p->epochs_done = whole;
  p->seconds = now->end ? -1 : now->seconds;
  return more;
}

bool cli_progress_update(void *user, const th_progress *now) {
  cli_progress *p = user;
  if (p->quiet) return !interrupted;
  bool epoch_ended = count_epochs(p, now) && now->epochs > 0;
  if (epoch_ended || (now->end && now->epochs == 0 && now->seconds >= SHORT_SECONDS))
    print_line(p, now);
  else if (p->terminal && !now->end && now->seconds - p->last_redraw >= REDRAW_SECONDS)
    redraw(p, now);
  if (now->end) clear_line(p);
  return !interrupted;
}
