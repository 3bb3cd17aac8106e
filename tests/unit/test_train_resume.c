/* Interruption and resuming: what is saved continues to the same bytes as a run that was never stopped; checkpoints
 * that do not fit or are damaged do no harm. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <unistd.h>

#include "base/file.h"
#include "train_fixture.h"

#define CLASSES 4
#define STEPS_PER_EPOCH 9 /* 300 samples by 32 */
#define EPOCHS 4

typedef struct stopper {
  int calls, stop_at; /* false is returned from call number stop_at on */
} stopper;

static bool count_calls(void *user, const th_progress *p) {
  stopper *s = user;
  return ++s->calls != s->stop_at;
}

static char path[64];

static int set_up(void **state) {
  snprintf(path, sizeof path, "resume_%ld.ckpt", (long)getpid());
  return 0;
}

static int tear_down(void **state) {
  unlink(path);
  return 0;
}

typedef enum setting { PLAIN, AVERAGED, PRUNED, CLUSTERED, QUANTIZED, ALL, KINDS } setting;

static void add(th_constraints *cs, const th_graph *g, const char *name, setting kind) {
  int t = fx_find(g, name);
  const th_tensor *w = &g->tensors[t];
  int64_t n = th_shape_elems(&w->shape);
  th_constraint *c;
  if (kind == PRUNED || kind == ALL) {
    th_mask_options o = {.sparsity = 0.7f, .schedule = TH_PRUNE_POLYNOMIAL, .end = 0.6f, .regrow = kind == PRUNED};
    FX_OK(th_mask_create(&o, n, &w->shape, &c));
    FX_OK(th_constraints_add(cs, t, c));
  }
  if (kind == CLUSTERED || kind == ALL) {
    th_codebook_options o = {
        .clusters = 8, .channel_axis = -1, .zero_pinned = kind == ALL, .rate_lambda = 0.01f, .seed = 3};
    FX_OK(th_codebook_create(&o, w->data, n, &w->shape, &c));
    FX_OK(th_constraints_add(cs, t, c));
  }
  if (kind == QUANTIZED || kind == ALL) {
    th_grid_options o = {.bits = 4, .symmetric = true, .channel_axis = 0, .range = TH_RANGE_LEARNED, .freeze_at = 0.8f};
    FX_OK(th_grid_create(&o, w->data, n, &w->shape, &c));
    FX_OK(th_constraints_add(cs, t, c));
  }
}

static th_constraints *constrain(const th_graph *g, setting kind) {
  th_constraints *cs;
  th_constraint *c;
  if (kind < PRUNED) return NULL;
  FX_OK(th_constraints_create(g, &cs));
  add(cs, g, "conv_w", kind);
  add(cs, g, "fc_w", kind);
  if (kind < QUANTIZED) return cs;
  for (int i = 0; i < g->n_nodes; i++) {
    if (g->nodes[i].op != TH_OP_RELU) continue;
    th_range range = i % 2 ? TH_RANGE_LEARNED : TH_RANGE_OBSERVED;
    FX_OK(th_grid_create(&(th_grid_options){.bits = 8, .channel_axis = -1, .range = range, .freeze_at = 1}, NULL, 0,
                         NULL, &c));
    FX_OK(th_constraints_add_activation(cs, g->nodes[i].out[0], c));
  }
  return cs;
}

/* Runs a fit from the beginning, or from the checkpoint; returns the hash of the weights. */
static uint64_t fit(const th_dataset *d, setting kind, int stop_at, bool resume, bool checkpoint, th_status want) {
  th_graph *g = fx_residual(TH_OP_RELU, CLASSES, true, 1);
  th_constraints *cs = constrain(g, kind);
  stopper s = {.stop_at = stop_at};
  th_context ctx = {.user = &s, .progress = count_calls};
  th_train_options o;
  th_train_defaults(&o);
  o.ctx = &ctx;
  o.epochs = EPOCHS;
  o.batch = 32;
  o.lr = kind == PLAIN ? 0.02f : 0.003f;
  o.optimizer = kind == PLAIN ? TH_OPTIMIZER_SGD : TH_OPTIMIZER_ADAM;
  o.ema = kind == AVERAGED ? 0.9f : 0.0f;
  o.checkpoint = checkpoint ? path : NULL;
  o.resume = resume;
  o.constraints = cs;
  th_error_clear();
  th_status status = th_train_run(g, d, &o, NULL);
  if (status != want) fail_msg("kind %d: status %d (%s), expected %d", kind, status, th_error_message(), want);
  th_error_clear();
  uint64_t hash = fx_hash(g);
  th_constraints_destroy(cs);
  th_graph_destroy(g);
  return hash;
}

