/* Whole fits on small synthetic data: they learn, they repeat bit for bit whatever the threads, they refuse bad input;
 * optimizers and schedules against their formulas.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/parallel.h"
#include "eval/eval.h"
#include "pass/calibrate.h"
#include "pass/quantize.h"
#include "train_fixture.h"

#define CLASSES 4

/* --- learning --- */

static void every_optimizer_learns(void **state) {
  const float rate[] = {0.02f, 0.003f, 0.003f};
  th_dataset d = fx_dataset(640, 200, CLASSES, 0.7f);
  for (int id = TH_OPTIMIZER_SGD; id <= TH_OPTIMIZER_ADAMW; id++) {
    th_graph *g = fx_residual(TH_OP_RELU, CLASSES, true, 1);
    th_train_options o = fx_options(6);
    o.optimizer = (th_optimizer_id)id;
    o.lr = rate[id];
    double accuracy = fx_train(g, &d, &o, NULL);
    if (accuracy < 0.97) fail_msg("optimizer %d: accuracy %g", id, accuracy);
    th_graph_destroy(g);
  }
  fx_dataset_free(&d);
}

static void averaged_weights_learn_too(void **state) {
  th_dataset d = fx_dataset(640, 200, CLASSES, 1.5f);
  th_graph *g = fx_mlp(24, CLASSES, 1);
  th_train_options o = fx_options(6);
  o.ema = 0.95f;
  o.schedule = TH_SCHEDULE_ONECYCLE;
  o.label_smoothing = 0.1f;
  assert_true(fx_train(g, &d, &o, NULL) > 0.95);
  th_graph_destroy(g);
  fx_dataset_free(&d);
}

/* Running statistics approach those of the data that reach the batch norm: here the input itself, shifted. */
static void running_statistics_follow_the_data(void **state) {
  th_dataset d = fx_dataset(640, 200, CLASSES, 1.0f);
  float *x = (float *)(uintptr_t)d.store[0].samples;
  double sum[FX_CHANNELS] = {0}, square[FX_CHANNELS] = {0};
  int rows = 640 * FX_ELEMS / FX_CHANNELS;
  for (int i = 0; i < rows; i++)
    for (int c = 0; c < FX_CHANNELS; c++) {
      x[i * FX_CHANNELS + c] = x[i * FX_CHANNELS + c] * (float)(c + 1) + 3.0f;
      sum[c] += (double)x[i * FX_CHANNELS + c];
      square[c] += (double)x[i * FX_CHANNELS + c] * (double)x[i * FX_CHANNELS + c];
    }
  fx_net b = fx_begin();
  fx_batch_norm(&b, 0.8f);
  fx_simple(&b, TH_OP_FLATTEN);
  fx_dense(&b, CLASSES);
  th_graph *g = fx_end(&b, 1);
  th_train_options o = fx_options(3);
  o.keep_best = false;
  fx_train(g, &d, &o, NULL);
  const float *mean = g->tensors[fx_find(g, "mean")].data, *variance = g->tensors[fx_find(g, "variance")].data;
  for (int c = 0; c < FX_CHANNELS; c++) {
    double m = sum[c] / rows, v = square[c] / rows - m * m;
    assert_true(fabs((double)mean[c] - m) < 0.1 * sqrt(v));
    assert_true(fabs((double)variance[c] / v - 1.0) < 0.1);
  }
  th_graph_destroy(g);
  fx_dataset_free(&d);
}

static void an_autoencoder_learns_without_labels(void **state) {
  th_dataset d = fx_dataset(640, 200, CLASSES, 0.1f);
  d.classes = 0;
  fx_net b = fx_begin();
  fx_simple(&b, TH_OP_FLATTEN);
  fx_dense(&b, 8);
  fx_dense(&b, FX_ELEMS);
  th_graph *g = fx_end(&b, 1);
  th_train_result result;
  th_train_options o = fx_options(8);
  o.weight_decay = 0.0f;
  o.lr = 0.1f;
  fx_train(g, &d, &o, &result);
  assert_true(result.val_loss < 0.1); /* the patterns have variance 1, the noise 0.01 */
  assert_true(isnan(result.val_accuracy));
  th_graph_destroy(g);
  fx_dataset_free(&d);
}

/* --- quantization-aware training --- */

