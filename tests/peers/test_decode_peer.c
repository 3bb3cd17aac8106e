/* .tflite files with TFLM_DECODE operators, run by TFLite Micro: each method (look-up table, Huffman, zeros left out)
 * is forced on convolutions with a scale per channel, depthwise ones, whose channels come last, and fully connected
 * layers, one of them read twice; the peer's outputs equal those of our kernels byte for byte. Without the peers the
 * test skips. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "encode/tflm_decode.h"
#include "eval/eval.h"
#include "write/tflite.h"

enum { SAMPLES = 8, IN_BYTES = 9 * 8 * 3, OUT_BYTES = 12, KINDS = 3 };

static const char model_text[] =
    "graph coded\n"
    "input %x s8 1x9x8x3 q(0.02,-3)\n"
    "const %w1 s8 16x3x3x3 q[0](0.01,0 0.011,0 0.012,0 0.01,0 0.01,0 0.012,0 0.01,0 0.011,0 0.01,0 0.011,0 0.012,0 "
    "0.01,0 "
    "0.01,0 0.012,0 0.01,0 0.011,0) = #1\n"
    "const %b1 s32 16 = #5\n"
    "node conv = conv2d(%x %w1 %b1) -> %y1 s8 1x7x6x16 q(0.05,-128) {activation=relu}\n"
    "const %w2 s8 1x3x3x16 q[3](0.01,0 0.02,0 0.03,0 0.04,0 0.05,0 0.06,0 0.07,0 0.08,0 0.01,0 0.02,0 0.03,0 0.04,0 "
    "0.05,0 0.06,0 0.07,0 0.08,0) = #2\n"
    "const %b2 s32 16 = #5\n"
    "node depthwise = depthwise_conv2d(%y1 %w2 %b2) -> %y2 s8 1x5x4x16 q(0.06,4)\n"
    "node flat = reshape(%y2) -> %y3 s8 1x320 q(0.06,4)\n"
    "const %w3 s8 40x320 q(0.01,0) = #3\n"
    "node dense = fully_connected(%y3 %w3) -> %y4 s8 1x40 q(0.3,0)\n"
    "const %w4 s8 40x40 q(0.02,0) = #4\n"
    "node one = fully_connected(%y4 %w4) -> %y5 s8 1x40 q(0.3,0)\n"
    "node two = fully_connected(%y5 %w4) -> %y6 s8 1x40 q(0.3,0)\n"
    "const %w6 s8 12x40 q(0.02,0) = #6\n"
    "node last = fully_connected(%y6 %w6) -> %y s8 1x12 q(0.4,0)\n"
    "output %y\n";

typedef struct kind {
  th_arena *arena;
  int number; /* 0: few values; 1: sparse; 2: all values */
} kind;

static const void *made_up(void *user, uint64_t hash, size_t bytes) {
  const kind *k = user;
  th_rng rng = th_rng_init(7, hash);
  int8_t *w = th_arena_alloc(k->arena, bytes);
  for (size_t i = 0; i < bytes; i++) {
    const int few = ((int)th_rng_below(&rng, 4) + (int)th_rng_below(&rng, 4) - 3) * 17,
              wide = (int)th_rng_below(&rng, 255) - 127;
    w[i] = (int8_t)(k->number == 0 ? few : k->number == 1 && th_rng_below(&rng, 8) ? 0 : wide);
    if (hash == 5) w[i] = (int8_t)(i % 4 ? 0 : few); /* biases, s32 */
  }
  return w;
}

/* --- the coder under test: one method, counting what it codes --- */

typedef struct forced {
  th_tflm_method method;
  int coded;
} forced;

static bool code(void *user, const int8_t *weights, const th_shape *shape, const th_quant *quant, th_buf *stream,
                 th_buf *ancillary) {
  forced *f = user;
  const int channels = quant->count > 1 ? quant->count : 1;
  const bool last = channels > 1 && quant->axis == shape->rank - 1;
  const th_tflm_weights w = {weights, (size_t)th_shape_elems(shape), channels, last, true};
  const bool done = th_tflm_encode(&w, f->method, stream, ancillary);
  f->coded += done;
  return done;
}

