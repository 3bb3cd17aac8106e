/* What we read, write and compute against TFLite Micro and LiteRT, on 20 random inputs. First, a file read and written
 * again must give the same bytes as the original, in the peer itself. Second, our own evaluation of a file must give
 * the bytes of TFLite Micro's. Skips when the peers cannot be had. SPDX-License-Identifier: Apache-2.0 */
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
#include "read/arch.h"
#include "read/tflite.h"
#include "test_data.h"
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
  const char *dir = test_data();
  if (th_dir_exists(dir)) return dir;
  print_message("skipped: no folder %s with collected models (THIMBLE_TEST_DATA)\n", dir);
  skip();
  return NULL;
}

/* --- jobs for the peers: noted first, then run in one process --- */

static th_buf jobs;

/* File number `k` of a test in this test's folder: "<k>.<what>". */
static const char *file_of(th_arena *arena, size_t k, const char *what) {
  return th_arena_printf(arena, "%s/%zu.%s", folder, k, what);
}

static void note_job(const char *engine, const char *model, const char *output, const char *input) {
  th_buf_printf(&jobs, "%s\t%s\t%s\t%s\n", engine, model, output, input);
}

static void run_jobs(void) {
  char command[3000], list[600];
  snprintf(list, sizeof list, "%s/jobs", folder);
  assert_int_equal(th_file_write(list, jobs.data, jobs.size), TH_OK);
  th_buf_free(&jobs);
  snprintf(command, sizeof command, "'%s' '%s/tests/peers/run_tflite.py' --jobs '%s' 2>'%s/log'", python,
           THIMBLE_SOURCE_DIR, list, folder);
  if (system(command) != 0) fail_msg("a peer refuses a file, see the end of %s/log", folder);
}