static void add_grids(const th_graph *g, th_constraints *cs) {
  th_constraint *c;
  for (int t = 0; t < g->n_tensors; t++) {
    const th_tensor *x = &g->tensors[t];
    if (!x->data && x->quant.count == 1) { /* calibrated */
      float scale = x->quant.scale[0], zero = (float)x->quant.zero[0];
      th_grid_options o = {.bits = 8, .channel_axis = -1, .range = TH_RANGE_LEARNED, .freeze_at = 0.7f};
      o.lo = scale * (-128.0f - zero);
      o.hi = scale * (127.0f - zero);
      FX_OK(th_grid_create(&o, NULL, 0, NULL, &c));
      FX_OK(th_constraints_add_activation(cs, t, c));
    }
    if (!x->data || x->shape.rank < 2) continue;
    th_grid_options o = {.bits = 8, .symmetric = true, .channel_axis = 0, .range = TH_RANGE_LEARNED, .freeze_at = 0.7f};
    FX_OK(th_grid_create(&o, x->data, th_shape_elems(&x->shape), &x->shape, &c));
    FX_OK(th_constraints_add(cs, t, c));
  }
}

static double integer_accuracy(const th_graph *g, const th_dataset *d) {
  const th_store *store = &d->store[1];
  float *out = test_malloc((size_t)store->count * CLASSES * sizeof *out);
  const float *in = store->samples;
  th_eval *eval;
  int right = 0;
  FX_OK(th_eval_open(g, false, &eval));
  FX_OK(th_eval_run_f32(eval, store->count, &in, &out));
  for (int i = 0; i < store->count; i++) {
    int best = 0;
    for (int k = 1; k < CLASSES; k++) best = out[i * CLASSES + k] > out[i * CLASSES + best] ? k : best;
    right += best == store->labels[i];
  }
  th_eval_close(eval);
  test_free(out);
  return (double)right / store->count;
}

/* What training measured on fake-quantized values is what the integer kernels deliver. */
static void fake_quantization_predicts_the_integers(void **state) {
  th_dataset d = fx_dataset(640, 400, CLASSES, 3.0f);
  th_graph *g = fx_mlp(24, CLASSES, 1);
  th_train_options o = fx_options(6);
  fx_train(g, &d, &o, NULL);
  const float *inputs[] = {d.store[0].samples};
  FX_OK(th_calibrate(g, 320, inputs, &(th_calibrate_options){0}));
  th_constraints *cs;
  FX_OK(th_constraints_create(g, &cs));
  add_grids(g, cs);
  o.constraints = cs;
  o.lr = 0.002f;
  double trained = fx_train(g, &d, &o, NULL);
  FX_OK(th_quantize(g, &(th_quantize_options){.per_channel_fc = true}));
  double integers = integer_accuracy(g, &d);
  if (fabs(trained - integers) > 0.01 || trained < 0.8) fail_msg("trained %g, integers %g", trained, integers);
  th_constraints_destroy(cs);
  th_graph_destroy(g);
  fx_dataset_free(&d);
}

/* --- the same bits --- */

/* Large: with a dense layer that goes forward by slices of its outputs. */
static uint64_t run_with(const th_dataset *d, bool large, int threads, uint64_t seed, int batch) {
  th_augment augment = {.shift = 1, .flip = true, .rotate = 5, .erase = 2};
  th_graph *g = large ? fx_mlp(250, CLASSES, 1) : fx_residual(TH_OP_RELU, CLASSES, true, 1);
  th_train_options o = fx_options(2);
  o.seed = seed;
  o.batch = batch;
  o.augment = &augment;
  o.optimizer = TH_OPTIMIZER_ADAMW;
  o.lr = 0.003f;
  o.ema = 0.9f;
  th_parallel_set_threads(threads);
  fx_train(g, d, &o, NULL);
  th_parallel_set_threads(0);
  uint64_t hash = fx_hash(g);
  th_graph_destroy(g);
  return hash;
}

static void same_bits_whatever_the_threads(void **state) {
  th_dataset d = fx_dataset(300, 70, CLASSES, 1.0f);
  const int batch[] = {32, 100, 150};
  for (int i = 0; i < 6; i++) {
    const bool large = i >= 3;
    uint64_t one = run_with(&d, large, 1, 7, batch[i % 3]);
    assert_true(one == run_with(&d, large, 2, 7, batch[i % 3]));
    assert_true(one == run_with(&d, large, 3, 7, batch[i % 3]));
    assert_true(one == run_with(&d, large, 1, 7, batch[i % 3]));
    assert_true(one != run_with(&d, large, 1, 8, batch[i % 3]));
  }
  fx_dataset_free(&d);
}

