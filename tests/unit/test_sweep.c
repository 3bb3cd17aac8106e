/* lib/sweep, train/fisher: the Fisher information against its closed form, and which levels are given up for which
 * bits. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "lib/sweep.h"
#include "train/fisher.h"
#include "train_fixture.h"

/* --- the Fisher information of softmax(beta W x): mean over x of beta^2 x_i^2 p_k (1 - p_k) --- */

enum { CLASSES = 3, SAMPLES = 600 };

static void make_weights(th_graph *g, int tensor, float *w, int n) {
  th_rng rng = th_rng_init(5, 1);
  for (int i = 0; i < n; i++) w[i] = 0.1f * th_rng_normal(&rng);
  th_shape shape = g->tensors[tensor].shape;
  FX_OK(th_graph_set_data(g, tensor, TH_DTYPE_F32, &shape, w));
}

static void add_expected(const float *w, const float *x, double beta, double part, double *expected) {
  double z[CLASSES], sum = 0;
  for (int k = 0; k < CLASSES; k++) {
    z[k] = 0;
    for (int i = 0; i < FX_ELEMS; i++) z[k] += (double)w[k * FX_ELEMS + i] * (double)x[i];
    sum += z[k] = exp(beta * z[k]);
  }
  for (int k = 0; k < CLASSES; k++)
    for (int i = 0; i < FX_ELEMS; i++)
      expected[k * FX_ELEMS + i] += part * beta * beta * (double)x[i] * (double)x[i] * z[k] / sum * (1 - z[k] / sum);
}

static void check_fisher(float temperature) {
  static float w[CLASSES * FX_ELEMS], fisher[CLASSES * FX_ELEMS];
  static double expected[CLASSES * FX_ELEMS];
  float *of[8] = {NULL};
  double error = 0, all = 0;
  th_dataset d = fx_dataset(SAMPLES, 8, CLASSES, 1.0f);
  fx_net b = fx_begin();
  fx_simple(&b, TH_OP_FLATTEN);
  fx_dense(&b, CLASSES);
  fx_simple(&b, TH_OP_SOFTMAX);
  FX_OK(th_graph_set_outputs(b.g, &b.at, 1));
  const int tensor = b.g->nodes[1].in[1];
  make_weights(b.g, tensor, w, CLASSES * FX_ELEMS);
  assert_true(tensor < 8);
  of[tensor] = fisher;
  FX_OK(th_fisher_run(b.g, &d, &(th_fisher_options){.samples = SAMPLES, .temperature = temperature, .seed = 3}, of));
  memset(expected, 0, sizeof expected);
  for (int s = 0; s < SAMPLES; s++)
    add_expected(w, (const float *)d.store[0].samples + s * FX_ELEMS, 1 / (double)temperature, 1.0 / SAMPLES, expected);
  for (int i = 0; i < CLASSES * FX_ELEMS; i++) {
    error += fabs((double)fisher[i] - expected[i]);
    all += expected[i];
  }
  if (error > 0.12 * all) fail_msg("temperature %g: off by %g of %g", (double)temperature, error, all);
  th_graph_destroy(b.g);
  fx_dataset_free(&d);
}

static void fisher_is_that_of_a_softmax(void **state) {
  check_fisher(1);
  check_fisher(4);
}

/* --- the choice --- */

static double entropy_bits(const int8_t *q, int n) {
  double bits = 0;
  for (int v = -128; v < 128; v++) {
    int seen = 0;
    for (int i = 0; i < n; i++) seen += q[i] == v;
    if (seen) bits += seen * log2((double)n / seen);
  }
  return bits;
}

static void random_tensor(int8_t *q, float *price, int n, uint64_t stream) {
  th_rng rng = th_rng_init(9, stream);
  for (int i = 0; i < n; i++) {
    q[i] = (int8_t)(th_rng_below(&rng, 3) ? 0 : (int)th_rng_below(&rng, 15) - 7);
    price[i] = th_rng_uniform(&rng) + 0.01f;
  }
}

