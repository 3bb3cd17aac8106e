/* What passes must not change: the float outputs, on random networks and inputs; and what quantization may change
 * little. The networks have batch norm, depthwise layers, a residual sum, dropout and channels that are dead in several
 * ways. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/str.h"
#include "eval/eval.h"
#include "op/op.h"
#include "pass/calibrate.h"
#include "pass/pass.h"
#include "pass/prune_channels.h"
#include "pass/quantize.h"
#include "pass/round_weights.h"

enum { SAMPLES = 64, IN = 8 * 8 * 2, OUT = 5 };

static void must(th_status status) {
  if (status != TH_OK) fail_msg("%s", th_error_message());
}

/* `dead`: about this many of 8 output channels (rows of `row` values) are all zero. */
static void add_const(th_buf *t, th_rng *rng, const char *name, const char *shape, int n, int row, int dead,
                      float scale, float offset) {
  th_buf_printf(t, "const %%%s f32 %s = {", name, shape);
  bool zero = false;
  for (int i = 0; i < n; i++) {
    if (row && i % row == 0) zero = (int)th_rng_below(rng, 8) < dead;
    th_buf_printf(t, "%s%.9g", i ? " " : "", zero ? 0.0 : (double)(th_rng_normal(rng) * scale + offset));
  }
  th_buf_printf(t, "}\n");
}

static void add_norm(th_buf *t, th_rng *rng, const char *name) {
  const char *const what[] = {"gamma", "beta", "mean", "var"};
  const float offset[] = {1, 0, 0, 4};
  for (int i = 0; i < 4; i++) {
    char full[20];
    snprintf(full, sizeof full, "%s_%s", name, what[i]);
    add_const(t, rng, full, "8", 8, 0, 0, 0.3f, offset[i]);
  }
}

static th_graph *make(uint64_t seed, int dead) {
  th_rng rng = th_rng_init(seed, 2);
  th_buf t = {0};
  th_graph *g;
  th_buf_printf(&t, "graph net\ninput %%x f32 1x8x8x2\n");
  add_const(&t, &rng, "w1", "8x3x3x2", 144, 18, dead, 0.3f, 0);
  add_const(&t, &rng, "b1", "8", 8, 0, 0, 0.5f, 0);
  add_norm(&t, &rng, "n1");
  add_const(&t, &rng, "wd", "1x3x3x8", 72, 0, 0, 0.3f, 0);
  add_norm(&t, &rng, "n2");
  add_const(&t, &rng, "w3", "8x1x1x8", 64, 8, dead, 0.4f, 0);
  add_norm(&t, &rng, "n3");
  add_norm(&t, &rng, "n4");
  add_const(&t, &rng, "w5", "6x2x2x8", 192, 32, dead, 0.2f, 0);
  add_const(&t, &rng, "b5", "6", 6, 0, 0, 0.5f, 0);
  add_const(&t, &rng, "wf", "5x24", 120, 0, 0, 0.2f, 0);
  add_const(&t, &rng, "bf", "5", 5, 0, 0, 0.5f, 0);
  th_buf_printf(
      &t,
      "node c1 = conv2d(%%x %%w1 %%b1) -> %%t1 f32 1x8x8x8 {pad_top=1 pad_bottom=1 pad_left=1 pad_right=1}\n"
      "node n1 = batch_norm(%%t1 %%n1_gamma %%n1_beta %%n1_mean %%n1_var) -> %%t2 f32 1x8x8x8\n"
      "node r1 = relu(%%t2) -> %%t3 f32 1x8x8x8\n"
      "node dw = depthwise_conv2d(%%t3 %%wd) -> %%t4 f32 1x8x8x8 {pad_top=1 pad_bottom=1 pad_left=1 pad_right=1}\n"
      "node n2 = batch_norm(%%t4 %%n2_gamma %%n2_beta %%n2_mean %%n2_var) -> %%t5 f32 1x8x8x8\n"
      "node r2 = relu6(%%t5) -> %%t6 f32 1x8x8x8\n"
      "node c3 = conv2d(%%t6 %%w3) -> %%t7 f32 1x8x8x8\n"
      "node n3 = batch_norm(%%t7 %%n3_gamma %%n3_beta %%n3_mean %%n3_var) -> %%t8 f32 1x8x8x8\n"
      "node sum = add(%%t8 %%t3) -> %%t9 f32 1x8x8x8\n"
      "node n4 = batch_norm(%%t9 %%n4_gamma %%n4_beta %%n4_mean %%n4_var) -> %%t10 f32 1x8x8x8\n"
      "node r4 = relu(%%t10) -> %%t11 f32 1x8x8x8\n"
      "node mp = max_pool2d(%%t11) -> %%t12 f32 1x4x4x8 {kernel_y=2 kernel_x=2 stride_y=2 stride_x=2}\n"
      "node c5 = conv2d(%%t12 %%w5 %%b5) -> %%t13 f32 1x2x2x6 {stride_y=2 stride_x=2 activation=relu}\n"
      "node dr = dropout(%%t13) -> %%t14 f32 1x2x2x6\n"
      "node fl = flatten(%%t14) -> %%t15 f32 1x24\n"
      "node fc = fully_connected(%%t15 %%wf %%bf) -> %%y f32 1x5\n"
      "output %%y\n");
  must(th_graph_parse((const char *)t.data, t.size, "net", NULL, NULL, &g));
  th_buf_free(&t);
  must(th_op_infer_all(g));
  return g;
}

