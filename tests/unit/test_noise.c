/* The noise constraint: what forward sees, gradients against differences of the bound's formula, and that it tells
 * weights that matter from larger ones that do not.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "train_fixture.h"

enum { N = 1002 }; /* no whole number of vectors */

static th_constraint *make(float price, uint64_t seed) {
  th_constraint *c;
  FX_OK(th_noise_create(&(th_noise_options){.price = price, .until = 0.5f, .seed = seed}, N, &c));
  return c;
}

static void tick(th_constraint *c, const float *w, double progress, long step) {
  FX_OK(c->cls->tick(c, w, N, &(th_tick){.progress = progress, .step = step}));
}

static void fill(float *w, uint64_t stream) {
  th_rng rng = th_rng_init(3, stream);
  for (int i = 0; i < N; i++) w[i] = 0.1f * th_rng_normal(&rng);
}

static void weights_move_by_their_noise_one_way_or_the_other(void **state) {
  float w[N], score[N], first[N], again[N], next[N];
  th_constraint *c = make(0, 7), *same = make(0, 7);
  int up = 0, changed = 0;
  fill(w, 1);
  tick(c, w, 0, 0);
  tick(same, w, 0, 0);
  c->cls->project(c, w, first, N);
  same->cls->project(same, w, again, N);
  th_noise_scores(c, score);
  assert_false(c->cls->settled(c));
  for (int i = 0; i < N; i++) {
    const float noise = fabsf(first[i] - w[i]);
    assert_true(first[i] == again[i]);
    assert_true(noise > 0 && fabsf(score[i] * noise - fabsf(w[i])) < 1e-4f * fabsf(w[i]) + 1e-6f);
    up += first[i] > w[i];
  }
  assert_in_range(up, 2 * N / 5, 3 * N / 5);
  tick(c, w, 0.1, 1);
  c->cls->project(c, w, next, N);
  for (int i = 0; i < N; i++) changed += next[i] != first[i];
  assert_in_range(changed, 2 * N / 5, 3 * N / 5);
  tick(c, w, 0.5, 2);
  c->cls->project(c, w, next, N);
  assert_memory_equal(next, w, sizeof w);
  assert_true(c->cls->settled(c));
  c->cls->finish(c, w, next, N);
  assert_memory_equal(next, w, sizeof w);
  c->cls->destroy(c);
  same->cls->destroy(same);
}

/* Without a loss, what comes back is price times the derivative of 1/2 log(1 + w^2 / s^2). */
static void the_pull_is_that_of_the_bound(void **state) {
  float w[N], noisy[N], d[N] = {0};
  th_constraint *c = make(0.5f, 1);
  fill(w, 2);
  tick(c, w, 0, 0);
  c->cls->project(c, w, noisy, N);
  c->cls->backward(c, w, d, d, N);
  for (int i = 0; i < N; i++) {
    const double s = fabs((double)noisy[i] - (double)w[i]), e = 1e-6, a = (double)w[i];
    const double up = 0.5 * log(1 + (a + e) * (a + e) / (s * s)), down = 0.5 * log(1 + (a - e) * (a - e) / (s * s));
    const double want = 0.5 * (up - down) / (2 * e);
    assert_true(fabs((double)d[i] - want) < 2e-3 * fabs(want) + 2e-3);
  }
  c->cls->destroy(c);
}

/* Loss 1/2 sum h (v - a)^2: the first half of the weights is small and matters, the other large and does not. */
static void learn(th_constraint *c, float *w, int steps) {
  float a[N], v[N], d[N];
  th_optimizer o = th_optimizer_init(TH_OPTIMIZER_SGD, 0.0f, false, 0.0f);
  memcpy(a, w, sizeof a);
  for (int k = 0; k < steps; k++) {
    tick(c, w, 0.4 * k / steps, k);
    c->cls->project(c, w, v, N);
    for (int i = 0; i < N; i++) d[i] = (i < N / 2 ? 50.0f : 1e-4f) * (v[i] - a[i]);
    c->cls->backward(c, w, d, d, N);
    th_optimizer_step(&o, 0.01f);
    for (int i = 0; i < N; i++) w[i] -= o.lr * d[i];
    c->cls->update(c, &o);
  }
}

static void halves(float *w) {
  for (int i = 0; i < N; i++) w[i] = (i % 2 ? 1.0f : -1.0f) * (i < N / 2 ? 0.05f : 0.1f);
}

static void a_mask_by_noise_keeps_what_matters(void **state) {
  float w[N], v[N];
  th_constraint *c = make(1e-4f, 5), *mask;
  th_shape shape = th_shape_make(1, N);
  halves(w);
  learn(c, w, 1500);
  FX_OK(th_mask_create(&(th_mask_options){.sparsity = 0.5f, .noise = c}, N, &shape, &mask));
  tick(c, w, 0.9, 1500);
  tick(mask, w, 0.9, 1500);
  mask->cls->project(mask, w, v, N);
  for (int i = 0; i < N; i++) assert_true((v[i] != 0.0f) == (i < N / 2));
  for (int i = N / 2; i < N; i++) assert_true(fabsf(w[i]) > fabsf(w[i - N / 2])); /* by size they would have stayed */
  mask->cls->destroy(mask);
  c->cls->destroy(c);
}

static void it_goes_on_from_a_checkpoint(void **state) {
  float w[N], a[N], b[N];
  th_constraint *c = make(1e-3f, 5), *other = make(1e-3f, 5);
  halves(w);
  learn(c, w, 50);
  th_buf buf = {0};
  c->cls->save(c, &buf);
  th_reader r = th_reader_init(buf.data, buf.size, "checkpoint");
  FX_OK(other->cls->load(other, &r));
  assert_int_equal(th_reader_left(&r), 0);
  th_constraint *both[2] = {c, other};
  float *out[2] = {a, b};
  for (int k = 0; k < 2; k++) {
    float copy[N];
    memcpy(copy, w, sizeof copy);
    learn(both[k], copy, 20);
    th_noise_scores(both[k], out[k]);
  }
  assert_memory_equal(a, b, sizeof a);
  th_buf_free(&buf);
  c->cls->destroy(c);
  other->cls->destroy(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(weights_move_by_their_noise_one_way_or_the_other),
      cmocka_unit_test(the_pull_is_that_of_the_bound),
      cmocka_unit_test(a_mask_by_noise_keeps_what_matters),
      cmocka_unit_test(it_goes_on_from_a_checkpoint),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
