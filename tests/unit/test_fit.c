/* Parts of the search: the journal and its torn lines, front and nearest miss by hand-made trials, a crew whose jobs
 * fail and die. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "lib/fit.h"

/* --- the journal --- */

static const char *journal_path(char path[64]) {
  snprintf(path, 64, "/tmp/thimble-test-fit-%ld.journal", (long)getpid());
  return path;
}

static th_fit_job job_of(const char *recipe) {
  return (th_fit_job){.kind = TH_FIT_TRIAL, .recipe = recipe};
}

static void journal_keeps_whole_lines(void **state) {
  (void)state;
  char path[64];
  struct th_fit_journal *j;
  int kept;
  th_fit_job a = job_of("seed: 1\nstages:\n"), b = job_of("with \"quotes\"");
  remove(journal_path(path));
  assert_int_equal(th_fit_journal_open(path, &j, &kept), TH_OK);
  assert_int_equal(kept, 0);
  const char *outcome =
      "{\"value\":0.75,\"seconds\":2,\"builds\":[{\"optimize\":\"size\",\"coder\":\"auto\",\"bytes\":1,"
      "\"flash_bytes\":2,\"ram_bytes\":3,\"instructions\":4}]}";
  assert_int_equal(th_fit_journal_add(j, 1, &a, outcome), TH_OK);
  assert_int_equal(th_fit_journal_add(j, 0xfedcba9876543210, &b, "{\"error\":\"no\"}"), TH_OK);
  th_fit_journal_close(j);

  FILE *f = fopen(path, "a");
  fputs("{\"key\":\"0000000000000003\",\"outcome\":{\"value\":0.5}", f); /* the power went */
  fclose(f);
  assert_int_equal(th_fit_journal_open(path, &j, &kept), TH_OK);
  assert_int_equal(kept, 2);
  const th_fit_outcome *first = th_fit_journal_find(j, 1), *second = th_fit_journal_find(j, 0xfedcba9876543210);
  assert_non_null(first);
  assert_true(first->value == 0.75 && first->builds == 1 && first->build[0].ram_bytes == 3);
  assert_string_equal(second->error, "no");
  assert_null(th_fit_journal_find(j, 3));
  assert_int_equal(th_fit_journal_add(j, 3, &a, outcome), TH_OK); /* begins on a line of its own */
  th_fit_journal_close(j);
  assert_int_equal(th_fit_journal_open(path, &j, &kept), TH_OK);
  assert_int_equal(kept, 3);
  th_fit_journal_close(j);
  remove(path);
}

static void damaged_lines_are_done_again(void **state) {
  (void)state;
  char path[64];
  struct th_fit_journal *j;
  int kept;
  const char *text =
      "no JSON\n{\"key\":12}\n{\"key\":\"0000000000000007\"}\n{\"key\":\"0000000000000008\",\"outcome\":{}}\n";
  assert_int_equal(th_file_write(journal_path(path), text, strlen(text)), TH_OK);
  assert_int_equal(th_fit_journal_open(path, &j, &kept), TH_OK);
  assert_int_equal(kept, 1);
  assert_null(th_fit_journal_find(j, 7));
  assert_non_null(th_fit_journal_find(j, 8));
  th_fit_journal_close(j);
  remove(path);
}

/* --- front, choice, nearest miss --- */

enum { EXAMPLE = 48 }; /* bytes of RAM that the firmware's example has for itself */

static th_fit_trial trial_of(double accuracy, int64_t flash, int64_t ram, int64_t instructions) {
  th_fit_trial t = {0};
  t.job.done = true;
  t.job.outcome.value = accuracy;
  t.job.outcome.builds = 1;
  t.job.outcome.build[0] = (th_fit_build){"size", "auto", flash / 2, flash, ram, instructions};
  return t;
}

static void judge_all(th_fit_search *s) {
  for (int i = 0; i < s->trials; i++) th_fit_judge(s, &s->trial[i]);
  th_fit_find_front(s);
}

