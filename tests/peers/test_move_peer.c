/* Random models of one operator that moves values, resizes or multiplies, computed here and by a peer: integers must
 * agree byte for byte with TFLite Micro, floats with LiteRT within 1e-5. Written again by us, each file must give the
 * same bytes in the peer. Models, inputs and answers come from move_op_models.py, run in the environment of venv.sh;
 * without it the test skips and says why. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
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
#include "write/tflite.h"

enum { MODELS = 600, SAMPLES = 4 };

static char folder[512];

/* First line of what `command` prints, in `line`; its exit code. */
static int run_command(const char *command, char *line, int size) {
  FILE *pipe = popen(command, "r");
  if (!pipe) return -1;
  line[0] = 0;
  if (fgets(line, size, pipe)) line[strcspn(line, "\n")] = 0;
  const int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static uint8_t *load(th_arena *arena, int model, const char *suffix, size_t *size) {
  uint8_t *data;
  const char *path = th_arena_printf(arena, "%s/%d%s", folder, model, suffix);
  if (th_file_read(arena, path, TH_FILE_LIMIT, &data, size) != TH_OK) fail_msg("%s", th_error_message());
  return data;
}

/* Sample k of all inputs (and outputs) lies tensor after tensor, each with all its samples. */
static void evaluate(const th_graph *g, uint8_t *x, size_t x_size, uint8_t *y, size_t y_size, int model) {
  const void *in[TH_MAX_INPUTS];
  void *out[TH_MAX_OUTPUTS];
  th_eval *e;
  size_t used = 0;
  for (int i = 0; i < g->n_inputs; i++) {
    in[i] = x + used;
    used += SAMPLES * th_tensor_bytes(&g->tensors[g->inputs[i]]);
  }
  assert_int_equal(used, x_size);
  used = 0;
  for (int i = 0; i < g->n_outputs; i++) {
    out[i] = y + used;
    used += SAMPLES * th_tensor_bytes(&g->tensors[g->outputs[i]]);
  }
  assert_int_equal(used, y_size);
  if (th_eval_open(g, false, &e) != TH_OK || th_eval_run(e, SAMPLES, in, out) != TH_OK)
    fail_msg("model %d: %s", model, th_error_message());
  th_eval_close(e);
}

static void compare(const th_graph *g, const uint8_t *got, const uint8_t *want, size_t size, int model) {
  const char *op = th_op_name(g->nodes[0].op);
  const float *a = (const float *)(const void *)got, *b = (const float *)(const void *)want;
  const bool is_float = g->tensors[g->outputs[0]].dtype == TH_DTYPE_F32;
  for (size_t i = 0; is_float && i < size / 4; i++)
    if (!(fabsf(a[i] - b[i]) <= 1e-5f * fmaxf(1, fabsf(b[i]))))
      fail_msg("model %d (%s): value %zu is %.9g, LiteRT has %.9g", model, op, i, (double)a[i], (double)b[i]);
  for (size_t i = 0; !is_float && i < size; i++)
    if (got[i] != want[i])
      fail_msg("model %d (%s): byte %zu is %d, TFLite Micro has %d", model, op, i, (int8_t)got[i], (int8_t)want[i]);
}

static void write_again(const th_graph *g, int model) {
  th_buf file = {0};
  char path[600];
  if (th_write_tflite(g, &file) != TH_OK) fail_msg("model %d: %s", model, th_error_message());
  snprintf(path, sizeof path, "%s/%d.again.tflite", folder, model);
  assert_int_equal(th_file_write(path, file.data, file.size), TH_OK);
  th_buf_free(&file);
}

static void check_model(int model) {
  th_arena *arena = th_arena_create();
  size_t size, x_size, want_size;
  uint8_t *file = load(arena, model, ".tflite", &size), *x = load(arena, model, ".in", &x_size);
  const uint8_t *want = load(arena, model, ".out", &want_size);
  uint8_t *got = th_arena_alloc(arena, want_size);
  th_graph *g;
  if (th_read_tflite_bytes(file, size, "model", &g) != TH_OK) fail_msg("model %d: %s", model, th_error_message());
  int data = 0; /* whatever computes shapes alone is a constant by now */
  for (int i = 0; i < g->n_nodes; i++) data += th_node_out(g, &g->nodes[i], 0)->dtype == g->tensors[g->inputs[0]].dtype;
  assert_int_equal(data, g->n_nodes);
  evaluate(g, x, x_size, got, want_size, model);
  compare(g, got, want, want_size, model);
  if (g->tensors[g->inputs[0]].dtype != TH_DTYPE_S16) write_again(g, model); /* s16 is read only */
  th_graph_destroy(g);
  th_arena_destroy(arena);
}

static void answers_are_those_of_the_peers(void **state) {
  char command[2200], python[512], line[512];
  snprintf(folder, sizeof folder, "%s/move_op_models", THIMBLE_BINARY_DIR);
  snprintf(command, sizeof command, "'%s/tests/peers/venv.sh' '%s'", THIMBLE_SOURCE_DIR, THIMBLE_BINARY_DIR);
  const int found = run_command(command, python, sizeof python);
  if (found == 77) skip(); /* the script has said why */
  assert_int_equal(found, 0);
  assert_int_equal(th_dir_create(folder), TH_OK);
  for (int again = 0; again < 2; again++) {
    snprintf(command, sizeof command, "'%s' '%s/tests/peers/move_op_models.py' %s '%s' %d 2>'%s/log'", python,
             THIMBLE_SOURCE_DIR, again ? "--again" : "", folder, MODELS, folder);
    if (run_command(command, line, sizeof line) != 0) fail_msg("a peer is not content, see %s/log", folder);
    for (int i = 0; i < MODELS && !again; i++) check_model(i);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(answers_are_those_of_the_peers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
