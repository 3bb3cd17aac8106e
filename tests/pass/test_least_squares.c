/* Rounding to a lattice, against trying every combination; solving, against the equations.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "pass/least_squares.h"

enum { N = 5, ROWS = 40, LO = -2, HI = 2, LEVELS = 5 };

/* Rows whose columns resemble each other, as activations do: then rounding each weight alone is far from best. */
static void fill(float *x, th_rng *rng) {
  for (int r = 0; r < ROWS; r++) {
    const float common = th_rng_normal(rng);
    for (int i = 0; i < N; i++) x[r * N + i] = common + 0.5f * th_rng_normal(rng);
  }
}

static double objective(const th_squares *s, const double *w, double step, const int *q) {
  double sum = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) sum += (step * q[i] - w[i]) * s->h[i * N + j] * (step * q[j] - w[j]);
  return sum;
}

static double best_of_all(const th_squares *s, const double *w, double step) {
  double best = INFINITY;
  for (int code = 0; code < 3125; code++) {
    int q[N];
    for (int i = 0, rest = code; i < N; i++, rest /= LEVELS) q[i] = LO + rest % LEVELS;
    best = fmin(best, objective(s, w, step, q));
  }
  return best;
}

static void rounding_is_close_to_the_best(void **state) {
  th_rng rng = th_rng_init(1, 1);
  double rounded = 0, nearest = 0, best = 0;
  (void)state;
  for (int k = 0; k < 200; k++) {
    float x[ROWS * N];
    const th_levels levels = {.step = 0.7, .lo = LO, .hi = HI};
    double w[N], work[2 * N];
    int q[N], plain[N];
    th_squares s;
    fill(x, &rng);
    assert_int_equal(th_squares_create(x, ROWS, N, &s), TH_OK);
    for (int i = 0; i < N; i++) {
      w[i] = (double)th_rng_normal(&rng);
      plain[i] = (int)fmin(fmax(round(w[i] / 0.7), LO), HI);
    }
    th_squares_round(&s, w, &levels, q, work);
    for (int i = 0; i < N; i++) assert_in_range(q[i] - LO, 0, HI - LO);
    assert_true(objective(&s, w, 0.7, q) >= best_of_all(&s, w, 0.7) - 1e-9);
    rounded += objective(&s, w, 0.7, q);
    nearest += objective(&s, w, 0.7, plain);
    best += best_of_all(&s, w, 0.7);
    th_squares_destroy(&s);
  }
  print_message("sum of errors: nearest %.2f, chosen %.2f, best %.2f\n", nearest, rounded, best);
  assert_true(rounded < 0.7 * nearest);
  assert_true(rounded < 1.25 * best);
}

static void solving_satisfies_the_equations(void **state) {
  th_rng rng = th_rng_init(2, 1);
  float x[ROWS * N];
  double v[N], given[N];
  th_squares s;
  (void)state;
  fill(x, &rng);
  assert_int_equal(th_squares_create(x, ROWS, N, &s), TH_OK);
  for (int i = 0; i < N; i++) v[i] = given[i] = (double)th_rng_normal(&rng);
  th_squares_solve(&s, v);
  for (int i = 0; i < N; i++) {
    double sum = 0;
    for (int j = 0; j < N; j++) sum += s.h[i * N + j] * v[j];
    assert_true(fabs(sum - given[i]) < 1e-9);
  }
  th_squares_destroy(&s);
}

static void inputs_that_are_all_zero_do_no_harm(void **state) {
  static const float x[ROWS * N];
  const double w[N] = {1, -1, 0.2, 5, 0};
  double work[2 * N];
  int q[N];
  th_squares s;
  (void)state;
  assert_int_equal(th_squares_create(x, ROWS, N, &s), TH_OK);
  th_squares_round(&s, w, &(th_levels){.step = 1, .lo = LO, .hi = HI}, q, work);
  const int expected[N] = {1, -1, 0, 2, 0};
  assert_memory_equal(q, expected, sizeof q);
  th_squares_destroy(&s);
}

/* Better than choosing freely and cutting afterwards. */
static void zeros_stay_and_the_others_make_up_for_them(void **state) {
  th_rng rng = th_rng_init(3, 1);
  double rounded = 0, cut = 0;
  (void)state;
  for (int k = 0; k < 200; k++) {
    bool zero[N] = {false};
    const th_levels free_levels = {.step = 0.7, .lo = LO, .hi = HI}, levels = {0.7, LO, HI, zero};
    float x[ROWS * N];
    double w[N], work[2 * N];
    int q[N], plain[N];
    th_squares s;
    fill(x, &rng);
    assert_int_equal(th_squares_create(x, ROWS, N, &s), TH_OK);
    for (int i = 0; i < N; i++) w[i] = (double)th_rng_normal(&rng);
    zero[k % N] = zero[(k + 2) % N] = true;
    th_squares_round(&s, w, &levels, q, work);
    th_squares_round(&s, w, &free_levels, plain, work);
    for (int i = 0; i < N; i++) {
      if (zero[i]) assert_int_equal(q[i], 0);
      if (zero[i]) plain[i] = 0;
    }
    rounded += objective(&s, w, 0.7, q);
    cut += objective(&s, w, 0.7, plain);
    th_squares_destroy(&s);
  }
  assert_true(rounded < 0.9 * cut);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rounding_is_close_to_the_best),
      cmocka_unit_test(solving_satisfies_the_equations),
      cmocka_unit_test(zeros_stay_and_the_others_make_up_for_them),
      cmocka_unit_test(inputs_that_are_all_zero_do_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
