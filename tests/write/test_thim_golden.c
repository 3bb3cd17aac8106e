/* Four public int8 models (MLPerf Tiny), deployed: coded, planned, written, opened and run by the interpreter, must
 * give the output bytes that TFLite Micro's reference kernels gave (the test data's golden/README.md), and take hardly
 * more bytes than their int8 weights alone. Skips, with the reason, where that data is not. SPDX-License-Identifier:
 * Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "encode/program.h"
#include "pass/plan.h"
#include "read/tflite.h"
#include "read/thim.h"
#include "test_data.h"
#include "write/thim.h"

#define CHECK(expr) \
  if ((expr) != TH_OK) fail_msg("%s", th_error_message())

/* Appends the blob of a model; returns the bytes of its int8 weights. */
static uint32_t deploy(const char *name, th_arena *arena, th_buf *blob) {
  char path[600];
  th_graph *g;
  th_program *p;
  th_thim_report report;
  uint32_t weights = 0;
  snprintf(path, sizeof path, "%s/models/mlperf_tiny/%s.tflite", test_data(), name);
  CHECK(th_read_tflite(path, &g));
  CHECK(th_lower(g, &p));
  CHECK(th_encode_program(p, NULL, NULL));
  CHECK(th_pass_plan(p, NULL));
  CHECK(th_write_thim_program(p, arena, blob, &report));
  uint32_t parts[6] = {report.header};
  for (int i = 0; i < report.n_steps; i++) {
    const th_thim_step_bytes *b = &report.steps[i];
    weights += b->elems;
    parts[1] += b->weights, parts[2] += b->table, parts[3] += b->bias, parts[4] += b->requant, parts[5] += b->head;
  }
  print_message("%s: %u bytes for %u weights: header %u, weights %u, tables %u, bias %u, requant %u, records %u\n",
                name, report.total, weights, parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]);
  th_program_destroy(p);
  th_graph_destroy(g);
  return weights;
}

static void check_model(const char *name) {
  if (!th_dir_exists(test_data())) {
    print_message("skipped: no test data in %s (THIMBLE_TEST_DATA)\n", test_data());
    skip();
  }
  th_arena *arena = th_arena_create();
  th_buf blob = {0};
  th_graph *graph;
  th_thim *program;
  char path[600];
  uint8_t *golden;
  size_t size;
  const uint32_t weights = deploy(name, arena, &blob);
  CHECK(th_read_thim(blob.data, blob.size, name, &graph, &program));
  const size_t in_bytes = th_thim_input(program, 0).bytes, out_bytes = th_thim_output(program, 0).bytes;
  int8_t *x = th_arena_alloc(arena, in_bytes);
  uint8_t *y = th_arena_alloc(arena, out_bytes);
  for (size_t i = 0; i < in_bytes; i++) x[i] = (int8_t)((int)((i * 37 + 11) & 255) - 128);
  const void *inputs[] = {x};
  void *outputs[] = {y};
  CHECK(th_thim_run(program, 1, inputs, outputs));
  snprintf(path, sizeof path, "%s/golden/%s.out.bin", test_data(), name);
  CHECK(th_file_read(arena, path, TH_FILE_LIMIT, &golden, &size));
  assert_int_equal(size, out_bytes);
  assert_memory_equal(y, golden, size);
  assert_true(blob.size < weights + weights / 4); /* the small ones have many channels for their weights */
  th_thim_close(program);
  th_buf_free(&blob);
  th_arena_destroy(arena);
}

static void test_anomaly_detection(void **state) {
  check_model("ad01_int8");
}
static void test_keywords(void **state) {
  check_model("kws_ref_model");
}
static void test_images(void **state) {
  check_model("pretrainedResnet_quant");
}
static void test_wake_words(void **state) {
  check_model("vww_96_int8");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_anomaly_detection),
      cmocka_unit_test(test_keywords),
      cmocka_unit_test(test_images),
      cmocka_unit_test(test_wake_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
