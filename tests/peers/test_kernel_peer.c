/* Random models of one operator each, of int8 or int16, computed here and by TFLite Micro itself: every byte must
 * agree. The models, inputs and TFLite Micro's answers come from one_op_models.py and one_op_models_s16.py, run in the
 * environment of venv.sh; without it the test skips and says why. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/file.h"
#include "eval/eval.h"
#include "read/tflite.h"

enum { MODELS = 1200, SAMPLES = 4 };

/* First line of what `command` prints, in `line`; its exit code. */
static int run_command(const char *command, char *line, int size) {
  FILE *pipe = popen(command, "r");
  if (!pipe) return -1;
  line[0] = 0;
  if (fgets(line, size, pipe)) line[strcspn(line, "\n")] = 0;
  const int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static uint8_t *load(th_arena *arena, const char *folder, int model, const char *suffix, size_t *size) {
  char path[1100];
  uint8_t *data;
  snprintf(path, sizeof path, "%s/%d%s", folder, model, suffix);
  if (th_file_read(arena, path, TH_FILE_LIMIT, &data, size) != TH_OK) fail_msg("%s", th_error_message());
  return data;
}

/* Sample k of all inputs lies in `x` tensor after tensor, each with all its samples. */
static void evaluate(const th_graph *g, const uint8_t *x, size_t x_size, uint8_t *y, size_t y_size, int model) {
  const void *in[TH_MAX_INPUTS];
  th_eval *e;
  size_t used = 0;
  for (int i = 0; i < g->n_inputs; i++) {
    in[i] = x + used;
    used += SAMPLES * th_tensor_bytes(&g->tensors[g->inputs[i]]);
  }
  assert_int_equal(used, x_size);
  assert_int_equal(SAMPLES * th_tensor_bytes(&g->tensors[g->outputs[0]]), y_size);
  if (th_eval_open(g, false, &e) != TH_OK || th_eval_run(e, SAMPLES, in, (void *[]){y}) != TH_OK)
    fail_msg("model %d: %s", model, th_error_message());
  th_eval_close(e);
}

static void check_model(const char *folder, int model) {
  th_arena *arena = th_arena_create();
  size_t size, x_size, want_size;
  const uint8_t *file = load(arena, folder, model, ".tflite", &size), *x = load(arena, folder, model, ".in", &x_size);
  const uint8_t *want = load(arena, folder, model, ".out", &want_size);
  uint8_t *got = th_arena_alloc(arena, want_size);
  th_graph *g;
  if (th_read_tflite_bytes(file, size, "model", &g) != TH_OK) fail_msg("model %d: %s", model, th_error_message());
  evaluate(g, x, x_size, got, want_size, model);
  for (size_t i = 0; i < want_size; i++)
    if (got[i] != want[i])
      fail_msg("model %d (%s): byte %zu is %d, TFLite Micro has %d", model, th_op_name(g->nodes[0].op), i,
               (int8_t)got[i], (int8_t)want[i]);
  th_graph_destroy(g);
  th_arena_destroy(arena);
}

static void compare_models(const char *script) {
  char command[2200], python[512], folder[512], line[512];
  snprintf(folder, sizeof folder, "%s/%s", THIMBLE_BINARY_DIR, script);
  snprintf(command, sizeof command, "'%s/tests/peers/venv.sh' '%s'", THIMBLE_SOURCE_DIR, THIMBLE_BINARY_DIR);
  const int found = run_command(command, python, sizeof python);
  if (found == 77) skip(); /* the script has said why */
  assert_int_equal(found, 0);
  assert_int_equal(th_dir_create(folder), TH_OK);
  snprintf(command, sizeof command, "'%s' '%s/tests/peers/%s.py' '%s' %d 2>'%s/log'", python, THIMBLE_SOURCE_DIR,
           script, folder, MODELS, folder);
  if (run_command(command, line, sizeof line) != 0) fail_msg("the models cannot be made, see %s/log", folder);
  for (int i = 0; i < MODELS; i++) check_model(folder, i);
}

static void every_byte_is_tflite_micros(void **state) {
  compare_models("one_op_models");
}

static void every_byte_is_tflite_micros_with_16_bits(void **state) {
  compare_models("one_op_models_s16");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte_is_tflite_micros),
                                     cmocka_unit_test(every_byte_is_tflite_micros_with_16_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