static void fill(float *x, uint64_t seed) {
  th_rng rng = th_rng_init(seed, 3);
  for (int i = 0; i < SAMPLES * IN; i++) x[i] = th_rng_uniform(&rng);
}

static void run(const th_graph *g, const float *x, float *y) {
  th_eval *eval;
  must(th_eval_open(g, false, &eval));
  must(th_eval_run_f32(eval, SAMPLES, &x, &y));
  th_eval_close(eval);
}

static double largest_difference(const float *a, const float *b) {
  double most = 0;
  for (int i = 0; i < SAMPLES * OUT; i++)
    most = fmax(most, fabs((double)a[i] - (double)b[i]) / (1 + fabs((double)a[i])));
  return most;
}

/* Signal to noise ratio in decibels of y against the float answer. */
static double decibels(const float *want, const float *y) {
  double signal = 0, noise = 0;
  for (int i = 0; i < SAMPLES * OUT; i++) {
    signal += (double)want[i] * (double)want[i];
    noise += ((double)want[i] - (double)y[i]) * ((double)want[i] - (double)y[i]);
  }
  return 10 * log10(signal / (noise + 1e-30));
}

static float x[SAMPLES * IN], before[SAMPLES * OUT], after[SAMPLES * OUT];

static void each_pass_keeps_the_values(void **state) {
  const char *const lists[] = {"drop_identity",
                               "fold_bn",
                               "fuse_activation",
                               "dead",
                               "fold_bn,fuse_activation",
                               "drop_identity,fold_bn,fuse_activation,dead",
                               "dead,fold_bn,dead,fuse_activation,dead",
                               "fold_bn,fuse_activation,equalize"};
  for (uint64_t seed = 1; seed <= 12; seed++)
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
      th_graph *g = make(seed, (int)(seed % 5));
      fill(x, seed);
      run(g, x, before);
      must(th_pass_run(g, lists[i], &(th_pass_options){.verify = true}));
      run(g, x, after);
      double d = largest_difference(before, after);
      if (!(d < 2e-4)) fail_msg("seed %d, %s: outputs differ by %g", (int)seed, lists[i], d);
      th_graph_destroy(g);
    }
}

static void dead_channels_disappear(void **state) {
  int64_t with = 0, without = 0;
  for (uint64_t seed = 1; seed <= 8; seed++) {
    th_graph *g = make(seed, 4);
    must(th_pass_run(g, "drop_identity,fold_bn,fuse_activation", NULL));
    with += th_op_cost_all(g).params;
    must(th_pass_run(g, "dead", &(th_pass_options){.verify = true}));
    without += th_op_cost_all(g).params;
    th_graph_destroy(g);
  }
  print_message("%d parameters, %d after dead\n", (int)with, (int)without);
  assert_true(without < with * 8 / 10);
}

typedef struct told {
  int times;
  char last[200];
} told;

static void listen(void *user, th_log_level level, const char *text) {
  told *t = user;
  assert_int_equal(level, TH_LOG_INFO);
  t->times++;
  snprintf(t->last, sizeof t->last, "%s", text);
}

/* The two zero rows of w are the two channels; a second run has nothing to do and says nothing. */
static void dead_says_how_many_channels_go(void **state) {
  static const char text[] =
      "graph g\ninput %x f32 1x2\nconst %w f32 4x2 = {1 2 0 0 3 4 0 0}\nconst %v f32 1x4 = {1 2 3 4}\n"
      "node a = fully_connected(%x %w -) -> %y f32 1x4\nnode b = fully_connected(%y %v -) -> %z f32 1x1\n"
      "output %z\n";
  told t = {0};
  const th_context ctx = {.log = listen, .user = &t};
  th_graph *g;
  must(th_graph_parse(text, sizeof text - 1, "g", NULL, NULL, &g));
  must(th_pass_run(g, "dead,dead", &(th_pass_options){.ctx = &ctx}));
  assert_int_equal(t.times, 1);
  assert_string_equal(t.last, "2 channels removed that cannot influence the result");
  th_graph_destroy(g);
}

