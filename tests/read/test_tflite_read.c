/* Reading .tflite: the collected models and single-operator files, refusals, truncated and damaged files.
 *
 * What a model holds (operators) is stated by those who collected it, independently of this reader.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "op/op.h"
#include "read/tflite.h"
#include "test_data.h"
#include "write/tflite.h"

static const char *shared(void) {
  const char *dir = test_data();
  if (th_dir_exists(dir)) return dir;
  print_message("skipped: no folder %s with collected models (THIMBLE_TEST_DATA)\n", dir);
  skip();
  return NULL;
}

typedef struct content {
  th_op_id op;
  int count;
} content;

static const struct {
  const char *file, *input, *output;
  th_dtype dtype;
  content ops[8];
} models[] = {
    {"mlperf_tiny/ad01_fp32", "1x640", "1x640", TH_DTYPE_F32, {{TH_OP_FULLY_CONNECTED, 10}}},
    {"mlperf_tiny/ad01_int8", "1x640", "1x640", TH_DTYPE_S8, {{TH_OP_FULLY_CONNECTED, 10}}},
    {"mlperf_tiny/pretrainedResnet",
     "1x32x32x3",
     "1x10",
     TH_DTYPE_F32,
     {{TH_OP_CONV2D, 9},
      {TH_OP_ADD, 3},
      {TH_OP_AVG_POOL2D, 1},
      {TH_OP_RESHAPE, 1},
      {TH_OP_FULLY_CONNECTED, 1},
      {TH_OP_SOFTMAX, 1}}},
    {"mlperf_tiny/pretrainedResnet_quant",
     "1x32x32x3",
     "1x10",
     TH_DTYPE_S8,
     {{TH_OP_CONV2D, 9},
      {TH_OP_ADD, 3},
      {TH_OP_AVG_POOL2D, 1},
      {TH_OP_RESHAPE, 1},
      {TH_OP_FULLY_CONNECTED, 1},
      {TH_OP_SOFTMAX, 1}}},
    {"mlperf_tiny/kws_ref_model",
     "1x49x10x1",
     "1x12",
     TH_DTYPE_S8,
     {{TH_OP_CONV2D, 5},
      {TH_OP_DEPTHWISE_CONV2D, 4},
      {TH_OP_AVG_POOL2D, 1},
      {TH_OP_RESHAPE, 1},
      {TH_OP_FULLY_CONNECTED, 1},
      {TH_OP_SOFTMAX, 1}}},
    {"mlperf_tiny/kws_ref_model_float32",
     "1x49x10x1",
     "1x12",
     TH_DTYPE_F32,
     {{TH_OP_CONV2D, 5},
      {TH_OP_DEPTHWISE_CONV2D, 4},
      {TH_OP_AVG_POOL2D, 1},
      {TH_OP_RESHAPE, 1},
      {TH_OP_FULLY_CONNECTED, 1},
      {TH_OP_SOFTMAX, 1}}},
    {"mlperf_tiny/str_ww_ref_model",
     "1x30x1x40",
     "1x3",
     TH_DTYPE_S8,
     {{TH_OP_CONV2D, 4},
      {TH_OP_DEPTHWISE_CONV2D, 4},
      {TH_OP_RESHAPE, 1},
      {TH_OP_FULLY_CONNECTED, 1},
      {TH_OP_SOFTMAX, 1}}},
    {"mlperf_tiny/vww_96_float",
     "1x96x96x3",
     "1x2",
     TH_DTYPE_F32,
     {{TH_OP_CONV2D, 14},
      {TH_OP_DEPTHWISE_CONV2D, 13},
      {TH_OP_AVG_POOL2D, 1},
      {TH_OP_RESHAPE, 1},
      {TH_OP_FULLY_CONNECTED, 1},
      {TH_OP_SOFTMAX, 1}}},
    {"mlperf_tiny/vww_96_int8",
     "1x96x96x3",
     "1x2",
     TH_DTYPE_S8,
     {{TH_OP_CONV2D, 14},
      {TH_OP_DEPTHWISE_CONV2D, 13},
      {TH_OP_AVG_POOL2D, 1},
      {TH_OP_RESHAPE, 1},
      {TH_OP_FULLY_CONNECTED, 1},
      {TH_OP_SOFTMAX, 1}}},
    {"tflm/hello_world_float", "1x1", "1x1", TH_DTYPE_F32, {{TH_OP_FULLY_CONNECTED, 3}}},
    {"tflm/hello_world_int8", "1x1", "1x1", TH_DTYPE_S8, {{TH_OP_FULLY_CONNECTED, 3}}},
    {"tflm/micro_speech_quantized",
     "1x1960",
     "1x4",
     TH_DTYPE_S8,
     {{TH_OP_RESHAPE, 1}, {TH_OP_DEPTHWISE_CONV2D, 1}, {TH_OP_FULLY_CONNECTED, 1}, {TH_OP_SOFTMAX, 1}}},
    {"tinymaix/mnist_arduino_q",
     "1x28x28x1",
     "1x10",
     TH_DTYPE_S8,
     {{TH_OP_CONV2D, 3}, {TH_OP_MEAN, 1}, {TH_OP_FULLY_CONNECTED, 1}, {TH_OP_SOFTMAX, 1}}},
    {"tinymaix/mnist_dw_f",
     "1x28x28x1",
     "1x10",
     TH_DTYPE_F32,
     {{TH_OP_CONV2D, 2}, {TH_OP_DEPTHWISE_CONV2D, 2}, {TH_OP_MEAN, 1}, {TH_OP_FULLY_CONNECTED, 1}, {TH_OP_SOFTMAX, 1}}},
    {"tinymaix/mnist_dw_q",
     "1x28x28x1",
     "1x10",
     TH_DTYPE_S8,
     {{TH_OP_CONV2D, 2}, {TH_OP_DEPTHWISE_CONV2D, 2}, {TH_OP_MEAN, 1}, {TH_OP_FULLY_CONNECTED, 1}, {TH_OP_SOFTMAX, 1}}},
    {"tinymaix/mnist_rect_q",
     "1x28x28x1",
     "1x10",
     TH_DTYPE_S8,
     {{TH_OP_CONV2D, 3}, {TH_OP_MEAN, 1}, {TH_OP_FULLY_CONNECTED, 1}, {TH_OP_SOFTMAX, 1}}},
    {"tinymaix/mnist_valid_f",
     "1x28x28x1",
     "1x10",
     TH_DTYPE_F32,
     {{TH_OP_CONV2D, 3}, {TH_OP_MEAN, 1}, {TH_OP_FULLY_CONNECTED, 1}, {TH_OP_SOFTMAX, 1}}},
    {"tinymaix/mnist_valid_q",
     "1x28x28x1",
     "1x10",
     TH_DTYPE_S8,
     {{TH_OP_CONV2D, 3}, {TH_OP_MEAN, 1}, {TH_OP_FULLY_CONNECTED, 1}, {TH_OP_SOFTMAX, 1}}},
    {"tinymaix/cifar10_f",
     "1x32x32x3",
     "1x10",
     TH_DTYPE_F32,
     {{TH_OP_CONV2D, 3}, {TH_OP_RESHAPE, 1}, {TH_OP_FULLY_CONNECTED, 1}, {TH_OP_SOFTMAX, 1}}},
    {"tinymaix/cifar10_q",
     "1x32x32x3",
     "1x10",
     TH_DTYPE_S8,
     {{TH_OP_CONV2D, 3}, {TH_OP_RESHAPE, 1}, {TH_OP_FULLY_CONNECTED, 1}, {TH_OP_SOFTMAX, 1}}},
    {"tinymaix/vww96_f",
     "1x96x96x3",
     "1x2",
     TH_DTYPE_F32,
     {{TH_OP_CONV2D, 15}, {TH_OP_DEPTHWISE_CONV2D, 13}, {TH_OP_MEAN, 1}, {TH_OP_SOFTMAX, 1}}},
    {"tinymaix/vww96_q",
     "1x96x96x3",
     "1x2",
     TH_DTYPE_S8,
     {{TH_OP_CONV2D, 15}, {TH_OP_DEPTHWISE_CONV2D, 13}, {TH_OP_MEAN, 1}, {TH_OP_SOFTMAX, 1}}},
};
enum { MODELS = sizeof models / sizeof models[0] };

static void check_model(const th_graph *g, size_t m) {
  char text[TH_SHAPE_TEXT];
  const th_tensor *x = &g->tensors[g->inputs[0]], *y = &g->tensors[g->outputs[0]];
  assert_string_equal(th_shape_text(&x->shape, text), models[m].input);
  assert_string_equal(th_shape_text(&y->shape, text), models[m].output);
  assert_int_equal(x->dtype, models[m].dtype);
  int total = 0, expected = 0;
  for (const content *c = models[m].ops; c->count; ++c) {
    int found = 0;
    for (int i = 0; i < g->n_nodes; ++i) found += !g->nodes[i].dead && g->nodes[i].op == c->op;
    if (found != c->count) fail_msg("%s: %d %s, expected %d", models[m].file, found, th_op_name(c->op), c->count);
    expected += c->count;
  }
  for (int i = 0; i < g->n_nodes; ++i) total += !g->nodes[i].dead;
  assert_int_equal(total, expected);
  for (int i = 0; i < g->n_tensors; ++i) {
    const th_tensor *t = &g->tensors[i];
    if (models[m].dtype == TH_DTYPE_F32) assert_true(t->dtype == TH_DTYPE_F32 && t->quant.count == 0);
    if (t->dtype == TH_DTYPE_S8) assert_true(t->quant.count > 0);
  }
  assert_int_equal(th_graph_verify(g), TH_OK);
}

static void all_models(void **state) {
  (void)state;
  const char *dir = shared();
  for (size_t m = 0; m < MODELS; ++m) {
    char path[512];
    th_graph *g;
    snprintf(path, sizeof path, "%s/models/%s.tflite", dir, models[m].file);
    if (th_read_tflite(path, &g) != TH_OK) fail_msg("%s", th_error_message());
    check_model(g, m);
    th_graph_destroy(g);
  }
}

/* A file of one NEG whose operator code (59, once narrow and once wide) is made that of FLOOR_MOD. */
static void unsupported_operators(void **state) {
  (void)state;
  static const char text[] = "graph one\ninput %x f32 1x4\nnode n = neg(%x) -> %y f32 1x4\noutput %y\n";
  th_graph *g, *again;
  th_buf file = {0};
  assert_int_equal(th_graph_parse(text, sizeof text - 1, "text", NULL, NULL, &g), TH_OK);
  assert_int_equal(th_write_tflite(g, &file), TH_OK);
  int changed = 0;
  for (size_t i = 0; i < file.size; ++i)
    if (file.data[i] == 59) file.data[i] = 95, ++changed;
  assert_int_equal(changed, 2);
  assert_int_equal(th_read_tflite_bytes(file.data, file.size, "one.tflite", &again), TH_ERR_INPUT);
  assert_null(again);
  assert_string_equal(th_error_message(),
                      "one.tflite: operator 0: FLOOR_MOD (code 95) is not supported (it makes tensor y)");
  th_error_clear();
  th_buf_free(&file);
  th_graph_destroy(g);
}

