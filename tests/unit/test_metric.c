/* Metrics: AUC against its definition, counted pair by pair; which metric is chosen.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"
#include "lib/metric.h"

static double pairs(const float *score, const uint8_t *positive, int n) {
  double wins = 0, all = 0;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++)
      if (positive[i] && !positive[k]) {
        all++;
        wins += score[i] > score[k] ? 1 : score[i] == score[k] ? 0.5 : 0;
      }
  return wins / all;
}

static void auc_is_won_pairs(void **state) {
  (void)state;
  th_arena *arena = th_arena_create();
  th_rng rng = th_rng_init(3, 1);
  float score[200];
  uint8_t positive[200];
  double auc;
  for (int round = 0; round < 50; round++) {
    int n = 2 + (int)th_rng_below(&rng, 198), levels = 1 + (int)th_rng_below(&rng, 40); /* ties */
    for (int i = 0; i < n; i++) {
      positive[i] = (uint8_t)(i == 0 || (i > 1 && th_rng_below(&rng, 3) == 0));
      score[i] = (float)th_rng_below(&rng, (uint32_t)levels) + (positive[i] ? 3.0f : 0);
    }
    assert_int_equal(th_auc(arena, score, positive, n, &auc), TH_OK);
    assert_float_equal(auc, pairs(score, positive, n), 1e-9);
  }
  assert_int_equal(th_auc(arena, (float[]){1, 2}, (uint8_t[]){1, 1}, 2, &auc), TH_OK);
  assert_true(isnan(auc));
  th_arena_destroy(arena);
}

static void choice(void **state) {
  (void)state;
  th_metric m;
  th_dataset d = {.name = "set", .shape = {.rank = 1, .dim = {640}}, .classes = 2, .positive = 1};
  assert_int_equal(th_metric_choose(&d, 2, TH_METRIC_AUTO, &m), TH_OK);
  assert_int_equal(m, TH_METRIC_ACCURACY);
  assert_int_equal(th_metric_choose(&d, 640, TH_METRIC_AUTO, &m), TH_OK);
  assert_int_equal(m, TH_METRIC_AUC);
  assert_int_equal(th_metric_choose(&d, 1, TH_METRIC_AUTO, &m), TH_OK);
  assert_int_equal(m, TH_METRIC_ACCURACY);
  d.classes = 12;
  assert_int_equal(th_metric_choose(&d, 2, TH_METRIC_AUTO, &m), TH_ERR_INPUT);
  th_error_clear();
  d.classes = 0;
  assert_int_equal(th_metric_choose(&d, 640, TH_METRIC_AUTO, &m), TH_OK);
  assert_int_equal(m, TH_METRIC_MSE);
  assert_int_equal(th_metric_choose(&d, 640, TH_METRIC_AUC, &m), TH_ERR_INPUT);
  th_error_clear();
  d.target_elems = 3;
  assert_int_equal(th_metric_choose(&d, 3, TH_METRIC_AUTO, &m), TH_OK);
  assert_int_equal(th_metric_choose(&d, 640, TH_METRIC_AUTO, &m), TH_ERR_INPUT);
  th_error_clear();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(auc_is_won_pairs), cmocka_unit_test(choice)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