static void few_zeros_are_chance(void **state) {
  assert_false(th_op_is_pruned(0, 0));
  assert_false(th_op_is_pruned(0, 10));
  assert_false(th_op_is_pruned(199, 10000));
  assert_true(th_op_is_pruned(200, 10000));
}

static void pruned_channels_disappear(void **state) {
  for (int global = 0; global < 2; global++) {
    th_graph *g = make(3, 0);
    th_op_cost cost = th_op_cost_all(g);
    int removed;
    th_prune_channels_options o = {.sparsity = 0.5f, .global = global};
    must(th_prune_channels(g, &o, &removed));
    must(th_graph_verify(g));
    run(g, x, after);
    assert_true(removed > 4);
    assert_true(th_op_cost_all(g).macs < cost.macs * 6 / 10);
    assert_true(th_op_cost_all(g).params < cost.params * 7 / 10);
    th_graph_destroy(g);
  }
}

static double quantized_decibels(uint64_t seed, th_calibration method, const th_quantize_options *o) {
  th_graph *g = make(seed, 0);
  const float *inputs[] = {x};
  fill(x, seed);
  must(th_pass_run(g, "drop_identity,fold_bn,fuse_activation,dead", NULL));
  run(g, x, before);
  must(th_calibrate(g, SAMPLES, inputs, &(th_calibrate_options){.method = method}));
  assert_true(g->tensors[g->inputs[0]].quant.scale[0] == 1.0f / 255 && g->tensors[g->inputs[0]].quant.zero[0] == -128);
  must(th_quantize(g, o));
  run(g, x, after);
  assert_int_equal(g->tensors[g->inputs[0]].dtype, o->float_io ? TH_DTYPE_F32 : TH_DTYPE_S8);
  th_graph_destroy(g);
  return decibels(before, after);
}

static void quantized_values_are_close(void **state) {
  const th_quantize_options options[] = {{0},
                                         {.weight_range = TH_WEIGHT_RANGE_MSE},
                                         {.per_channel_fc = true},
                                         {.float_io = true},
                                         {.bias_error = 0.0625f},
                                         {.few_scales = true}};
  for (int m = 0; m < TH_CALIBRATION_COUNT; m++)
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
      double sum = 0;
      for (uint64_t seed = 1; seed <= 5; seed++) sum += quantized_decibels(seed, (th_calibration)m, &options[i]) / 5;
      print_message("%s, options %d: %.1f dB\n", th_calibration_name((th_calibration)m), (int)i, sum);
      assert_true(sum > 28);
    }
}

/* --- rounding --- */

static th_weight_type_id same_type(void *user, const th_graph *g, int node) {
  (void)g;
  (void)node;
  return *(th_weight_type_id *)user;
}

static void check_levels(const th_graph *g, const th_weight_type *type) {
  for (int i = 0; i < g->n_nodes; i++) {
    if (th_op_weight_input(g->nodes[i].op) != 1) continue;
    const th_tensor *t = &g->tensors[g->nodes[i].in[1]];
    const int8_t *q = t->data;
    for (int64_t k = 0; k < th_shape_elems(&t->shape); k++) assert_in_range(q[k] - type->lo, 0, type->hi - type->lo);
  }
}

/* Decibels of a network with such weights and 16-bit activations, and the mean error of its outputs in `bias`. */
static double rounded_decibels(uint64_t seed, th_weight_type_id type, th_rounding rounding, bool correct,
                               double *bias) {
  th_graph *g = make(seed, 0);
  const float *inputs[] = {x};
  const th_quantize_options q = {.activation = TH_DTYPE_S16, .weight_range = TH_WEIGHT_RANGE_MSE};
  const th_round_options o = {
      .quantize = &q, .type = same_type, .user = &type, .rounding = rounding, .bias_correction = correct};
  fill(x, seed);
  must(th_pass_run(g, "drop_identity,fold_bn,fuse_activation,dead", NULL));
  run(g, x, before);
  must(th_calibrate(g, SAMPLES, inputs, &(th_calibrate_options){.activation = TH_DTYPE_S16}));
  must(th_round_weights(g, SAMPLES, inputs, &o));
  must(th_quantize(g, &q));
  check_levels(g, th_weight_type_of(type));
  run(g, x, after);
  th_graph_destroy(g);
  *bias = 0;
  for (int c = 0; c < OUT; c++) {
    double mean = 0;
    for (int i = 0; i < SAMPLES; i++) mean += (double)after[i * OUT + c] - (double)before[i * OUT + c];
    *bias += fabs(mean / SAMPLES) / OUT;
  }
  return decibels(before, after);
}