/* Weight-only quantization: the weights of the float model must be those of the int8 one it stems from, widened. */
static void weights_become_float(void **state) {
  (void)state;
  char path[512];
  th_graph *g;
  snprintf(path, sizeof path, "%s/models/mlperf_tiny/kws_ref_model_float32.tflite", shared());
  assert_int_equal(th_read_tflite(path, &g), TH_OK);
  int gridded = 0;
  for (int i = 0; i < g->n_nodes; ++i) {
    if (th_op_weight_input(g->nodes[i].op) < 0) continue;
    const th_tensor *w = th_node_in(g, &g->nodes[i], 1);
    const float *v = w->data;
    int64_t elems = th_shape_elems(&w->shape);
    float top = 0, step = 1e30f;
    for (int64_t k = 0; k < elems; ++k) top = v[k] > top ? v[k] : -v[k] > top ? -v[k] : top;
    for (int64_t k = 0; k < elems; ++k)
      if (v[k] > 0 && v[k] < step) step = v[k];
    gridded += top / step < 127.5f && top / step > 100; /* 127 steps of the smallest */
  }
  assert_true(gridded >= 4);
  th_graph_destroy(g);
}

/* Whatever is cut or changed, the answer is a graph or a message that names the file, never a crash. */
static void try_bytes(const uint8_t *data, size_t size) {
  th_graph *g;
  th_status status = th_read_tflite_bytes(data, size, "damaged.tflite", &g);
  if (status == TH_OK) {
    assert_int_equal(th_graph_verify(g), TH_OK);
    th_graph_destroy(g);
    return;
  }
  assert_int_equal(status, TH_ERR_INPUT);
  if (!strstr(th_error_message(), "damaged.tflite")) fail_msg("no file name in '%s'", th_error_message());
  th_error_clear();
}

