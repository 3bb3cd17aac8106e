/* train/match: which layers are paired, the losses against their definitions, and a fit that follows its teacher.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "eval/eval.h"
#include "train/match.h"
#include "train_fixture.h"

/* 6 x 6 pictures: conv to `channels`, relu, pool to 3 x 3, conv, relu, dense. */
static th_graph *small_net(int channels, uint64_t seed) {
  fx_net b = fx_begin();
  fx_conv(&b, channels, 3);
  fx_simple(&b, TH_OP_RELU);
  fx_pool(&b, TH_OP_MAX_POOL2D, 2);
  fx_conv(&b, 2 * channels, 3);
  fx_simple(&b, TH_OP_RELU);
  fx_simple(&b, TH_OP_FLATTEN);
  fx_dense(&b, 3);
  fx_simple(&b, TH_OP_SOFTMAX);
  return fx_end(&b, seed);
}

static void pairs_are_the_last_of_a_size(void **state) {
  th_graph *small = small_net(4, 1), *large = small_net(9, 2);
  th_match m;
  FX_OK(th_match_find(TH_MATCH_ATTENTION, 1, small, large, &m));
  assert_int_equal(m.n, 2);
  for (int i = 0; i < 2; i++) { /* relus, which come after convolutions of the same size */
    const th_match_pair *p = &m.pair[i];
    assert_int_equal(small->nodes[th_graph_producer(small, p->student)].op, TH_OP_RELU);
    assert_int_equal(large->nodes[th_graph_producer(large, p->teacher)].op, TH_OP_RELU);
    assert_int_equal(p->positions, i ? 36 : 9);
    assert_int_equal(p->channels, i ? 4 : 8);
    assert_int_equal(p->teacher_channels, i ? 9 : 18);
    assert_int_equal(th_match_of(&m, p->student), i);
  }
  assert_int_equal(th_match_of(&m, small->inputs[0]), -1);
  assert_int_equal(th_match_find(TH_MATCH_FEATURES, 1, small, large, &m), TH_ERR_INPUT);
  assert_non_null(strstr(th_error_message(), "shape"));
  th_error_clear();
  FX_OK(th_match_find(TH_MATCH_FEATURES, 1, small, small, &m));
  assert_int_equal(m.n, 3); /* the pool's result is of a third shape */
  th_graph_destroy(small);
  th_graph_destroy(large);
}

static void dense_layers_have_no_attention(void **state) {
  th_graph *g = fx_mlp(12, 3, 1);
  th_match m;
  assert_int_equal(th_match_find(TH_MATCH_ATTENTION, 1, g, g, &m), TH_ERR_INPUT);
  th_error_clear();
  FX_OK(th_match_find(TH_MATCH_FEATURES, 1, g, g, &m));
  assert_int_equal(m.n, 1);
  th_graph_destroy(g);
}

enum { SAMPLES = 3, PLACES = 4, OWN = 2, OTHER = 3 };

static void fill(float *x, int n, uint64_t stream) {
  th_rng rng = th_rng_init(8, stream);
  for (int i = 0; i < n; i++) x[i] = th_rng_normal(&rng);
}

static void unit_map(const float *x, int channels, double q[PLACES]) {
  double length = 0;
  for (int p = 0; p < PLACES; p++) {
    q[p] = 0;
    for (int c = 0; c < channels; c++) q[p] += (double)x[p * channels + c] * (double)x[p * channels + c];
    length += q[p] * q[p];
  }
  for (int p = 0; p < PLACES; p++) q[p] /= sqrt(length);
}

static double by_definition(th_match_kind kind, const float *x, const float *t, int other) {
  double sum = 0, size = 0, q[PLACES], u[PLACES];
  if (kind == TH_MATCH_FEATURES) {
    for (int i = 0; i < PLACES * OWN; i++) {
      sum += ((double)x[i] - (double)t[i]) * ((double)x[i] - (double)t[i]);
      size += (double)t[i] * (double)t[i];
    }
    return sum / size;
  }
  unit_map(x, OWN, q);
  unit_map(t, other, u);
  for (int p = 0; p < PLACES; p++) sum += (q[p] - u[p]) * (q[p] - u[p]);
  return sum;
}

static void check_loss(th_match_kind kind, int other) {
  float x[SAMPLES * PLACES * OWN], t[SAMPLES * PLACES * OTHER], d[SAMPLES * PLACES * OWN] = {0};
  th_match m = {.kind = kind, .weight = 2.5f, .n = 1};
  m.pair[0] = (th_match_pair){.positions = PLACES, .channels = OWN, .teacher_channels = other, .target = t};
  double want = 0;
  fill(x, SAMPLES * PLACES * OWN, 1);
  fill(t, SAMPLES * PLACES * OTHER, 2);
  for (int s = 1; s < SAMPLES; s++)
    want += 2.5 * by_definition(kind, x + s * PLACES * OWN, t + s * PLACES * other, other);
  const double got = th_match_eval(&m, 0, x, d, 1, SAMPLES, SAMPLES);
  assert_true(fabs(got - want) < 1e-6 * want);
  for (int i = 0; i < SAMPLES * PLACES * OWN; i++) assert_true((i < PLACES * OWN) == (d[i] == 0.0f));
}

