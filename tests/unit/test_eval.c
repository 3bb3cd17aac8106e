/* The evaluator: samples, chunks and threads do not change results; integer, float and mixed graphs; float borders;
 * keep_all. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/parallel.h"
#include "base/rng.h"
#include "eval/eval.h"
#include "eval/lower.h"

enum { SAMPLES = 150 };

static th_graph *parse(const char *text) {
  th_graph *g = NULL;
  th_error_clear();
  if (th_graph_parse(text, strlen(text), "text", NULL, NULL, &g) != TH_OK) fail_msg("%s", th_error_message());
  return g;
}

static th_eval *open_eval(const th_graph *g, bool keep_all) {
  th_eval *e = NULL;
  if (th_eval_open(g, keep_all, &e) != TH_OK) fail_msg("%s", th_error_message());
  return e;
}

static const char integer_net[] =
    "graph net\n"
    "input  %x s8 1x6x5x2 q(0.02,3)\n"
    "const  %w s8 3x3x3x2 q[0](0.01,0 0.02,0 0.03,0) = {1 -2 3 -4 5 -6 7 -8 9 -10 11 -12 13 -14 15 -16 17 -18 "
    "19 -20 21 -22 23 -24 25 -26 27 -28 29 -30 31 -32 33 -34 35 -36 37 -38 39 -40 41 -42 43 -44 45 -46 47 -48 49 -50 "
    "51 "
    "-52 53 -54}\n"
    "const  %b s32 3 = {100 -200 300}\n"
    "node   conv = conv2d(%x %w %b) -> %c s8 1x6x5x3 q(0.3,-5) {pad_top=1 pad_bottom=1 pad_left=1 pad_right=1}\n"
    "node   act = relu(%c) -> %r s8 1x6x5x3 q(0.25,-128)\n"
    "node   sum = add(%c %r) -> %s s8 1x6x5x3 q(0.5,1)\n"
    "node   gap = global_avg_pool(%s) -> %g s8 1x3 q(0.4,2)\n"
    "const  %v s8 4x3 q(0.05,0) = {50 -60 70 80 -90 100 110 -120 127 -128 1 2}\n"
    "node   fc = fully_connected(%g %v) -> %f s8 1x4 q(0.6,0)\n"
    "node   out = softmax(%f) -> %y s8 1x4 q(0.00390625,-128)\n"
    "output %y\n"
    "output %s\n";

static void fill(int8_t *x, size_t n) {
  th_rng rng = th_rng_init(5, 5);
  for (size_t i = 0; i < n; i++) x[i] = (int8_t)th_rng_u64(&rng);
}

static void samples_do_not_see_each_other(void **state) {
  static int8_t x[SAMPLES][60], one_y[SAMPLES][4], one_s[SAMPLES][90], y[SAMPLES][4], s[SAMPLES][90];
  th_graph *g = parse(integer_net);
  fill(x[0], sizeof x);
  for (int keep = 0; keep < 2; keep++) {
    th_eval *e = open_eval(g, keep);
    for (int i = 0; i < SAMPLES; i++) {
      const void *in[] = {x[i]};
      void *out[] = {one_y[i], one_s[i]};
      assert_int_equal(th_eval_run(e, 1, in, out), TH_OK);
    }
    for (int threads = 1; threads < 6; threads += 2) {
      const void *in[] = {x};
      void *out[] = {y, s};
      memset(y, 0, sizeof y);
      memset(s, 0, sizeof s);
      th_parallel_set_threads(threads);
      assert_int_equal(th_eval_run(e, SAMPLES, in, out), TH_OK);
      assert_memory_equal(y, one_y, sizeof y);
      assert_memory_equal(s, one_s, sizeof s);
    }
    th_eval_close(e);
  }
  th_parallel_set_threads(0);
  th_graph_destroy(g);
}

static void keeps_every_tensor(void **state) {
  static int8_t x[SAMPLES][60], y[SAMPLES][4], s[SAMPLES][90];
  th_graph *g = parse(integer_net);
  th_eval *e = open_eval(g, true);
  const void *in[] = {x};
  void *out[] = {y, s};
  fill(x[0], sizeof x);
  assert_null(th_eval_tensor(e, g->outputs[0]));
  assert_int_equal(th_eval_run(e, SAMPLES, in, out), TH_OK);
  assert_memory_equal(th_eval_tensor(e, g->inputs[0]), x, sizeof x);
  assert_memory_equal(th_eval_tensor(e, g->outputs[0]), y, sizeof y);
  assert_memory_equal(th_eval_tensor(e, g->outputs[1]), s, sizeof s);
  const int8_t *c = th_eval_tensor(e, th_graph_find_tensor(g, "c")),
               *r = th_eval_tensor(e, th_graph_find_tensor(g, "r"));
  for (int i = 0; i < SAMPLES * 90; i++) { /* act: from (0.3, -5) to (0.25, -128), never below zero */
    const double v = round((c[i] + 5) * 0.3f / 0.25f) - 128;
    assert_int_equal(r[i], v < -128 ? -128 : v > 127 ? 127 : (int)v);
  }
  assert_null(th_eval_tensor(e, th_graph_find_tensor(g, "w")));
  th_eval_close(e);
  th_graph_destroy(g);
}