static void damaged_files(void **state) {
  (void)state;
  static const char *const files[] = {"tflm/hello_world_int8", "tinymaix/mnist_arduino_q", "tflm/hello_world_float"};
  const char *dir = shared();
  for (int f = 0; f < 3; ++f) {
    char path[512];
    uint8_t *data;
    size_t size;
    th_arena *arena = th_arena_create();
    snprintf(path, sizeof path, "%s/models/%s.tflite", dir, files[f]);
    assert_int_equal(th_file_read(arena, path, TH_FILE_LIMIT, &data, &size), TH_OK);
    for (size_t cut = 0; cut < size; cut += cut < 64 ? 1 : 7) {
      uint8_t *copy = malloc(cut + 1); /* own block, so that reading past it is seen by a sanitizer */
      memcpy(copy, data, cut);
      try_bytes(copy, cut);
      free(copy);
    }
    th_rng rng = th_rng_init(7, (uint64_t)f);
    for (int round = 0; round < 4000; ++round) {
      uint8_t *copy = malloc(size);
      memcpy(copy, data, size);
      for (uint32_t k = 1 + th_rng_below(&rng, 4); k > 0; --k)
        copy[th_rng_below(&rng, (uint32_t)size)] = (uint8_t)th_rng_u64(&rng);
      try_bytes(copy, size);
      free(copy);
    }
    th_arena_destroy(arena);
  }
}

