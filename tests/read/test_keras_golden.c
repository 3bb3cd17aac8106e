/* Models that Keras itself has made, in both containers and both dialects, against what Keras computes. The files come
 * from tests/peers/make_keras_models.py (Keras 2.15 on TensorFlow, Keras 3.15 on JAX); THIMBLE_KERAS_MODELS names
 * another folder of such files. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"
#include "eval/eval.h"
#include "format/gzip.h"
#include "op/op.h"
#include "read/read.h"
#include "test_data.h"

enum { SAMPLES = 2, MAX_PORTS = 64 };

static const char *folder(void) {
  const char *given = getenv("THIMBLE_KERAS_MODELS");
  return given ? given : THIMBLE_SOURCE_DIR "/tests/read/data/keras";
}

static uint8_t *load(th_arena *arena, const char *path, size_t *size) {
  uint8_t *data;
  if (th_file_read(arena, path, TH_FILE_LIMIT, &data, size) != TH_OK) fail_msg("%s", th_error_message());
  if (th_gzip_probe(data, *size) && th_gzip_inflate(arena, data, *size, TH_FILE_LIMIT, path, &data, size) != TH_OK)
    fail_msg("%s", th_error_message());
  return data;
}

static th_graph *read_graph(th_arena *arena, const char *path) {
  th_graph *g;
  size_t size;
  uint8_t *data = load(arena, path, &size);
  const th_model_reader *reader = th_model_reader_find(data, size);
  assert_non_null(reader);
  assert_string_equal(reader->format, "keras");
  if (reader->read(data, size, path, &g) != TH_OK || th_op_infer_all(g) != TH_OK) fail_msg("%s", th_error_message());
  return g;
}

/* Where each port's samples lie in a file of all of them. */
static size_t spread(const th_graph *g, const int *ids, int n, uint8_t *base, void **at) {
  size_t bytes = 0;
  for (int i = 0; i < n; i++) {
    at[i] = base + bytes;
    bytes += SAMPLES * th_tensor_bytes(&g->tensors[ids[i]]);
  }
  return bytes;
}

/* Relative to the largest value of the output: one rounding of each term of a sum is in it. */
static void compare(const char *path, const char *tensor, const float *expected, const float *found, int64_t n) {
  float largest = 1e-3f;
  for (int64_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(expected[i]));
  for (int64_t i = 0; i < n; i++)
    if (!(fabsf(found[i] - expected[i]) <= 1e-5f * largest))
      fail_msg("%s: %s value %lld is %.9g, Keras has %.9g", path, tensor, (long long)i, (double)found[i],
               (double)expected[i]);
}

static void check(th_arena *arena, const char *path) {
  void *in[MAX_PORTS], *out[MAX_PORTS], *found[MAX_PORTS];
  size_t in_size, out_size;
  th_eval *eval;
  th_graph *g = read_graph(arena, path);
  const char *stem = th_arena_printf(arena, "%.*s", (int)(strstr(th_path_base(path), ".") - path), path);
  uint8_t *x = load(arena, th_arena_printf(arena, "%s.in", stem), &in_size);
  uint8_t *y = load(arena, th_arena_printf(arena, "%s.out", stem), &out_size);
  assert_true(g->n_inputs <= MAX_PORTS && g->n_outputs <= MAX_PORTS);
  assert_int_equal(spread(g, g->inputs, g->n_inputs, x, in), in_size);
  assert_int_equal(spread(g, g->outputs, g->n_outputs, y, out), out_size);
  spread(g, g->outputs, g->n_outputs, th_arena_alloc(arena, out_size), found);
  if (th_eval_open(g, false, &eval) != TH_OK) fail_msg("%s: %s", path, th_error_message());
  if (th_eval_run(eval, SAMPLES, (const void *const *)in, found) != TH_OK) fail_msg("%s: %s", path, th_error_message());
  for (int i = 0; i < g->n_outputs; i++) {
    const th_tensor *t = &g->tensors[g->outputs[i]];
    compare(path, t->name, out[i], found[i], SAMPLES * th_shape_elems(&t->shape));
  }
  th_eval_close(eval);
  th_graph_destroy(g);
}

static void models_of_keras(void **state) {
  (void)state;
  char **names;
  int n, seen = 0;
  th_arena *arena = th_arena_create();
  assert_int_equal(th_dir_list(arena, folder(), &names, &n), TH_OK);
  for (int i = 0; i < n; i++) {
    if (th_str_ends(names[i], ".in") || th_str_ends(names[i], ".out")) continue;
    check(arena, th_path_join(arena, folder(), names[i]));
    seen++;
  }
  print_message("%d models agree\n", seen);
  assert_true(seen >= 20);
  th_arena_destroy(arena);
}

/* The collected models: value i of the input is (2654435761 i mod 2^32) / 2^32; what they give was computed by
 * Keras 2.15 (make_keras_models.py --run). */
static void collected_models(void **state) {
  (void)state;
  static const char *const models[] = {"mlperf_tiny/pretrainedResnet",
                                       "mlperf_tiny/str_ww_ref_model",
                                       "mlperf_tiny/vww_96",
                                       "tinymaix/mnist_arduino",
                                       "tinymaix/mnist_dw",
                                       "tinymaix/mnist_fc",
                                       "tinymaix/mnist_rect",
                                       "tinymaix/mnist_valid",
                                       "tinymaix/cifar10"};
  const char *dir = test_data();
  if (!th_dir_exists(dir)) {
    print_message("skipped: no folder %s with collected models (THIMBLE_TEST_DATA)\n", dir);
    skip();
  }
  th_arena *arena = th_arena_create();
  for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
    size_t size;
    th_eval *eval;
    th_graph *g = read_graph(arena, th_arena_printf(arena, "%s/models/%s.h5", dir, models[m]));
    const th_tensor *in = &g->tensors[g->inputs[0]], *out = &g->tensors[g->outputs[0]];
    int64_t n = SAMPLES * th_shape_elems(&in->shape);
    float *x = TH_ARRAY(arena, float, n);
    for (int64_t i = 0; i < n; i++) x[i] = (float)((double)((uint32_t)i * 2654435761u) / 4294967296.0);
    const float *expected = (const float *)load(
        arena,
        th_arena_printf(arena, "%s/tests/read/data/keras_models/%s.out", THIMBLE_SOURCE_DIR, th_path_base(models[m])),
        &size);
    assert_int_equal(size, SAMPLES * th_tensor_bytes(out));
    float *found = th_arena_alloc(arena, size);
    if (th_eval_open(g, false, &eval) != TH_OK) fail_msg("%s: %s", models[m], th_error_message());
    assert_int_equal(th_eval_run(eval, SAMPLES, (const void *const[]){x}, (void *const[]){found}), TH_OK);
    compare(models[m], out->name, expected, found, SAMPLES * th_shape_elems(&out->shape));
    th_eval_close(eval);
    th_graph_destroy(g);
  }
  th_arena_destroy(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(models_of_keras), cmocka_unit_test(collected_models)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
