/* train/optimizer: ten steps of each rule beside the published formulas in doubles: Nesterov's momentum as Sutskever et
 * al. 2013, Adam as Kingma & Ba 2015 (algorithm 1), decoupled decay as Loshchilov & Hutter 2019.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"
#include "train/optimizer.h"

#define MOST 100
#define STEPS 10
#define DECAY 0.1

typedef struct weights {
  int n;
  float w[MOST], m[MOST], v[MOST];
  double want[MOST], want_m[MOST], want_v[MOST];
} weights;

static void want_sgd(weights *x, const float *g, bool nesterov) {
  for (int i = 0; i < x->n; i++) {
    const double grad = (double)g[i] + DECAY * x->want[i];
    x->want_m[i] = 0.9 * x->want_m[i] + grad;
    x->want[i] -= 0.1 * (nesterov ? grad + 0.9 * x->want_m[i] : x->want_m[i]);
  }
}

static void want_adam(weights *x, const float *g, bool decoupled, int step) {
  for (int i = 0; i < x->n; i++) {
    const double grad = (double)g[i] + (decoupled ? 0 : DECAY * x->want[i]);
    x->want_m[i] = 0.9 * x->want_m[i] + 0.1 * grad;
    x->want_v[i] = 0.999 * x->want_v[i] + 0.001 * grad * grad;
    const double move = x->want_m[i] / (1 - pow(0.9, step)) / (sqrt(x->want_v[i] / (1 - pow(0.999, step))) + 1e-8);
    x->want[i] -= 0.1 * (move + (decoupled ? DECAY * x->want[i] : 0));
  }
}

static void follow(th_optimizer_id id, bool nesterov) {
  for (int n = 1; n <= MOST; n += 9) { /* lengths with and without a rest behind the vectors */
    th_rng rng = th_rng_init((uint64_t)n, 0);
    th_optimizer o = th_optimizer_init(id, 0.9f, nesterov, (float)DECAY);
    weights x = {.n = n};
    float g[MOST];
    for (int i = 0; i < n; i++) x.want[i] = (double)(x.w[i] = th_rng_normal(&rng));
    for (int step = 1; step <= STEPS; step++) {
      for (int i = 0; i < n; i++) g[i] = th_rng_normal(&rng);
      th_optimizer_step(&o, 0.1f);
      th_optimizer_update(&o, true, x.w, g, x.m, x.v, n);
      if (id == TH_OPTIMIZER_SGD)
        want_sgd(&x, g, nesterov);
      else
        want_adam(&x, g, id == TH_OPTIMIZER_ADAMW, step);
    }
    for (int i = 0; i < n; i++)
      if (!(fabs((double)x.w[i] - x.want[i]) <= 1e-4))
        fail_msg("%d weights: [%d] is %.9g, expected %.9g", n, i, (double)x.w[i], x.want[i]);
  }
}

static void sgd_follows_its_formula(void **state) {
  (void)state;
  follow(TH_OPTIMIZER_SGD, false);
  follow(TH_OPTIMIZER_SGD, true);
}

static void adam_follows_its_formula(void **state) {
  (void)state;
  follow(TH_OPTIMIZER_ADAM, false);
  follow(TH_OPTIMIZER_ADAMW, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(sgd_follows_its_formula),
                                     cmocka_unit_test(adam_follows_its_formula)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