static void the_most_accurate_that_fits_is_chosen(void **state) {
  (void)state;
  const th_fit_options o = {.max_drop = 1, .min_accuracy = (double)NAN};
  th_fit_trial t[] = {trial_of(0.90, 2000, 100, 9), trial_of(0.895, 900, 100, 9), trial_of(0.893, 800, 100, 9),
                      trial_of(0.80, 700, 100, 9),  trial_of(0.892, 800, 100, 9), trial_of(0.893, 800, 100, 9)};
  th_fit_search s = {
      .options = &o, .flash_limit = 1000, .ram_limit = 100 + EXAMPLE, .metric = TH_METRIC_ACCURACY, .base = 0.9};
  s.trial = t;
  s.trials = 6;
  judge_all(&s);
  assert_ptr_equal(th_fit_chosen(&s), &t[1]);
  const bool front[] = {true, true, true, true, false, false}; /* 5: less accurate than 3, 6: the same again */
  for (int i = 0; i < 6; i++) assert_int_equal(t[i].on_front, front[i]);
}

static void the_fastest_build_within_the_limits_counts(void **state) {
  (void)state;
  const th_fit_options o = {.max_drop = (double)NAN, .min_accuracy = (double)NAN};
  th_fit_trial t = trial_of(0.9, 1500, 50, 1);
  t.job.outcome.build[1] = (th_fit_build){"size", "range", 400, 900, 60, 5};
  t.job.outcome.build[2] = (th_fit_build){"ram", "range", 400, 800, 20, 9};
  t.job.outcome.builds = 3;
  th_fit_search s = {
      .options = &o, .flash_limit = 1000, .ram_limit = 100 + EXAMPLE, .metric = TH_METRIC_ACCURACY, .base = 0.9};
  th_fit_judge(&s, &t);
  assert_int_equal(t.best.instructions, 5);
  s.ram_limit = 30 + EXAMPLE;
  th_fit_judge(&s, &t);
  assert_int_equal(t.best.instructions, 9);
}

/* Linked, 998 predicted bytes may be 1,002. */
static void a_limit_leaves_room_for_what_predictions_miss(void **state) {
  (void)state;
  const th_fit_options o = {.max_drop = (double)NAN, .min_accuracy = (double)NAN};
  th_fit_search s = {.options = &o, .flash_limit = 1000, .ram_limit = 100, .metric = TH_METRIC_ACCURACY, .base = 0.9};
  th_fit_trial fits = trial_of(0.9, 996, 100 - EXAMPLE, 1), flash = trial_of(0.9, 998, 10, 1),
               ram = trial_of(0.9, 10, 53, 1);
  th_fit_judge(&s, &fits);
  th_fit_judge(&s, &flash);
  th_fit_judge(&s, &ram);
  assert_true(fits.excess == 0 && flash.excess > 0 && ram.excess > 0);
}

static void the_nearest_miss_names_what_would_have_to_give(void **state) {
  (void)state;
  const th_fit_options o = {.max_drop = 1, .min_accuracy = (double)NAN};
  th_fit_trial t[] = {trial_of(0.90, 2000, 100, 9), trial_of(0.89, 1300, 100, 9), trial_of(0.6, 900, 100, 9),
                      trial_of(0.895, 1100, 150, 9)};
  th_fit_search s = {
      .options = &o, .flash_limit = 1000, .ram_limit = 100 + EXAMPLE, .metric = TH_METRIC_ACCURACY, .base = 0.9};
  s.trial = t;
  s.trials = 4;
  judge_all(&s);
  assert_null(th_fit_chosen(&s));
  th_fit_miss miss = th_fit_nearest(&s);
  assert_ptr_equal(miss.trial, &t[1]); /* 30 % of flash; the third lacks 29 points, the last two limits */
  assert_string_equal(miss.limit, "flash");
  t[2].job.outcome.value = 0.885;
  judge_all(&s);
  miss = th_fit_nearest(&s);
  assert_ptr_equal(miss.trial, &t[2]);
  assert_string_equal(miss.limit, "accuracy");
}

