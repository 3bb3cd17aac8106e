/* Four public int8 models (MLPerf Tiny), layer by layer against what TFLite Micro's reference kernels gave: the test
 * data's golden/NAME.layers.txt has for each operator the FNV-1a hash of its output bytes, NAME.out.bin the output; the
 * input is byte i = (i * 37 + 11) mod 256 - 128. Plus 1,000 keyword samples with their labels. Skips, with the reason,
 * where that data is not. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "eval/eval.h"
#include "op/op.h"
#include "read/tflite.h"
#include "test_data.h"

static int need_data(void **state) {
  if (th_dir_exists(test_data())) return 0;
  print_message("skipped: no test data in %s (THIMBLE_TEST_DATA)\n", test_data());
  return 0;
}

static uint32_t fnv1a(const void *data, size_t n) {
  const uint8_t *p = data;
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 16777619u;
  return h;
}

static uint8_t *load(th_arena *arena, size_t *size, const char *format, const char *name) {
  char path[600], file[200];
  uint8_t *data;
  snprintf(file, sizeof file, format, name);
  snprintf(path, sizeof path, "%s/%s", test_data(), file);
  if (th_file_read(arena, path, TH_FILE_LIMIT, &data, size) != TH_OK) fail_msg("%s", th_error_message());
  return data;
}

static th_graph *load_model(const char *name) {
  char path[600];
  th_graph *g;
  snprintf(path, sizeof path, "%s/models/mlperf_tiny/%s.tflite", test_data(), name);
  if (th_read_tflite(path, &g) != TH_OK) fail_msg("%s", th_error_message());
  return g;
}

/* The hash of the operator whose line begins at `line`, and the start of the next line. */
static const char *next_hash(const char *line, uint32_t *hash) {
  const char *field = strstr(line, "fnv1a="), *end = strchr(line, '\n');
  assert_non_null(field);
  *hash = (uint32_t)strtoul(field + 6, NULL, 16);
  return end ? end + 1 : line + strlen(line);
}

static void check_layers(th_arena *arena, const th_graph *g, const th_eval *e, const char *name) {
  size_t size;
  const char *line = (const char *)load(arena, &size, "golden/%s.layers.txt", name);
  for (int i = 0; i < g->n_nodes; i++) {
    const int out = g->nodes[i].out[0];
    uint32_t want;
    line = next_hash(line, &want);
    const uint32_t got = fnv1a(th_eval_tensor(e, out), th_tensor_bytes(&g->tensors[out]));
    if (got != want) fail_msg("%s: layer %d (%s) gives %08x, TFLite Micro %08x", name, i, g->nodes[i].name, got, want);
  }
  assert_int_equal(*line, 0); /* no operator of the model was left out */
}

static void check_model(const char *name) {
  if (!th_dir_exists(test_data())) skip();
  th_arena *arena = th_arena_create();
  th_graph *g = load_model(name);
  th_eval *e;
  if (th_eval_open(g, true, &e) != TH_OK) fail_msg("%s", th_error_message());
  const size_t n = th_tensor_bytes(&g->tensors[g->inputs[0]]);
  uint8_t *x = th_arena_alloc(arena, n);
  for (size_t i = 0; i < n; i++) x[i] = (uint8_t)(((i * 37 + 11) & 255) - 128);
  size_t size;
  const uint8_t *want = load(arena, &size, "golden/%s.out.bin", name);
  uint8_t *y = th_arena_alloc(arena, size);
  assert_int_equal(size, th_tensor_bytes(&g->tensors[g->outputs[0]]));
  assert_int_equal(th_eval_run(e, 1, (const void *[]){x}, (void *[]){y}), TH_OK);
  check_layers(arena, g, e, name);
  assert_memory_equal(y, want, size);
  th_eval_close(e);
  th_graph_destroy(g);
  th_arena_destroy(arena);
}

static void anomaly_detection(void **state) {
  check_model("ad01_int8");
}

static void image_classification(void **state) {
  check_model("pretrainedResnet_quant");
}

static void keyword_spotting(void **state) {
  check_model("kws_ref_model");
}

static void visual_wake_words(void **state) {
  check_model("vww_96_int8");
}

static int argmax(const int8_t *v, int n) {
  int best = 0;
  for (int i = 1; i < n; i++) best = v[i] > v[best] ? i : best;
  return best;
}

/* TFLite Micro classifies 901 of these right; FNV-1a of all its outputs is 5c1c93e7. */
static void a_thousand_keywords(void **state) {
  if (!th_dir_exists(test_data())) skip();
  static int8_t y[1000][12];
  th_arena *arena = th_arena_create();
  th_graph *g = load_model("kws_ref_model");
  th_eval *e;
  size_t x_size, label_size;
  const uint8_t *x = load(arena, &x_size, "sets/kws01/kws01_test_mfcc_int8_1000x49x10%s", ".bin");
  const uint8_t *label = load(arena, &label_size, "sets/kws01/kws01_test_labels_uint8_1000%s", ".bin");
  assert_int_equal(x_size, 490000);
  assert_int_equal(label_size, 1000);
  assert_int_equal(th_eval_open(g, false, &e), TH_OK);
  assert_int_equal(th_eval_run(e, 1000, (const void *[]){x}, (void *[]){y}), TH_OK);
  int right = 0;
  for (int i = 0; i < 1000; i++) right += argmax(y[i], 12) == label[i];
  assert_int_equal(right, 901);
  assert_int_equal(fnv1a(y, sizeof y), 0x5c1c93e7);
  th_eval_close(e);
  th_graph_destroy(g);
  th_arena_destroy(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(anomaly_detection), cmocka_unit_test(image_classification), cmocka_unit_test(keyword_spotting),
      cmocka_unit_test(visual_wake_words), cmocka_unit_test(a_thousand_keywords),
  };
  return cmocka_run_group_tests(tests, need_data, NULL);
}