static uint8_t *read_output(th_arena *arena, const char *path, size_t *size) {
  uint8_t *data;
  assert_int_equal(th_file_read(arena, path, TH_FILE_LIMIT, &data, size), TH_OK);
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
static void compare(const char *const *models, size_t n_models, const char *const engines[2]) {
  th_arena *arena = th_arena_create();
  for (size_t k = 0; k < n_models; ++k) {
    const char *original = th_arena_printf(arena, "%s/models/%s.tflite", shared(), models[k]);
    const char *ours = file_of(arena, k, "tflite"), *input = file_of(arena, k, "in");
    rewrite(original, ours, input);
    for (int e = 0; e < 2; ++e) {
      note_job(engines[e], original, file_of(arena, k, e ? "1.expected" : "0.expected"), input);
      note_job(engines[e], ours, file_of(arena, k, e ? "1.found" : "0.found"), input);
    }
  }
  run_jobs();
  for (size_t k = 0; k < n_models; ++k)
    for (int e = 0; e < 2; ++e) {
      size_t size, again;
      uint8_t *expected = read_output(arena, file_of(arena, k, e ? "1.expected" : "0.expected"), &size);
      uint8_t *found = read_output(arena, file_of(arena, k, e ? "1.found" : "0.found"), &again);
      assert_int_equal(size, again);
      assert_true(size >= SAMPLES);
      if (memcmp(expected, found, size) != 0) fail_msg("%s: %s gives other bytes for our file", models[k], engines[e]);
    }
  th_arena_destroy(arena);
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
  compare(models, sizeof models / sizeof models[0], engines);
}

static void float_models(void **state) {
  (void)state;
  static const char *const models[] = {"mlperf_tiny/ad01_fp32", "mlperf_tiny/pretrainedResnet",
                                       "tflm/hello_world_float", "tinymaix/mnist_dw_f", "tinymaix/vww96_f"};
  static const char *const engines[] = {"tflm", "litert"};
  need_python();
  compare(models, sizeof models / sizeof models[0], engines);
}

static void note_evaluation(th_arena *arena, size_t k, const char *path) {
  th_graph *g;
  if (th_read_tflite(path, &g) != TH_OK) fail_msg("%s", th_error_message());
  save_random_inputs(&g->tensors[g->inputs[0]], file_of(arena, k, "in"));
  note_job("tflm", path, file_of(arena, k, "expected"), file_of(arena, k, "in"));
  th_graph_destroy(g);
}

/* Float: the largest difference must stay below `tolerance`. */
static void compare_values(const char *what, th_dtype dtype, const void *expected, const void *found, size_t size,
                           float tolerance) {
  for (size_t i = 0; dtype == TH_DTYPE_F32 && i < size / 4; ++i) {
    float d = ((const float *)found)[i] - ((const float *)expected)[i];
    if (!(d < tolerance && d > -tolerance)) fail_msg("%s: value %zu differs by %g", what, i, (double)d);
  }
  for (size_t i = 0; dtype != TH_DTYPE_F32 && i < size; ++i) {
    int a = ((const int8_t *)found)[i], b = ((const int8_t *)expected)[i];
    if (a != b) fail_msg("%s: byte %zu is %d, TFLite Micro's %d", what, i, a, b);
  }
}

/* Our evaluation of `path` on the saved inputs against what TFLite Micro gave. */
static void check_evaluation(th_arena *arena, size_t k, const char *path, float tolerance) {
  th_graph *g;
  th_eval *eval;
  size_t x_size, size;
  if (th_read_tflite(path, &g) != TH_OK) fail_msg("%s", th_error_message());
  uint8_t *x = read_output(arena, file_of(arena, k, "in"), &x_size);
  uint8_t *expected = read_output(arena, file_of(arena, k, "expected"), &size);
  uint8_t *found = th_arena_alloc(arena, size);
  const th_tensor *y = &g->tensors[g->outputs[0]];
  assert_int_equal(size, SAMPLES * th_tensor_bytes(y));
  if (th_eval_open(g, false, &eval) != TH_OK) fail_msg("%s: %s", path, th_error_message());
  if (th_eval_run(eval, SAMPLES, (const void *const[]){x}, (void *const[]){found}) != TH_OK)
    fail_msg("%s: %s", path, th_error_message());
  compare_values(path, y->dtype, expected, found, size, tolerance);
  th_eval_close(eval);
  th_graph_destroy(g);
}

static void evaluation_of_models(void **state) {
  (void)state;
  static const struct {
    const char *model;
    float tolerance;
  } models[] = {{"mlperf_tiny/ad01_int8", 0},
                {"mlperf_tiny/pretrainedResnet_quant", 0},
                {"mlperf_tiny/kws_ref_model", 0},
                {"mlperf_tiny/str_ww_ref_model", 0},
                {"mlperf_tiny/vww_96_int8", 0},
                {"tflm/hello_world_int8", 0},
                {"tflm/micro_speech_quantized", 0},
                {"tinymaix/mnist_arduino_q", 0},
                {"tinymaix/mnist_dw_q", 0},
                {"tinymaix/cifar10_q", 0},
                {"tinymaix/vww96_q", 0},
                {"mlperf_tiny/pretrainedResnet", 1e-4f},
                {"tflm/hello_world_float", 1e-5f},
                {"tinymaix/mnist_dw_f", 1e-5f},
                {"mlperf_tiny/vww_96_float", 1e-4f},
                {"mlperf_tiny/ad01_fp32", 1e-3f}};
  need_python();
  enum { MODELS = sizeof models / sizeof models[0] };
  const char *dir = shared(), *path[MODELS];
  th_arena *arena = th_arena_create();
  for (size_t k = 0; k < MODELS; ++k) {
    path[k] = th_arena_printf(arena, "%s/models/%s.tflite", dir, models[k].model);
    note_evaluation(arena, k, path[k]);
  }
  run_jobs();
  for (size_t k = 0; k < MODELS; ++k) check_evaluation(arena, k, path[k], models[k].tolerance);
  th_arena_destroy(arena);
}

/* Pseudo-random constants for graphs written as text: the hash says which stream. */
static const void *noise(void *user, uint64_t hash, size_t bytes) {
  th_arena *arena = user;
  uint8_t *data = th_arena_alloc(arena, bytes);
  th_rng rng = th_rng_init(4, hash);
  for (size_t i = 0; data && i < bytes; ++i) data[i] = (uint8_t)th_rng_u64(&rng);
  return data;
}

/* Operators, paddings, strides, groups and fused activations that the collected models do not have. */
static void evaluation_of_operators(void **state) {
  (void)state;
  static const char *const graphs[] = {
      "graph odd_padding\ninput %x s8 1x7x6x3 q(0.02,-11)\nconst %w s8 4x3x2x3 q(0.003,0) = #1\n"
      "const %b s32 4 = {1000 -2000 30 0}\n"
      "node c = conv2d(%x %w %b) -> %y s8 1x5x5x4 q(0.03,5) {kernel_y=3 kernel_x=2 stride_y=2 pad_top=3 pad_left=0 "
      "pad_right=0 pad_bottom=1 activation=relu6}\noutput %y\n",
      "graph groups\ninput %x s8 1x6x6x4 q(0.05,3)\nconst %w s8 6x3x3x2 q[0](0.01,0 0.02,0 0.004,0 0.01,0 0.03,0 "
      "0.002,0) = #2\nnode c = conv2d(%x %w -) -> %y s8 1x6x6x6 q(0.2,-7) {kernel_y=3 kernel_x=3 groups=2 pad_top=1 "
      "pad_left=1 pad_right=1 pad_bottom=1}\noutput %y\n",
      "graph dilated\ninput %x s8 1x9x9x2 q(0.05,3)\nconst %w s8 1x3x3x4 q[3](0.01,0 0.02,0 0.004,0 0.01,0) = #3\n"
      "node c = depthwise_conv2d(%x %w -) -> %y s8 1x5x5x4 q(0.1,20) {kernel_y=3 kernel_x=3 dilation_y=2 dilation_x=2 "
      "activation=relu}\noutput %y\n",
      "graph pools\ninput %x s8 1x8x8x3 q(0.05,3)\n"
      "node m = max_pool2d(%x) -> %a s8 1x4x4x3 q(0.05,3) {kernel_y=3 kernel_x=3 stride_y=2 stride_x=2 pad_bottom=1 "
      "pad_right=1}\nnode v = avg_pool2d(%a) -> %y s8 1x4x4x3 q(0.05,3) {kernel_y=3 kernel_x=3 pad_top=1 pad_left=1 "
      "pad_bottom=1 pad_right=1}\noutput %y\n",
      "graph unary\ninput %x s8 1x40 q(0.05,3)\nnode a = leaky_relu(%x) -> %a s8 1x40 q(0.04,-20) {alpha=0.2}\n"
      "node b = hard_swish(%a) -> %b s8 1x40 q(0.03,-30)\nnode c = tanh(%b) -> %c s8 1x40 q(0.0078125,0)\n"
      "node d = sigmoid(%c) -> %d s8 1x40 q(0.00390625,-128)\nnode e = relu(%d) -> %y s8 1x40 q(0.004,-128)\n"
      "output %y\n",
      "graph arithmetic\ninput %x s8 1x3x4x2 q(0.05,3)\nnode s = sigmoid(%x) -> %s s8 1x3x4x2 q(0.00390625,-128)\n"
      "node a = add(%x %s) -> %a s8 1x3x4x2 q(0.06,-2) {activation=relu}\n"
      "node b = sub(%a %x) -> %b s8 1x3x4x2 q(0.05,3)\nnode m = mul(%b %s) -> %m s8 1x3x4x2 q(0.05,3)\n"
      "node c = concat(%m %b %x) -> %c s8 1x3x4x6 q(0.05,3) {axis=3}\noutput %c\n",
      "graph shape\ninput %x s8 1x3x4x2 q(0.05,3)\nconst %p s32 4x2 = {0 0 1 2 0 1 0 0}\n"
      "node p = pad(%x %p) -> %p1 s8 1x6x5x2 q(0.05,3)\nnode g = global_avg_pool(%p1) -> %y s8 1x2 q(0.04,-5)\n"
      "output %y\n",
      "graph float\ninput %x f32 1x5x5x2\nconst %w f32 3x2x2x2 = {.1 .2 -.3 .4 .5 -.6 .7 .8 -.9 1 .1 .2 .3 .4 .5 .6 .7 "
      ".8 -.1 -.2 -.3 .4 .5 .6}\nconst %b f32 3 = {.1 -.2 .3}\n"
      "node c = conv2d(%x %w %b) -> %c f32 1x5x7x3 {kernel_y=2 kernel_x=2 pad_top=1 pad_left=2 pad_right=1}\n"
      "node h = hard_swish(%c) -> %h f32 1x5x7x3\nnode g = global_avg_pool(%h) -> %g f32 1x3\n"
      "node s = softmax(%g) -> %y f32 1x3\noutput %y\n",
  };
  need_python();
  enum { GRAPHS = sizeof graphs / sizeof graphs[0] };
  th_arena *arena = th_arena_create();
  for (size_t k = 0; k < GRAPHS; ++k) {
    th_graph *g;
    th_buf file = {0};
    if (th_graph_parse(graphs[k], strlen(graphs[k]), "graph", noise, arena, &g) != TH_OK || th_op_infer_all(g) != TH_OK)
      fail_msg("%.20s: %s", graphs[k], th_error_message());
    if (th_write_tflite(g, &file) != TH_OK) fail_msg("%.20s: %s", graphs[k], th_error_message());
    assert_int_equal(th_file_write(file_of(arena, k, "tflite"), file.data, file.size), TH_OK);
    note_evaluation(arena, k, file_of(arena, k, "tflite"));
    th_buf_free(&file);
    th_graph_destroy(g);
  }
  run_jobs();
  for (size_t k = 0; k < GRAPHS; ++k) check_evaluation(arena, k, file_of(arena, k, "tflite"), 1e-5f);
  th_arena_destroy(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(int8_models),
      cmocka_unit_test(float_models),
      cmocka_unit_test(evaluation_of_models),
      cmocka_unit_test(evaluation_of_operators),
  };
  return cmocka_run_group_tests(tests, find_python, NULL);
}
