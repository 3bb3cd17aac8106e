/* Runs every tests/pass/<name>.case: a graph in, passes by name, the graph that must come out.
 *
 * A case file is
 *   passes fold_bn,dead        names for th_pass_run; "quantize", "quantize narrow", "quantize coded", "quantize per
 * layer", "quantize few", "quantize int16", "prune 0.5", "prune 0.5 global" and "prune 0.5 skip NODE" stand alone in
 * <graph text> out <graph text> or one line: error <part of the message> Both sides are compared in their printed form,
 * so layout does not matter. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"
#include "op/op.h"
#include "pass/pass.h"
#include "pass/prune_channels.h"
#include "pass/quantize.h"

typedef struct case_file {
  char passes[100];
  const char *in, *out;
  size_t in_bytes;
} case_file;

static th_status split(char *text, const char *path, case_file *c) {
  char *in = strstr(text, "\nin\n"), *out = in ? strstr(in, "\nout\n") : NULL, *passes = strstr(text, "passes ");
  if (!out || !passes || passes > in) return th_fail(TH_ERR_INPUT, "%s: expected passes, in, out", path);
  size_t length = strcspn(passes + 7, "\n");
  snprintf(c->passes, sizeof c->passes, "%.*s", (int)length, passes + 7);
  c->in = in + 4;
  c->in_bytes = (size_t)(out - c->in) + 1;
  c->out = out + 5;
  return TH_OK;
}

static th_status run_passes(th_graph *g, const char *passes) {
  float sparsity;
  if (th_str_eq(passes, "quantize")) return th_quantize(g, &(th_quantize_options){0});
  if (th_str_eq(passes, "quantize narrow")) return th_quantize(g, &(th_quantize_options){.bias_error = 0.0625f});
  if (th_str_eq(passes, "quantize coded"))
    return th_quantize(g, &(th_quantize_options){.bias_error = 0.0625f, .coded_biases = true});
  if (th_str_eq(passes, "quantize per layer")) return th_quantize(g, &(th_quantize_options){.per_layer_conv = true});
  if (th_str_eq(passes, "quantize int16")) return th_quantize(g, &(th_quantize_options){.activation = TH_DTYPE_S16});
  if (th_str_eq(passes, "quantize few")) return th_quantize(g, &(th_quantize_options){.few_scales = true});
  if (sscanf(passes, "prune %f", &sparsity) == 1) {
    bool skip[64] = {false};
    const char *spared = strstr(passes, " skip ");
    assert_true(g->n_nodes <= 64);
    for (int i = 0; spared && i < g->n_nodes; i++) skip[i] = th_str_eq(g->nodes[i].name, spared + 6);
    th_prune_channels_options o = {.sparsity = sparsity, .global = th_str_ends(passes, "global"), .skip = skip};
    return th_prune_channels(g, &o, NULL);
  }
  return th_pass_run(g, passes, &(th_pass_options){.verify = true});
}

static bool check_error(const char *path, const char *expected, th_status status) {
  char part[200];
  snprintf(part, sizeof part, "%.*s", (int)strcspn(expected, "\n"), expected);
  bool same = status != TH_OK && strstr(th_error_message(), part);
  if (!same) print_error("%s: expected an error with \"%s\", got \"%s\"\n", path, part, th_error_message());
  th_error_clear();
  return same;
}

static bool check_graph(const char *path, const case_file *c, const th_graph *g) {
  th_graph *expected = NULL;
  th_buf got = {0}, want = {0};
  if (th_graph_parse(c->out, strlen(c->out), path, NULL, NULL, &expected) != TH_OK)
    fail_msg("%s: %s", path, th_error_message());
  assert_int_equal(th_graph_print(g, 1000, &got), TH_OK);
  assert_int_equal(th_graph_print(expected, 1000, &want), TH_OK);
  bool same = !strcmp(th_buf_cstr(&got), th_buf_cstr(&want));
  if (!same) print_error("%s: expected\n%sgot\n%s", path, th_buf_cstr(&want), th_buf_cstr(&got));
  th_buf_free(&got);
  th_buf_free(&want);
  th_graph_destroy(expected);
  return same;
}

static bool run_case(const char *path, char *text) {
  case_file c;
  th_graph *g = NULL;
  th_error_clear();
  if (split(text, path, &c) != TH_OK || th_graph_parse(c.in, c.in_bytes, path, NULL, NULL, &g) != TH_OK ||
      th_op_infer_all(g) != TH_OK)
    fail_msg("%s: %s", path, th_error_message());
  th_status status = run_passes(g, c.passes);
  bool passed = false;
  if (th_str_starts(c.out, "error "))
    passed = check_error(path, c.out + 6, status);
  else if (status != TH_OK)
    print_error("%s: %s\n", path, th_error_message());
  else
    passed = check_graph(path, &c, g);
  th_graph_destroy(g);
  return passed;
}

static void cases_come_out_as_written(void **state) {
  th_arena *arena = th_arena_create();
  char **names;
  int count, ran = 0, passed = 0;
  const char *dir = THIMBLE_SOURCE_DIR "/tests/pass";
  assert_int_equal(th_dir_list(arena, dir, &names, &count), TH_OK);
  for (int i = 0; i < count; i++) {
    if (!th_str_ends(names[i], ".case")) continue;
    uint8_t *text;
    size_t size;
    const char *path = th_path_join(arena, dir, names[i]);
    assert_int_equal(th_file_read(arena, path, 1 << 20, &text, &size), TH_OK);
    passed += run_case(path, (char *)text);
    ran++;
  }
  print_message("%d of %d cases\n", passed, ran);
  assert_true(ran > 0 && passed == ran);
  th_arena_destroy(arena);
}

static void unknown_pass_is_named(void **state) {
  th_graph *g;
  assert_int_equal(th_graph_create(&g, "g"), TH_OK);
  assert_int_equal(th_pass_run(g, "fold_bm", NULL), TH_ERR_USAGE);
  assert_string_equal(th_error_message(), "unknown pass \"fold_bm\"; did you mean \"fold_bn\"?");
  th_error_clear();
  th_graph_destroy(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(cases_come_out_as_written),
                                     cmocka_unit_test(unknown_pass_is_named)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