/* First line of what `command` prints, in `line`; its exit code. */
static int run_command(const char *command, char *line, int size) {
  FILE *pipe = popen(command, "r");
  if (!pipe) return -1;
  line[0] = 0;
  if (fgets(line, size, pipe)) line[strcspn(line, "\n")] = 0;
  const int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void evaluate(const th_graph *g, const int8_t *x, int8_t *y) {
  th_eval *eval;
  if (th_eval_open(g, false, &eval) != TH_OK || th_eval_run(eval, SAMPLES, (const void *[]){x}, (void *[]){y}) != TH_OK)
    fail_msg("%s", th_error_message());
  th_eval_close(eval);
}

static int check(const char *python, const char *folder, kind k, th_tflm_method method) {
  char command[2400], line[300];
  static int8_t x[SAMPLES * IN_BYTES], want[SAMPLES * OUT_BYTES];
  th_graph *g;
  th_buf file = {0};
  forced f = {method, 0};
  const th_tflite_coder coder = {code, &f};
  th_rng rng = th_rng_init(3, (uint64_t)k.number);
  for (size_t i = 0; i < sizeof x; i++) x[i] = (int8_t)(int)th_rng_below(&rng, 256);
  if (th_graph_parse(model_text, strlen(model_text), "coded", made_up, &k, &g) != TH_OK ||
      th_write_tflite_coded(g, &coder, &file) != TH_OK)
    fail_msg("%s", th_error_message());
  evaluate(g, x, want);
  const char *model = th_arena_printf(k.arena, "%s/%d-%d.tflite", folder, k.number, (int)method),
             *in = th_arena_printf(k.arena, "%s/%d.in", folder, k.number),
             *out = th_arena_printf(k.arena, "%s/%d-%d.out", folder, k.number, (int)method);
  assert_int_equal(th_file_write(model, file.data, file.size), TH_OK);
  assert_int_equal(th_file_write(in, x, sizeof x), TH_OK);
  snprintf(command, sizeof command, "'%s' '%s/tests/peers/run_tflite.py' tflm %s %s %s 2>'%s/log'", python,
           THIMBLE_SOURCE_DIR, model, out, in, folder);
  if (run_command(command, line, sizeof line) != 0) fail_msg("TFLite Micro refuses %s, see %s/log", model, folder);
  uint8_t *got;
  size_t size;
  assert_int_equal(th_file_read(k.arena, out, 1 << 20, &got, &size), TH_OK);
  assert_int_equal(size, sizeof want);
  for (size_t i = 0; i < size; i++)
    if ((int8_t)got[i] != want[i]) fail_msg("%s: byte %zu is %d, want %d", model, i, (int8_t)got[i], want[i]);
  th_buf_free(&file);
  th_graph_destroy(g);
  return f.coded;
}

static void outputs_are_those_of_our_kernels(void **state) {
  char command[1200], python[512], folder[512];
  snprintf(folder, sizeof folder, "%s/decode_peer", THIMBLE_BINARY_DIR);
  snprintf(command, sizeof command, "'%s/tests/peers/venv.sh' '%s'", THIMBLE_SOURCE_DIR, THIMBLE_BINARY_DIR);
  const int found = run_command(command, python, sizeof python);
  if (found == 77) skip(); /* the script has said why */
  assert_int_equal(found, 0);
  assert_int_equal(th_dir_create(folder), TH_OK);
  int coded[TH_TFLM_METHODS] = {0};
  for (int n = 0; n < KINDS; n++) {
    const kind k = {th_arena_create(), n};
    for (int m = 0; m < TH_TFLM_METHODS; m++) coded[m] += check(python, folder, k, (th_tflm_method)m);
    th_arena_destroy(k.arena);
  }
  /* 5 tensors of 3 kinds; tables cannot hold the larger ones of all values */
  assert_true(coded[TH_TFLM_LUT] >= 10);
  assert_int_equal(coded[TH_TFLM_HUFFMAN], 15);
  assert_int_equal(coded[TH_TFLM_PRUNE], 15);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(outputs_are_those_of_our_kernels)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