static void quantizes_at_float_borders(void **state) {
  th_graph *g = parse("input %x s8 1x3 q(0.5,10)\nnode n = quantize(%x) -> %y s8 1x3 q(0.25,-10)\noutput %y\n");
  th_eval *e = open_eval(g, false);
  const float x[] = {1, -0.75f, 1000, 0, 2.2f, -1000};
  const float want[] = {1, -1, 34.25f, 0, 2, -29.5f}; /* by hand: -0.75 is -1.5 steps, away from zero */
  float y[6];
  assert_int_equal(th_eval_run_f32(e, 2, (const float *[]){x}, (float *[]){y}), TH_OK);
  for (int i = 0; i < 6; i++) assert_true(y[i] == want[i]);
  th_eval_close(e);
  th_graph_destroy(g);
}

/* A float layer between integer ones, with weights that are stored as integers. */
static void runs_mixed_graphs(void **state) {
  th_graph *g = parse(
      "input %x f32 1x2\n"
      "node q = quantize(%x) -> %q s8 1x2 q(0.5,1)\n"
      "node r = relu(%q) -> %r s8 1x2 q(0.5,1)\n"
      "node d = dequantize(%r) -> %d f32 1x2\n"
      "const %wi s8 3x2 q[0](0.5,0 0.25,0 2,0) = {1 2 3 4 5 6}\n"
      "node w = dequantize(%wi) -> %w f32 3x2\n"
      "const %b f32 3 = {0.25 0 -100}\n"
      "node f = fully_connected(%d %w %b) -> %f f32 1x3\n"
      "node s = reshape(%f) -> %s f32 3\n"
      "node a = relu(%s) -> %a f32 3\n"
      "node z = quantize(%a) -> %y s8 3 q(0.25,-100)\n"
      "output %y\n");
  th_eval *e = open_eval(g, false);
  float x[SAMPLES][2];
  int8_t y[SAMPLES][3];
  for (int i = 0; i < SAMPLES; i++) x[i][0] = (float)(i % 13 - 4) * 0.5f, x[i][1] = (float)(i % 7) * 0.5f;
  assert_int_equal(th_eval_run(e, SAMPLES, (const void *[]){x}, (void *[]){y}), TH_OK);
  for (int i = 0; i < SAMPLES; i++) {
    const double a = fmax(x[i][0], 0), b = x[i][1];
    const double f[3] = {0.5 * a + b + 0.25, 0.75 * a + b, 10 * a + 12 * b - 100};
    for (int k = 0; k < 3; k++) assert_int_equal(y[i][k], fmin(round(fmax(f[k], 0) / 0.25) - 100, 127));
  }
  th_eval_close(e);
  th_graph_destroy(g);
}