static void the_wanted_part_is_saved(void **state) {
  enum { N = 3000 };
  static int8_t q[2][N], was[2][N];
  static float price[2][N];
  for (int t = 0; t < 2; t++) random_tensor(q[t], price[t], N, (uint64_t)t);
  memcpy(was, q, sizeof q);
  th_sweep_tensor tensors[2] = {{.n = N, .q = q[0], .price = price[0]}, {.n = N, .q = q[1], .price = price[1]}};
  th_sweep_outcome o;
  FX_OK(th_sweep_choose(tensors, 2, 0.2, &o));
  const double before = entropy_bits(was[0], N) + entropy_bits(was[1], N);
  const double after = entropy_bits(q[0], N) + entropy_bits(q[1], N);
  assert_true(fabs(before - o.bits_before) < 1e-6 * before && fabs(after - o.bits_after) < 1e-6 * before);
  assert_true(after <= 0.8 * before && after > 0.75 * before);
  double damage = 0;
  int64_t changed = 0;
  for (int t = 0; t < 2; t++)
    for (int i = 0; i < N; i++) {
      const double d = q[t][i] - was[t][i];
      if (was[t][i] == 0) assert_int_equal(q[t][i], 0);
      damage += (double)price[t][i] * d * d;
      changed += d != 0;
    }
  assert_true(changed == o.changed && fabs(damage - o.damage) < 1e-6 * damage);
}

/* Of two weights at the same level of the same tensor, the cheaper one is never kept while the dearer one moves. */
static void cheap_weights_go_first(void **state) {
  enum { N = 2000 };
  static int8_t q[N], was[N];
  static float price[N];
  float dearest_moved[15] = {0}, cheapest_kept[15];
  for (int k = 0; k < 15; k++) cheapest_kept[k] = INFINITY;
  random_tensor(q, price, N, 7);
  memcpy(was, q, sizeof q);
  th_sweep_tensor t = {.n = N, .q = q, .price = price};
  th_sweep_outcome o;
  FX_OK(th_sweep_choose(&t, 1, 0.1, &o));
  assert_true(o.changed > 20);
  for (int i = 0; i < N; i++) {
    float *moved = &dearest_moved[was[i] + 7], *kept = &cheapest_kept[was[i] + 7];
    if (q[i] != was[i] && price[i] > *moved) *moved = price[i];
    if (q[i] == was[i] && price[i] < *kept) *kept = price[i];
  }
  for (int k = 0; k < 15; k++)
    if (k != 7) assert_true(dearest_moved[k] <= cheapest_kept[k]);
}

/* Where all matter alike, weights that stand alone go before those with neighbours, whose bits are fewer. */
static void lonely_weights_go_first(void **state) {
  enum { N = 6000 };
  static int8_t q[N], was[N];
  static float price[N];
  int gone[2] = {0}, all[2] = {0};
  th_rng rng = th_rng_init(4, 0);
  for (int i = 0; i < N; i++) price[i] = 0.9f + 0.2f * th_rng_uniform(&rng);
  for (int i = 0; i < N; i += 60) { /* one or ten in a row, at random places of every sixty */
    const bool together = th_rng_below(&rng, 10) == 0;
    const int at = i + 20 + (int)th_rng_below(&rng, 20);
    for (int k = 0; k < (together ? 10 : 1); k++) q[at + k] = together ? -1 : 1;
  }
  memcpy(was, q, sizeof q);
  th_sweep_tensor t = {.n = N, .q = q, .price = price};
  th_sweep_outcome o;
  FX_OK(th_sweep_choose(&t, 1, 0.2, &o));
  for (int i = 0; i < N; i++) {
    if (!was[i]) continue;
    all[was[i] < 0]++;
    gone[was[i] < 0] += q[i] == 0;
  }
  assert_true(gone[0] > all[0] / 10 && gone[1] * all[0] < gone[0] * all[1] / 2);
}

static void nothing_to_save_is_no_trouble(void **state) {
  int8_t q[4] = {0, 0, 0, 0}, one[1] = {5};
  float price[4] = {1, 1, 1, 1};
  th_sweep_tensor tensors[2] = {{.n = 4, .q = q, .price = price}, {.n = 1, .q = one, .price = price}};
  th_sweep_outcome o;
  FX_OK(th_sweep_choose(tensors, 2, 0.5, &o));
  assert_true(o.bits_before < 8 && o.changed == 0 && o.damage == 0 && q[0] == 0);
  FX_OK(th_sweep_choose(tensors, 0, 0.5, &o));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fisher_is_that_of_a_softmax),   cmocka_unit_test(the_wanted_part_is_saved),
      cmocka_unit_test(cheap_weights_go_first),        cmocka_unit_test(lonely_weights_go_first),
      cmocka_unit_test(nothing_to_save_is_no_trouble),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