static void losses_are_those_of_the_definitions(void **state) {
  check_loss(TH_MATCH_ATTENTION, OTHER);
  check_loss(TH_MATCH_ATTENTION, OWN);
  check_loss(TH_MATCH_FEATURES, OWN);
}

static void nothing_is_learned_from_nothing(void **state) {
  float x[PLACES * OWN] = {0}, t[PLACES * OWN] = {0}, d[PLACES * OWN] = {0};
  th_match m = {.kind = TH_MATCH_ATTENTION, .weight = 1, .n = 1};
  m.pair[0] = (th_match_pair){.positions = PLACES, .channels = OWN, .teacher_channels = OWN, .target = t};
  for (int kind = TH_MATCH_ATTENTION; kind <= TH_MATCH_FEATURES; kind++) {
    m.kind = (th_match_kind)kind;
    assert_true(th_match_eval(&m, 0, x, d, 0, 1, 1) == 0);
    for (int i = 0; i < PLACES * OWN; i++) assert_true(d[i] == 0.0f);
  }
}

/* --- a fit --- */

static double distance(th_graph *student, const th_graph *teacher, const th_dataset *data) {
  th_match m;
  double sum = 0;
  float *x = (float *)(uintptr_t)data->store[1].samples, *out[2][3] = {{NULL}};
  FX_OK(th_match_find(TH_MATCH_ATTENTION, 1, student, teacher, &m));
  for (int i = 0; i < m.n; i++) {
    for (int side = 0; side < 2; side++) {
      th_graph *copy;
      FX_OK(th_graph_clone(side ? teacher : student, &copy));
      const int tensor = side ? m.pair[i].teacher : m.pair[i].student;
      const int64_t elems = th_shape_elems(&copy->tensors[tensor].shape);
      th_eval *eval;
      FX_OK(th_eval_open(copy, true, &eval));
      float answers[64 * 3], *to = answers;
      const float *from = x;
      FX_OK(th_eval_run_f32(eval, 64, &from, &to));
      out[side][i] = test_malloc((size_t)elems * 64 * sizeof(float));
      memcpy(out[side][i], th_eval_tensor(eval, tensor), (size_t)elems * 64 * sizeof(float));
      th_eval_close(eval);
      th_graph_destroy(copy);
    }
    m.pair[i].target = out[1][i];
    float *d = test_calloc((size_t)(64 * m.pair[i].positions * m.pair[i].channels), sizeof *d);
    sum += th_match_eval(&m, i, out[0][i], d, 0, 64, 64) / 64;
    test_free(d);
    for (int side = 0; side < 2; side++) test_free(out[side][i]);
  }
  return sum;
}

static void train(th_graph *g, const th_dataset *d, const th_graph *teacher, th_match_kind kind) {
  th_train_options o;
  th_train_defaults(&o);
  o.epochs = 6;
  o.batch = 32;
  o.teacher[0] = teacher;
  o.teachers = teacher != NULL;
  o.match = kind;
  o.match_weight = 1;
  FX_OK(th_train_run(g, d, &o, NULL));
}

static void a_matched_student_looks_where_its_teacher_looks(void **state) {
  th_dataset d = fx_dataset(256, 64, 3, 1.0f);
  th_graph *teacher = small_net(8, 3), *plain = small_net(4, 4), *matched = small_net(4, 4);
  train(teacher, &d, NULL, TH_MATCH_NONE);
  train(plain, &d, teacher, TH_MATCH_NONE);
  train(matched, &d, teacher, TH_MATCH_ATTENTION);
  const double without = distance(plain, teacher, &d), with = distance(matched, teacher, &d);
  if (!(with < 0.8 * without)) fail_msg("attention is %g away with matching, %g without", with, without);
  th_graph_destroy(teacher);
  th_graph_destroy(plain);
  th_graph_destroy(matched);
  fx_dataset_free(&d);
}

static void matching_needs_a_teacher(void **state) {
  th_dataset d = fx_dataset(64, 64, 3, 1.0f);
  th_graph *g = small_net(4, 1);
  th_train_options o;
  th_train_defaults(&o);
  o.match = TH_MATCH_ATTENTION;
  assert_int_equal(th_train_run(g, &d, &o, NULL), TH_ERR_INPUT);
  assert_non_null(strstr(th_error_message(), "teacher"));
  th_error_clear();
  th_graph_destroy(g);
  fx_dataset_free(&d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairs_are_the_last_of_a_size),
      cmocka_unit_test(dense_layers_have_no_attention),
      cmocka_unit_test(losses_are_those_of_the_definitions),
      cmocka_unit_test(nothing_is_learned_from_nothing),
      cmocka_unit_test(a_matched_student_looks_where_its_teacher_looks),
      cmocka_unit_test(matching_needs_a_teacher),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