static void runs_float_graphs(void **state) {
  th_graph *g = parse(
      "input %x f32 1x2x2x1\n"
      "const %k f32 1 = {0.5}\n"
      "node m = mul(%x %k) -> %m f32 1x2x2x1\n"
      "node a = add(%m %x) -> %a f32 1x2x2x1\n"
      "node p = max_pool2d(%a) -> %p f32 1x1x1x1 {kernel_y=2 kernel_x=2 stride_y=2 stride_x=2}\n"
      "node f = flatten(%p) -> %f f32 1x1\n"
      "const %w f32 2x1 = {1 -2}\n"
      "node c = fully_connected(%f %w) -> %y f32 1x2\n"
      "output %y\n");
  static float x[SAMPLES][4], y[SAMPLES][2];
  th_rng rng = th_rng_init(3, 3);
  for (int i = 0; i < SAMPLES * 4; i++) x[i / 4][i % 4] = th_rng_normal(&rng);
  for (int keep = 0; keep < 2; keep++) {
    th_eval *e = open_eval(g, keep);
    assert_int_equal(th_eval_run(e, SAMPLES, (const void *[]){x}, (void *[]){y}), TH_OK);
    for (int i = 0; i < SAMPLES; i++) {
      const double best = 1.5 * fmax(fmax(x[i][0], x[i][1]), fmax(x[i][2], x[i][3]));
      assert_true(fabs(y[i][0] - best) < 1e-5 && fabs(y[i][1] + 2 * best) < 1e-5);
    }
    th_eval_close(e);
  }
  th_graph_destroy(g);
}

/* An index is an s32 output of a float graph, and can be computed with after a cast. */
static void gives_indices(void **state) {
  th_graph *g = parse(
      "input %x f32 1x5\n"
      "node m = argmax(%x) -> %m s32 1\n"
      "node r = reshape(%m) -> %r s32 1x1\n"
      "node c = cast(%r) -> %c f32 1x1\n"
      "const %k f32 1 = {0.5}\n"
      "node h = mul(%c %k) -> %h f32 1x1\n"
      "output %r\noutput %h\n");
  static float x[SAMPLES][5], half[SAMPLES], as_float[SAMPLES];
  int32_t index[SAMPLES];
  for (int i = 0; i < SAMPLES; i++) x[i][i * 7 % 5] = 1;
  th_eval *e = open_eval(g, false);
  assert_int_equal(th_eval_run(e, SAMPLES, (const void *[]){x}, (void *[]){index, half}), TH_OK);
  for (int i = 0; i < SAMPLES; i++) assert_true(index[i] == i * 7 % 5 && half[i] == 0.5f * (float)index[i]);
  assert_int_equal(th_eval_run_f32(e, SAMPLES, (const float *[]){x[0]}, (float *[]){as_float, half}), TH_OK);
  for (int i = 0; i < SAMPLES; i++) assert_true(as_float[i] == (float)index[i]);
  th_eval_close(e);
  th_graph_destroy(g);
}

static void refuses_integers_in_float_nodes(void **state) {
  static const char *const bad[] = {
      "input %x s8 1x2 q(0.5,0)\nnode a = relu(%x) -> %y f32 1x2\noutput %y\n",
      "input %w f32 1x2\nconst %x s8 1x2 q(0.5,0) = {1 2}\nnode a = add(%w %x) -> %y f32 1x2\noutput %y\n"};
  static const char *const op[] = {"relu", "add"};
  for (int i = 0; i < 2; i++) {
    char want[100];
    th_graph *g = parse(bad[i]);
    th_eval *e;
    assert_int_equal(th_eval_open(g, false, &e), TH_ERR_INPUT);
    snprintf(want, sizeof want, "a (%s): input x is s8 but it computes in f32; dequantize it first", op[i]);
    assert_string_equal(th_error_message(), want);
    th_error_clear();
    th_graph_destroy(g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(samples_do_not_see_each_other),
      cmocka_unit_test(keeps_every_tensor),
      cmocka_unit_test(quantizes_at_float_borders),
      cmocka_unit_test(runs_mixed_graphs),
      cmocka_unit_test(runs_float_graphs),
      cmocka_unit_test(gives_indices),
      cmocka_unit_test(refuses_integers_in_float_nodes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
