/* What we read and write again must compute the same in TFLite Micro, byte for byte, and run in LiteRT: 20 random
 * inputs through the original file and through ours, in the peer itself. Skips when the peers cannot be had.
 * SPDX-License-Identifier: Apache-2.0 */
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
#include "op/op.h"
#include "read/arch.h"
#include "read/tflite.h"
#include "write/tflite.h"

enum { SAMPLES = 20 };

static char python[512], folder[512];

static int find_python(void **state) {
  (void)state;
  char command[1024];
  snprintf(folder, sizeof folder, "%s/tflite_peer", THIMBLE_BINARY_DIR);
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

static void need_python(void) {
  if (!python[0]) skip();
}

static const char *shared(void) {
  const char *dir = getenv("THIMBLE_TEST_DATA");
  if (!dir) dir = THIMBLE_SOURCE_DIR "/../shared/data";
  if (th_dir_exists(dir)) return dir;
  print_message("skipped: no folder %s with collected models (THIMBLE_TEST_DATA)\n", dir);
  skip();
  return NULL;
}

/* Runs `model` in `engine` on the file of inputs; the output's bytes live in `arena`. */
static uint8_t *run_peer(th_arena *arena, const char *engine, const char *model, const char *input, size_t *size) {
  char command[4096], output[600];
  uint8_t *data;
  snprintf(output, sizeof output, "%s/out.bin", folder);
  snprintf(command, sizeof command, "'%s' '%s/tests/peers/run_tflite.py' %s '%s' '%s' '%s' 2>'%s/log'", python,
           THIMBLE_SOURCE_DIR, engine, model, output, input, folder);
  if (system(command) != 0) fail_msg("%s refuses %s, see %s/log", engine, model, folder);
  assert_int_equal(th_file_read(arena, output, TH_FILE_LIMIT, &data, size), TH_OK);
  return data;
}

static void save_random_inputs(const th_tensor *x, const char *path) {
  th_buf b = {0};
  th_rng rng = th_rng_init(2026, 1);
  int64_t n = SAMPLES * th_shape_elems(&x->shape);
  for (int64_t i = 0; i < n; ++i) {
    if (x->dtype == TH_DTYPE_F32)
      th_buf_f32(&b, th_rng_uniform(&rng));
    else
      th_buf_u8(&b, (uint8_t)th_rng_u64(&rng));
  }
  assert_int_equal(th_file_write(path, b.data, b.size), TH_OK);
  th_buf_free(&b);
}

static void rewrite(const char *from, const char *to, const char *input) {
  th_graph *g;
  th_buf file = {0};
  if (th_read_tflite(from, &g) != TH_OK) fail_msg("%s", th_error_message());
  if (th_write_tflite(g, &file) != TH_OK) fail_msg("%s: %s", from, th_error_message());
  assert_int_equal(th_file_write(to, file.data, file.size), TH_OK);
  save_random_inputs(&g->tensors[g->inputs[0]], input);
  th_buf_free(&file);
  th_graph_destroy(g);
}

/* In the same engine the original and the rewritten file must give the same bytes. */
static void compare(const char *model, const char *const *engines, int n_engines) {
  char original[512], ours[600], input[600];
  snprintf(original, sizeof original, "%s/models/%s.tflite", shared(), model);
  snprintf(ours, sizeof ours, "%s/ours.tflite", folder);
  snprintf(input, sizeof input, "%s/in.bin", folder);
  rewrite(original, ours, input);
  for (int e = 0; e < n_engines; ++e) {
    th_arena *arena = th_arena_create();
    size_t size, again;
    uint8_t *expected = run_peer(arena, engines[e], original, input, &size);
    uint8_t *found = run_peer(arena, engines[e], ours, input, &again);
    assert_int_equal(size, again);
    assert_true(size >= SAMPLES);
    if (memcmp(expected, found, size) != 0) fail_msg("%s: %s gives other bytes for our file", model, engines[e]);
    th_arena_destroy(arena);
  }
}

static void int8_models(void **state) {
  (void)state;
  static const char *const models[] = {"mlperf_tiny/ad01_int8",
                                       "mlperf_tiny/pretrainedResnet_quant",
                                       "mlperf_tiny/kws_ref_model",
                                       "mlperf_tiny/str_ww_ref_model",
                                       "mlperf_tiny/vww_96_int8",
                                       "tflm/hello_world_int8",
                                       "tflm/micro_speech_quantized",
                                       "tinymaix/mnist_arduino_q",
                                       "tinymaix/mnist_dw_q",
                                       "tinymaix/mnist_rect_q",
                                       "tinymaix/mnist_valid_q",
                                       "tinymaix/cifar10_q",
                                       "tinymaix/vww96_q"};
  static const char *const engines[] = {"tflm", "litert-ref"};
  need_python();
  for (size_t i = 0; i < sizeof models / sizeof models[0]; ++i) compare(models[i], engines, 2);
}

static void float_models(void **state) {
  (void)state;
  static const char *const models[] = {"mlperf_tiny/ad01_fp32", "mlperf_tiny/pretrainedResnet",
                                       "tflm/hello_world_float", "tinymaix/mnist_dw_f", "tinymaix/vww96_f"};
  static const char *const engines[] = {"tflm", "litert"};
  need_python();
  for (size_t i = 0; i < sizeof models / sizeof models[0]; ++i) compare(models[i], engines, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(int8_models),
      cmocka_unit_test(float_models),
  };
  return cmocka_run_group_tests(tests, find_python, NULL);
}
