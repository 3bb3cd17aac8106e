/* train/teacher: several teach by their mean, answers are remembered, and a teacher helps.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "pass/calibrate.h"
#include "pass/quantize.h"
#include "train/teacher.h"
#include "train_fixture.h"

#define CLASSES 4

/* The logits of an ensemble are the mean of its members', a float and an integer one alike. */
static void several_teach_by_their_mean(void **state) {
  enum { BATCH = 32 };
  th_dataset d = fx_dataset(320, 50, CLASSES, 1.0f);
  th_graph *g[3] = {fx_mlp(8, CLASSES, 1), fx_mlp(16, CLASSES, 2), fx_mlp(12, CLASSES, 3)};
  const float *inputs[] = {d.store[0].samples}, *z;
  const int64_t in = th_shape_elems(&d.shape);
  double mean[BATCH * CLASSES] = {0};
  th_teacher *t;
  FX_OK(th_calibrate(g[2], 320, inputs, &(th_calibrate_options){0}));
  FX_OK(th_quantize(g[2], &(th_quantize_options){0}));
  for (int i = 0; i < 3; i++) {
    const th_graph *one[] = {g[i]};
    FX_OK(th_teacher_create(one, 1, in, CLASSES, BATCH, NULL, &t));
    FX_OK(th_teacher_run(t, inputs[0], BATCH, &z));
    for (int k = 0; k < BATCH * CLASSES; k++) mean[k] += (double)z[k] / 3;
    th_teacher_destroy(t);
  }
  const th_graph *all[] = {g[0], g[1], g[2]};
  FX_OK(th_teacher_create(all, 3, in, CLASSES, BATCH, NULL, &t));
  FX_OK(th_teacher_run(t, inputs[0], BATCH, &z));
  for (int k = 0; k < BATCH * CLASSES; k++) assert_true(fabs((double)z[k] - mean[k]) < 1e-5 * (1 + fabs(mean[k])));
  th_teacher_destroy(t);
  for (int i = 0; i < 3; i++) th_graph_destroy(g[i]);
  fx_dataset_free(&d);
}

/* Answers that are remembered are those that would be given, whatever batch the sample came in. */
static void a_teacher_remembers_its_answers(void **state) {
  enum { BATCH = 24, ALL = 96 };
  th_dataset d = fx_dataset(ALL, 50, CLASSES, 1.0f);
  th_graph *g = fx_residual(TH_OP_RELU, CLASSES, false, 3);
  const th_graph *one[] = {g};
  const int64_t in = th_shape_elems(&d.shape);
  const float *samples = d.store[0].samples, *z, *again;
  float *x = test_malloc((size_t)(BATCH * in) * sizeof *x);
  th_teacher *plain, *remembering;
  FX_OK(th_teacher_create(one, 1, in, CLASSES, BATCH, NULL, &plain));
  FX_OK(th_teacher_create(one, 1, in, CLASSES, BATCH, NULL, &remembering));
  FX_OK(th_teacher_remember(remembering, ALL));
  th_rng rng = th_rng_init(6, 6);
  for (int round = 0; round < 20; round++) {
    int32_t which[BATCH];
    for (int i = 0; i < BATCH; i++) {
      which[i] = (int32_t)th_rng_below(&rng, round < 10 ? ALL / 2 : ALL);
      memcpy(x + i * in, samples + which[i] * in, (size_t)in * sizeof *x);
    }
    FX_OK(th_teacher_run(plain, x, BATCH, &z));
    if (round == 9) memset(x, 0, (size_t)(BATCH * in) * sizeof *x); /* all known by now: not looked at */
    FX_OK(th_teacher_answer(remembering, which, x, BATCH, &again));
    assert_memory_equal(z, again, BATCH * CLASSES * sizeof *z);
  }
  th_teacher_destroy(plain);
  th_teacher_destroy(remembering);
  test_free(x);
  th_graph_destroy(g);
  fx_dataset_free(&d);
}

/* Noisy labels, few samples: a teacher that knows better helps the student. */
static void a_teacher_helps(void **state) {
  th_dataset clean = fx_dataset(640, 400, CLASSES, 2.0f), noisy = fx_dataset(128, 400, CLASSES, 2.0f);
  th_graph *teacher = fx_mlp(32, CLASSES, 1);
  th_train_options o = fx_options(8);
  fx_train(teacher, &clean, &o, NULL);
  int32_t *labels = (int32_t *)(uintptr_t)noisy.store[0].labels;
  th_rng rng = th_rng_init(4, 4);
  for (int i = 0; i < 128; i++)
    if (th_rng_below(&rng, 10) < 4) labels[i] = (int32_t)th_rng_below(&rng, CLASSES);
  th_train_result alone, taught;
  o.epochs = 12;
  o.keep_best = false;
  th_graph *a = fx_mlp(16, CLASSES, 5), *b = fx_mlp(16, CLASSES, 5);
  fx_train(a, &noisy, &o, &alone);
  o.teacher[0] = teacher;
  o.teachers = 1;
  o.temperature = 4.0f;
  o.alpha = 0.9f;
  fx_train(b, &noisy, &o, &taught);
  assert_true(taught.val_loss < 0.8 * alone.val_loss);
  assert_true(taught.val_accuracy >= alone.val_accuracy);

  /* an int8 teacher, run on the device's kernels, teaches nearly the same */
  th_train_result by_integers;
  th_graph *third = fx_mlp(16, CLASSES, 5);
  const float *inputs[] = {clean.store[0].samples};
  FX_OK(th_calibrate(teacher, 320, inputs, &(th_calibrate_options){0}));
  FX_OK(th_quantize(teacher, &(th_quantize_options){0}));
  fx_train(third, &noisy, &o, &by_integers);
  assert_true(fabs(by_integers.val_loss - taught.val_loss) < 0.1 * taught.val_loss);
  th_graph_destroy(third);
  th_graph_destroy(teacher);
  th_graph_destroy(a);
  th_graph_destroy(b);
  fx_dataset_free(&clean);
  fx_dataset_free(&noisy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(several_teach_by_their_mean),
      cmocka_unit_test(a_teacher_remembers_its_answers),
      cmocka_unit_test(a_teacher_helps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