static void rounding_with_inputs_errs_less(void **state) {
  for (int type = TH_WEIGHT_INT4; type < TH_WEIGHT_TYPE_COUNT; type++) {
    double db[3] = {0}, bias[3] = {0}, b;
    for (uint64_t seed = 1; seed <= 4; seed++)
      for (int k = 0; k < 3; k++) {
        const th_rounding r = k == 2 ? TH_ROUNDING_ADAROUND : TH_ROUNDING_NEAREST;
        db[k] += rounded_decibels(seed, (th_weight_type_id)type, r, k > 0, &b) / 4;
        bias[k] += b / 4;
      }
    print_message("%s: nearest %.1f dB, bias corrected %.1f, adaround too %.1f; mean error %.4f, %.4f, %.4f\n",
                  th_weight_type_of((th_weight_type_id)type)->name, db[0], db[1], db[2], bias[0], bias[1], bias[2]);
    assert_true(db[1] > db[0] && db[2] > db[1] + 1);
    assert_true(bias[1] < bias[0] / 4 && bias[2] < bias[0] / 4);
  }
}

/* One value in 640,000 is far outside: clipping it pays. With range r and one such value, rounding costs (r/255)^2 / 12
 * for each value and clipping to f * r costs (r - f * r)^2 once: the best f is about 0.55. */
static void clipping_ignores_outliers(void **state) {
  static const char text[] = "graph g\ninput %x f32 1x1000\nnode r = leaky_relu(%x) -> %y f32 1x1000\noutput %y\n";
  enum { N = 640000 };
  float *v = malloc(N * sizeof *v), scale[TH_CALIBRATION_COUNT];
  th_rng rng = th_rng_init(5, 5);
  for (int i = 0; i < N; i++) v[i] = fabsf(th_rng_normal(&rng));
  v[12345] = 100;
  for (int m = 0; m < TH_CALIBRATION_COUNT; m++) {
    th_graph *g;
    const float *inputs[] = {v};
    must(th_graph_parse(text, sizeof text - 1, "g", NULL, NULL, &g));
    must(th_calibrate(g, 640, inputs, &(th_calibrate_options){.method = (th_calibration)m, .percentile = 99.9f}));
    scale[m] = g->tensors[g->inputs[0]].quant.scale[0];
    th_graph_destroy(g);
  }
  assert_true(scale[TH_CALIBRATION_MINMAX] == (float)(100.0 / 255));
  assert_true(fabsf(scale[TH_CALIBRATION_MSE] / scale[TH_CALIBRATION_MINMAX] - 0.55f) < 0.06f);
  assert_true(scale[TH_CALIBRATION_ENTROPY] < scale[TH_CALIBRATION_MSE]);
  /* 0.05 per cent on each side: |x| below 3.48 of a normal distribution; a bin is 0.05 wide */
  assert_true(fabsf(scale[TH_CALIBRATION_PERCENTILE] * 255 - 3.48f) < 0.15f);
  free(v);
}

static void a_grid_that_is_there_stays(void **state) {
  static const char text[] = "graph g\ninput %x f32 1x4 q(0.25,3)\nnode r = relu(%x) -> %y f32 1x4\noutput %y\n";
  const float v[] = {-1, 2, 3, 4}, *inputs[] = {v};
  th_graph *g;
  must(th_graph_parse(text, sizeof text - 1, "g", NULL, NULL, &g));
  must(th_calibrate(g, 1, inputs, &(th_calibrate_options){0}));
  assert_true(g->tensors[g->inputs[0]].quant.scale[0] == 0.25f && g->tensors[g->inputs[0]].quant.zero[0] == 3);
  assert_true(g->tensors[g->outputs[0]].quant.scale[0] == (float)(4.0 / 255));
  assert_int_equal(g->tensors[g->outputs[0]].quant.zero[0], -128);
  th_graph_destroy(g);
}

static void values_that_are_not_finite_are_refused(void **state) {
  static const char text[] = "graph g\ninput %x f32 1x2\nnode r = relu(%x) -> %y f32 1x2\noutput %y\n";
  const float v[] = {1, INFINITY}, *inputs[] = {v};
  for (int m = 0; m < TH_CALIBRATION_COUNT; m++) {
    th_graph *g;
    must(th_graph_parse(text, sizeof text - 1, "g", NULL, NULL, &g));
    assert_int_equal(th_calibrate(g, 1, inputs, &(th_calibrate_options){.method = (th_calibration)m}), TH_ERR_INPUT);
    assert_non_null(strstr(th_error_message(), "not finite"));
    th_error_clear();
    th_graph_destroy(g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_pass_keeps_the_values),     cmocka_unit_test(dead_channels_disappear),
      cmocka_unit_test(dead_says_how_many_channels_go), cmocka_unit_test(few_zeros_are_chance),
      cmocka_unit_test(pruned_channels_disappear),      cmocka_unit_test(quantized_values_are_close),
      cmocka_unit_test(rounding_with_inputs_errs_less), cmocka_unit_test(clipping_ignores_outliers),
      cmocka_unit_test(a_grid_that_is_there_stays),     cmocka_unit_test(values_that_are_not_finite_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