static void resumed_runs_give_the_same_bytes(void **state) {
  th_dataset d = fx_dataset(300, 80, CLASSES, 1.5f);
  /* in the first epoch, in the middle of the third, after the second (report of an epoch's end) */
  const int stops[] = {4, 2 * STEPS_PER_EPOCH + 5, 2 * STEPS_PER_EPOCH};
  for (setting k = PLAIN; k < KINDS; k++) {
    uint64_t whole = fit(&d, k, -1, false, false, TH_OK);
    for (int i = 0; i < 3; i++) {
      unlink(path);
      fit(&d, k, stops[i], false, true, TH_ERR_INTERRUPTED);
      assert_true(th_file_exists(path));
      uint64_t resumed = fit(&d, k, -1, true, true, TH_OK);
      if (resumed != whole) fail_msg("kind %d stopped at call %d: other bytes", k, stops[i]);
    }
    /* the checkpoint of a finished run gives its result again */
    assert_true(fit(&d, k, -1, true, true, TH_OK) == whole);
  }
  fx_dataset_free(&d);
}

static void twice_interrupted_still_the_same(void **state) {
  th_dataset d = fx_dataset(300, 80, CLASSES, 1.5f);
  unlink(path);
  uint64_t whole = fit(&d, ALL, -1, false, false, TH_OK);
  fit(&d, ALL, 7, false, true, TH_ERR_INTERRUPTED);
  fit(&d, ALL, 11, true, true, TH_ERR_INTERRUPTED);
  assert_true(fit(&d, ALL, -1, true, true, TH_OK) == whole);
  fx_dataset_free(&d);
}

static void a_checkpoint_of_another_run_is_left_alone(void **state) {
  th_dataset d = fx_dataset(300, 80, CLASSES, 1.5f);
  unlink(path);
  uint64_t whole = fit(&d, CLUSTERED, -1, false, false, TH_OK);
  fit(&d, CLUSTERED, 4, false, true, TH_ERR_INTERRUPTED);
  fit(&d, PLAIN, -1, true, true, TH_ERR_INPUT);
  assert_true(fit(&d, CLUSTERED, -1, true, true, TH_OK) == whole); /* it still serves its own run */
  fx_dataset_free(&d);
}

/* One sample's value, or the normalization, is enough to make it another run. */
static void other_samples_are_another_run(void **state) {
  th_dataset d = fx_dataset(300, 80, CLASSES, 1.5f);
  unlink(path);
  uint64_t whole = fit(&d, PLAIN, -1, false, false, TH_OK);
  fit(&d, PLAIN, 4, false, true, TH_ERR_INTERRUPTED);
  float *x = (float *)(uintptr_t)d.store[0].samples, kept = x[299 * FX_ELEMS];
  x[299 * FX_ELEMS] += 1.0f;
  fit(&d, PLAIN, -1, true, true, TH_ERR_INPUT);
  x[299 * FX_ELEMS] = kept;
  d.mean[0] = 0.5f;
  fit(&d, PLAIN, -1, true, true, TH_ERR_INPUT);
  d.mean[0] = 0.0f;
  assert_true(fit(&d, PLAIN, -1, true, true, TH_OK) == whole);
  fx_dataset_free(&d);
}

static void damage_is_noticed(void **state) {
  th_dataset d = fx_dataset(300, 80, CLASSES, 1.5f);
  th_arena *arena = th_arena_create();
  uint8_t *data;
  size_t size;
  unlink(path);
  fit(&d, ALL, 4, false, true, TH_ERR_INTERRUPTED);
  FX_OK(th_file_read(arena, path, TH_FILE_LIMIT, &data, &size));
  const size_t cuts[] = {0, 5, 20, 100, size / 2, size - 1};
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    FX_OK(th_file_write(path, data, cuts[i]));
    fit(&d, ALL, -1, true, true, TH_ERR_INPUT);
  }
  data[size / 3] ^= 4;
  FX_OK(th_file_write(path, data, size));
  fit(&d, ALL, -1, true, true, TH_ERR_INPUT);
  th_arena_destroy(arena);
  fx_dataset_free(&d);
}

/* After an interruption the graph holds the best epoch so far, which is not where it began. */
static void an_interrupted_graph_is_usable(void **state) {
  th_dataset d = fx_dataset(300, 80, CLASSES, 0.7f);
  th_graph *g = fx_mlp(24, CLASSES, 1);
  stopper s = {.stop_at = 3 * STEPS_PER_EPOCH + 2};
  th_context ctx = {.user = &s, .progress = count_calls};
  th_train_options o;
  th_train_defaults(&o);
  o.ctx = &ctx;
  o.batch = 32;
  o.lr = 0.02f;
  th_train_result result;
  assert_int_equal(th_train_run(g, &d, &o, &result), TH_ERR_INTERRUPTED);
  th_error_clear();
  assert_true(result.val_accuracy > 0.9);
  assert_int_equal(result.epochs, 3);
  th_graph_destroy(g);
  fx_dataset_free(&d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resumed_runs_give_the_same_bytes),
      cmocka_unit_test(twice_interrupted_still_the_same),
      cmocka_unit_test(a_checkpoint_of_another_run_is_left_alone),
      cmocka_unit_test(other_samples_are_another_run),
      cmocka_unit_test(damage_is_noticed),
      cmocka_unit_test(an_interrupted_graph_is_usable),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