/* 68 real files of one operator each, of many kinds: read, or refused with a reason. */
static void single_operator_files(void **state) {
  (void)state;
  const char *dir = shared();
  char command[4096], folder[512], **names;
  int count, good = 0, seen = 0;
  snprintf(folder, sizeof folder, "%s/litert_single_op", THIMBLE_BINARY_DIR);
  snprintf(command, sizeof command,
           "rm -rf '%s' && mkdir '%s' && tar -xf '%s/peers/litert_single_op_models.tar.xz' -C '%s' && "
           "find '%s' -name '*.tflite' -exec mv -t '%s' {} + 2>/dev/null",
           folder, folder, dir, folder, folder, folder);
  if (system(command) == -1) fail_msg("tar");
  th_arena *arena = th_arena_create();
  assert_int_equal(th_dir_list(arena, folder, &names, &count), TH_OK);
  for (int i = 0; i < count; ++i) {
    th_graph *g;
    if (strcmp(th_path_extension(names[i]), ".tflite") != 0) continue;
    ++seen;
    th_status status = th_read_tflite(th_path_join(arena, folder, names[i]), &g);
    if (status == TH_OK) {
      ++good;
      th_graph_destroy(g);
    } else {
      assert_int_equal(status, TH_ERR_INPUT);
      assert_non_null(strstr(th_error_message(), names[i]));
      if (getenv("THIMBLE_VERBOSE")) print_message("%s\n", th_error_message());
      th_error_clear();
    }
  }
  print_message("%d of %d files read\n", good, seen);
  assert_true(seen == 68 && good >= 7);
  th_arena_destroy(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_models),    cmocka_unit_test(unsupported_operators), cmocka_unit_test(weights_become_float),
      cmocka_unit_test(damaged_files), cmocka_unit_test(single_operator_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