/* --- optimizers and schedules --- */

/* Minimizes f(w) = 1.5 w^2 - 2 w by each rule written out in double. */
static double reference(const th_optimizer *o, int steps, double w) {
  double m = 0, v = 0, mu = (double)o->momentum, wd = (double)o->weight_decay, lr = 0.1;
  for (int t = 1; t <= steps; t++) {
    double g = 3 * w - 2;
    if (o->id != TH_OPTIMIZER_ADAMW) g += wd * w;
    if (o->id == TH_OPTIMIZER_SGD) {
      m = mu * m + g;
      w -= lr * (o->nesterov ? g + mu * m : m);
      continue;
    }
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    if (o->id == TH_OPTIMIZER_ADAMW) w -= lr * wd * w;
    w -= lr * (m / (1 - pow(0.9, t))) / (sqrt(v / (1 - pow(0.999, t))) + 1e-8);
  }
  return w;
}

static void optimizers_follow_their_formulas(void **state) {
  const th_optimizer kinds[] = {
      th_optimizer_init(TH_OPTIMIZER_SGD, 0.0f, false, 0.0f), th_optimizer_init(TH_OPTIMIZER_SGD, 0.9f, false, 0.1f),
      th_optimizer_init(TH_OPTIMIZER_SGD, 0.9f, true, 0.1f), th_optimizer_init(TH_OPTIMIZER_ADAM, 0.0f, false, 0.1f),
      th_optimizer_init(TH_OPTIMIZER_ADAMW, 0.0f, false, 0.1f)};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    enum { N = 19 }; /* more than two vectors and a rest */
    th_optimizer o = kinds[k];
    float w[N], g[N], m[N] = {0}, v[N] = {0};
    for (int i = 0; i < N; i++) w[i] = 0.1f * (float)i;
    for (int t = 0; t < 12; t++) {
      for (int i = 0; i < N; i++) g[i] = 3 * w[i] - 2;
      th_optimizer_step(&o, 0.1f);
      th_optimizer_update(&o, true, w, g, m, v, N);
    }
    for (int i = 0; i < N; i++) {
      double want = reference(&kinds[k], 12, (double)(0.1f * (float)i));
      if (fabs((double)w[i] - want) > 2e-5) fail_msg("kind %zu, element %d: %g, expected %g", k, i, (double)w[i], want);
    }
  }
}

static void assert_factor(const th_schedule *s, long step, double want) {
  double got = th_schedule_factor(s, step);
  if (fabs(got - want) > 1e-12) fail_msg("schedule %d at %ld: %.15g, expected %.15g", s->id, step, got, want);
}

static void schedules_follow_their_formulas(void **state) {
  th_schedule s = {.id = TH_SCHEDULE_COSINE, .steps = 100, .steps_per_epoch = 10};
  for (long i = 0; i < 100; i++) assert_factor(&s, i, 0.5 * (1 + cos(3.14159265358979323846 * (double)i / 100)));
  s.warmup = 0.1f;
  double warm = (double)0.1f * 100;
  assert_factor(&s, 0, 1 / (warm + 1));
  assert_factor(&s, 9, 10 / (warm + 1));
  s = (th_schedule){.id = TH_SCHEDULE_STEP, .steps = 100, .steps_per_epoch = 10, .step_epochs = 3, .step_factor = 0.5f};
  assert_factor(&s, 29, 1.0);
  assert_factor(&s, 30, 0.5);
  assert_factor(&s, 99, 0.125);
  s.id = TH_SCHEDULE_ONECYCLE;
  assert_factor(&s, 0, 1.0 / 25);
  assert_factor(&s, 30, 1.0);
  assert_true(th_schedule_factor(&s, 99) < 0.002 && th_schedule_factor(&s, 99) > 1e-4);
  s.id = TH_SCHEDULE_CONSTANT;
  assert_factor(&s, 50, 1.0);
}

/* --- first weights --- */

static double deviation(const th_graph *g, const char *name) {
  const th_tensor *t = &g->tensors[fx_find(g, name)];
  int64_t n = th_shape_elems(&t->shape);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)((const float *)t->data)[i] * (double)((const float *)t->data)[i];
  return sqrt(sum / (double)n);
}