static void a_squared_error_may_grow_by_percent(void **state) {
  (void)state;
  const th_fit_options o = {.max_drop = 5, .min_accuracy = (double)NAN};
  th_fit_trial t[] = {trial_of(0.0105, 900, 100, 9), trial_of(0.0099, 950, 100, 9), trial_of(0.011, 800, 100, 9)};
  th_fit_search s = {.options = &o, .flash_limit = 1000, .metric = TH_METRIC_MSE, .base = 0.01};
  s.trial = t;
  s.trials = 3;
  judge_all(&s);
  assert_ptr_equal(th_fit_chosen(&s), &t[1]);
  assert_true(fabs(t[0].drop - 5) < 1e-9 && t[0].excess == 0 && t[2].excess > 0);
}

/* --- a crew --- */

typedef struct tally {
  int given, n, sum, failed, died, stop_at;
} tally;

static th_status square(void *user, const th_buf *job, th_buf *result) {
  (void)user;
  const int v = job->data[0];
  if (v == 3) return th_fail(TH_ERR_CHECK, "three is refused");
  if (v == 5) raise(SIGKILL);
  if (v == 9) sleep(60);
  th_buf_u32(result, (uint32_t)(v * v));
  return TH_OK;
}

static bool next(void *user, int *id, th_buf *job) {
  tally *t = user;
  if (t->given == t->n) return false;
  *id = t->given++;
  th_buf_u8(job, (uint8_t)*id);
  return true;
}

static th_status ended(void *user, int id, th_status status, const char *message, const th_buf *result) {
  tally *t = user;
  if (id == 3) t->failed += status == TH_ERR_CHECK && strstr(message, "three is refused") != NULL;
  if (id == 5) t->died += status == TH_ERR_INTERNAL && strstr(message, "signal 9") != NULL;
  if (status == TH_OK) {
    uint32_t v;
    memcpy(&v, result->data, sizeof v);
    assert_int_equal(v, id * id);
    t->sum += (int)v;
  }
  return TH_OK;
}

static bool go_on(void *user) {
  const tally *t = user;
  return !t->stop_at || t->given < t->stop_at;
}

static void jobs_fail_and_die_alone(void **state) {
  (void)state;
  th_crew *crew;
  for (int places = 1; places <= 3; places++) {
    tally t = {.n = 8};
    const th_crew_plan plan = {&t, next, ended, go_on};
    assert_int_equal(th_crew_of_processes(places, square, NULL, &crew), TH_OK);
    assert_int_equal(th_crew_work(crew, &plan), TH_OK);
    assert_int_equal(t.sum, 0 + 1 + 4 + 16 + 36 + 49);
    assert_true(t.failed == 1 && t.died == 1);
    th_crew_close(crew);
  }
}

static void a_crew_that_is_stopped_waits_for_nobody(void **state) {
  (void)state;
  th_crew *crew;
  tally t = {.n = 12, .stop_at = 10};
  const th_crew_plan plan = {&t, next, ended, go_on};
  assert_int_equal(th_crew_of_processes(2, square, NULL, &crew), TH_OK);
  assert_int_equal(th_crew_work(crew, &plan), TH_ERR_INTERRUPTED); /* with job 9, which sleeps, running */
  th_error_clear();
  th_crew_close(crew);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(journal_keeps_whole_lines),
      cmocka_unit_test(damaged_lines_are_done_again),
      cmocka_unit_test(the_most_accurate_that_fits_is_chosen),
      cmocka_unit_test(the_fastest_build_within_the_limits_counts),
      cmocka_unit_test(a_limit_leaves_room_for_what_predictions_miss),
      cmocka_unit_test(the_nearest_miss_names_what_would_have_to_give),
      cmocka_unit_test(a_squared_error_may_grow_by_percent),
      cmocka_unit_test(jobs_fail_and_die_alone),
      cmocka_unit_test(a_crew_that_is_stopped_waits_for_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
