/* Keras models and their float .tflite twins, converted by TensorFlow from the same weights: ours of the .h5, ours of
 * the .tflite and LiteRT's of the .tflite must agree on random inputs. The twins have batch norm folded into their
 * weights, which rounds anew, hence a tolerance of 2e-5 of the largest output. Skips when the peer cannot be had.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "eval/eval.h"
#include "op/op.h"
#include "read/read.h"
#include "test_data.h"

enum { SAMPLES = 10 };

static const struct {
  const char *keras, *tflite;
} twins[] = {
    {"mlperf_tiny/pretrainedResnet.h5", "mlperf_tiny/pretrainedResnet.tflite"},
    {"mlperf_tiny/vww_96.h5", "mlperf_tiny/vww_96_float.tflite"},
    {"tinymaix/mnist_dw.h5", "tinymaix/mnist_dw_f.tflite"},
    {"tinymaix/mnist_valid.h5", "tinymaix/mnist_valid_f.tflite"},
    {"tinymaix/cifar10.h5", "tinymaix/cifar10_f.tflite"},
};
enum { TWINS = sizeof twins / sizeof twins[0] };

static char python[512], folder[512];

static int find_python(void **state) {
  (void)state;
  char command[1024];
  snprintf(folder, sizeof folder, "%s/keras_peer", THIMBLE_BINARY_DIR);
  if (th_dir_create(folder) != TH_OK) return -1;
  snprintf(command, sizeof command, "'%s/tests/peers/venv.sh' '%s'", THIMBLE_SOURCE_DIR, THIMBLE_BINARY_DIR);
  FILE *pipe = popen(command, "r");
  if (!pipe) return -1;
  if (fgets(python, sizeof python, pipe)) python[strcspn(python, "\n")] = 0;
  int status = pclose(pipe);
  if (!WIFEXITED(status)) return -1;
  if (WEXITSTATUS(status) == 77) python[0] = 0; /* the script has said why */
  return WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77 ? 0 : -1;
}

static th_graph *read_graph(th_arena *arena, const char *path) {
  th_graph *g;
  size_t size;
  uint8_t *data;
  if (th_file_read(arena, path, TH_FILE_LIMIT, &data, &size) != TH_OK) fail_msg("%s", th_error_message());
  const th_model_reader *reader = th_model_reader_find(data, size);
  assert_non_null(reader);
  if (reader->read(data, size, path, &g) != TH_OK || th_op_infer_all(g) != TH_OK) fail_msg("%s", th_error_message());
  return g;
}

/* What we compute; `n` receives the number of values. */
static float *evaluate(th_arena *arena, const char *path, const float *x, int64_t *n) {
  th_eval *eval;
  th_graph *g = read_graph(arena, path);
  *n = SAMPLES * th_shape_elems(&g->tensors[g->outputs[0]].shape);
  float *y = TH_ARRAY(arena, float, *n);
  if (th_eval_open(g, false, &eval) != TH_OK) fail_msg("%s: %s", path, th_error_message());
  assert_int_equal(th_eval_run(eval, SAMPLES, (const void *const[]){x}, (void *const[]){y}), TH_OK);
  th_eval_close(eval);
  th_graph_destroy(g);
  return y;
}

static const float *save_input(th_arena *arena, const char *model, const char *path) {
  th_graph *g = read_graph(arena, model);
  int64_t n = SAMPLES * th_shape_elems(&g->tensors[g->inputs[0]].shape);
  float *x = TH_ARRAY(arena, float, n);
  th_rng rng = th_rng_init(2026, 3);
  for (int64_t i = 0; i < n; i++) x[i] = th_rng_uniform(&rng);
  assert_int_equal(th_file_write(path, x, (size_t)n * sizeof *x), TH_OK);
  th_graph_destroy(g);
  return x;
}

static void compare(const char *what, const float *expected, const float *found, int64_t n) {
  float largest = 0, worst = 0;
  for (int64_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(expected[i]));
  for (int64_t i = 0; i < n; i++) worst = fmaxf(worst, fabsf(found[i] - expected[i]));
  if (!(worst <= 2e-5f * largest)) fail_msg("%s: differs by %g of %g", what, (double)worst, (double)largest);
}

static void twins_agree(void **state) {
  (void)state;
  const char *dir = test_data();
  const float *x[TWINS];
  th_buf jobs = {0};
  if (!th_dir_exists(dir)) print_message("skipped: no folder %s with collected models (THIMBLE_TEST_DATA)\n", dir);
  if (!python[0] || !th_dir_exists(dir)) skip();
  th_arena *arena = th_arena_create();
  for (int k = 0; k < TWINS; k++) {
    const char *model = th_arena_printf(arena, "%s/models/%s", dir, twins[k].tflite);
    const char *in = th_arena_printf(arena, "%s/%d.in", folder, k);
    x[k] = save_input(arena, model, in);
    th_buf_printf(&jobs, "litert\t%s\t%s/%d.out\t%s\n", model, folder, k, in);
  }
  char *list = th_arena_printf(arena, "%s/jobs", folder);
  assert_int_equal(th_file_write(list, jobs.data, jobs.size), TH_OK);
  th_buf_free(&jobs);
  char *command = th_arena_printf(arena, "'%s' '%s/tests/peers/run_tflite.py' --jobs '%s' 2>'%s/log'", python,
                                  THIMBLE_SOURCE_DIR, list, folder);
  if (system(command) != 0) fail_msg("LiteRT refuses a file, see the end of %s/log", folder);
  for (int k = 0; k < TWINS; k++) {
    uint8_t *expected;
    size_t size;
    int64_t n, m;
    const char *out = th_arena_printf(arena, "%s/%d.out", folder, k);
    assert_int_equal(th_file_read(arena, out, TH_FILE_LIMIT, &expected, &size), TH_OK);
    float *keras = evaluate(arena, th_arena_printf(arena, "%s/models/%s", dir, twins[k].keras), x[k], &n);
    float *tflite = evaluate(arena, th_arena_printf(arena, "%s/models/%s", dir, twins[k].tflite), x[k], &m);
    assert_true(n == m && size == (size_t)n * sizeof(float));
    compare(twins[k].keras, (const float *)expected, keras, n);
    compare(twins[k].tflite, (const float *)expected, tflite, n);
  }
  th_arena_destroy(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(twins_agree)};
  return cmocka_run_group_tests(tests, find_python, NULL);
}