static void first_weights_have_the_right_spread(void **state) {
  fx_net b = fx_begin();
  fx_conv(&b, 64, 3);
  fx_simple(&b, TH_OP_RELU);
  fx_depthwise(&b);
  fx_batch_norm(&b, 0.9f);
  fx_simple(&b, TH_OP_RELU);
  fx_simple(&b, TH_OP_FLATTEN);
  fx_dense(&b, 20);
  fx_simple(&b, TH_OP_SOFTMAX);
  th_graph *g = fx_end(&b, 3);
  assert_true(fabs(deviation(g, "conv_w") / sqrt(2.0 / 18) - 1) < 0.1);        /* He: 3 * 3 * 2 inputs */
  assert_true(fabs(deviation(g, "dw_w") / sqrt(2.0 / 9) - 1) < 0.15);          /* nine inputs */
  assert_true(fabs(deviation(g, "fc_w") / sqrt(2.0 / (2304 + 20)) - 1) < 0.1); /* Glorot: softmax follows */
  assert_true(deviation(g, "fc_b") == 0.0 && deviation(g, "mean") == 0.0);
  assert_true(deviation(g, "gamma") == 1.0 && deviation(g, "variance") == 1.0);
  th_graph_destroy(g);
}

/* --- refusing --- */

static void refused(th_graph *g, const th_dataset *d, const th_train_options *o, th_status want, const char *words) {
  uint64_t before = fx_hash(g);
  th_error_clear();
  assert_int_equal(th_train_run(g, d, o, NULL), want);
  if (!strstr(th_error_message(), words)) fail_msg("message is: %s", th_error_message());
  assert_true(before == fx_hash(g));
  th_error_clear();
}

/* Data without the last classes trains a net that has outputs for them. */
static void more_outputs_than_classes_train(void **state) {
  th_dataset d = fx_dataset(200, 80, CLASSES, 0.5f);
  th_graph *g = fx_mlp(16, CLASSES + 3, 1);
  th_train_options o = fx_options(4);
  th_train_result result;
  FX_OK(th_train_run(g, &d, &o, &result));
  assert_true(result.val_accuracy > 0.9);
  th_graph_destroy(g);
  fx_dataset_free(&d);
}

static void bad_input_is_refused(void **state) {
  th_dataset d = fx_dataset(64, 16, CLASSES, 1.0f);
  th_graph *g = fx_mlp(8, CLASSES, 1);
  th_train_options o = fx_options(1);
  th_dataset other = d;
  other.shape = th_shape_make(1, 10);
  refused(g, &other, &o, TH_ERR_INPUT, "1x6x6x2");
  other = d;
  other.classes = CLASSES + 1;
  char words[32];
  snprintf(words, sizeof words, "%d classes", other.classes);
  refused(g, &other, &o, TH_ERR_INPUT, words);
  other = d;
  other.split[TH_SPLIT_TRAIN].count = 0;
  refused(g, &other, &o, TH_ERR_INPUT, "no training samples");
  other = d;
  other.classes = 0;
  refused(g, &other, &o, TH_ERR_INPUT, "no labels");
  o.lr = 1e30f;
  refused(g, &d, &o, TH_ERR_INPUT, "learning rate");
  o = fx_options(1);
  th_graph *teacher = fx_mlp(8, 5, 1);
  o.teacher[0] = teacher;
  o.teachers = 1;
  refused(g, &d, &o, TH_ERR_INPUT, "teacher");
  o.temperature = 0.0f;
  refused(g, &d, &o, TH_ERR_USAGE, "temperature");
  th_graph_destroy(teacher);
  th_graph_destroy(g);
  fx_dataset_free(&d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_optimizer_learns),
      cmocka_unit_test(averaged_weights_learn_too),
      cmocka_unit_test(running_statistics_follow_the_data),
      cmocka_unit_test(an_autoencoder_learns_without_labels),
      cmocka_unit_test(fake_quantization_predicts_the_integers),
      cmocka_unit_test(same_bits_whatever_the_threads),
      cmocka_unit_test(optimizers_follow_their_formulas),
      cmocka_unit_test(schedules_follow_their_formulas),
      cmocka_unit_test(first_weights_have_the_right_spread),
      cmocka_unit_test(more_outputs_than_classes_train),
      cmocka_unit_test(bad_input_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
