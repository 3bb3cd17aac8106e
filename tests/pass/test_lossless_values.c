/* What lossless passes must not change: any byte of an int8 network's outputs. Random networks, run by the runtime's
 * kernels before and after each pass. They have padding, strides, depthwise layers, a residual sum, a concatenation of
 * channels, pools and channels that are constant, saturated, unread or doubled. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/str.h"
#include "eval/eval.h"
#include "op/op.h"
#include "pass/narrow.h"
#include "pass/pass.h"
#include "pass/reach.h"

enum { SAMPLES = 48, IN = 9 * 7 * 3, OUT = 5 + 12, NETS = 40 };

static void must(th_status status) {
  if (status != TH_OK) fail_msg("%s", th_error_message());
}

/* --- networks --- */

typedef struct net {
  th_buf text;
  th_rng rng;
} net;

static int below(net *t, int n) {
  return (int)th_rng_below(&t->rng, (uint32_t)n);
}

static void print_values(net *t, const char *name, const char *type, const char *shape, const char *quant, const int *v,
                         int n) {
  th_buf_printf(&t->text, "const %%%s %s %s %s = {", name, type, shape, quant);
  for (int i = 0; i < n; i++) th_buf_printf(&t->text, "%s%d", i ? " " : "", v[i]);
  th_buf_printf(&t->text, "}\n");
}

/* Weights of `rows` output channels and their biases. Some rows are zero, some like the row before, some have a bias
 * that no input can make up for; some columns (input channel, at position i % depth of a row) are zero. */
static void add_layer(net *t, const char *name, const char *shape, int rows, int row, int depth, int axis,
                      const char *scales) {
  static int w[8192], b[64], graph_order[8192];
  bool dead_column[64] = {false};
  char full[20], quant[600];
  for (int c = 0; c < depth; c++) dead_column[c] = depth > 1 && below(t, 6) == 0;
  for (int o = 0; o < rows; o++) {
    const int kind = below(t, 8); /* 0: zero row; 1: as the row before; 2, 3: saturated; 4: small weights */
    for (int i = 0; i < row; i++) {
      int v = below(t, 255) - 127;
      if (kind == 4) v /= 32;
      w[o * row + i] = kind == 0 || dead_column[i % depth] ? 0 : kind == 1 && o > 0 ? w[(o - 1) * row + i] : v;
    }
    b[o] = kind == 1 && o > 0 ? b[o - 1] : below(t, 20000) - 10000;
    if (kind == 2) b[o] = -30000000;
    if (kind == 3) b[o] = 30000000;
  }
  for (int i = 0; i < rows * row; i++) graph_order[axis == 3 ? i % row * rows + i / row : i] = w[i];
  snprintf(quant, sizeof quant, "q[%d](%s)", axis, scales);
  snprintf(full, sizeof full, "w%s", name);
  print_values(t, full, "s8", shape, axis < 0 ? "q(0.01,0)" : quant, graph_order, rows * row);
  snprintf(full, sizeof full, "%d", rows);
  char bias[20];
  snprintf(bias, sizeof bias, "b%s", name);
  print_values(t, bias, "s32", full, "q(0.0005,0)", b, rows);
}

#define EIGHT "0.01,0 0.01,0 0.02,0 0.02,0 0.005,0 0.005,0 0.01,0 0.01,0"
#define SIX "0.01,0 0.01,0 0.01,0 0.02,0 0.02,0 0.005,0"

static th_graph *make(uint64_t seed) {
  net t = {.rng = th_rng_init(seed, 11)};
  const int z1 = below(&t, 3) ? -128 : 5, z2 = below(&t, 2) ? -128 : -100;
  const char *act = below(&t, 2) ? "relu" : "relu6", *pad = below(&t, 2) ? "pad_top=1 pad_left=1 " : "pad_top=0 ";
  const int out = pad[8] == '1' ? 5 : 4, out_x = pad[8] == '1' ? 4 : 3;
  th_graph *g;
  th_buf_printf(&t.text, "graph net\ninput %%x s8 1x9x7x3 q(0.05,-3)\n");
  add_layer(&t, "1", "8x3x3x3", 8, 27, 3, 0, EIGHT);
  add_layer(&t, "d", "1x3x3x8", 8, 9, 1, 3, EIGHT);
  add_layer(&t, "2", "8x1x1x8", 8, 8, 8, 0, EIGHT);
  add_layer(&t, "e", "1x3x3x8", 8, 9, 1, 3, EIGHT);
  add_layer(&t, "3", "6x1x1x16", 6, 16, 16, 0, SIX);
  add_layer(&t, "4", "6x3x3x6", 6, 54, 6, 0, SIX);
  add_layer(&t, "f", "5x36", 5, 36, 6, -1, "");
  add_layer(&t, "g", "12x6", 12, 6, 6, -1, "");
  th_buf_printf(
      &t.text,
      "node c1 = conv2d(%%x %%w1 %%b1) -> %%t1 s8 1x9x7x8 q(0.04,%d) {pad_top=1 pad_bottom=1 pad_left=1 pad_right=1 "
      "activation=%s}\n"
      "node dw = depthwise_conv2d(%%t1 %%wd %%bd) -> %%t2 s8 1x9x7x8 q(0.03,%d) {pad_top=1 pad_bottom=1 pad_left=1 "
      "pad_right=1 activation=relu}\n"
      "node c2 = conv2d(%%t2 %%w2 %%b2) -> %%t3 s8 1x9x7x8 q(0.05,2) {activation=none}\n"
      "node sum = add(%%t3 %%t1) -> %%t4 s8 1x9x7x8 q(0.06,-20) {activation=relu}\n"
      "node mp = max_pool2d(%%t4) -> %%t5 s8 1x%dx%dx8 q(0.06,-20) {kernel_y=2 kernel_x=2 stride_y=2 stride_x=2 %s%s}\n"
      "node de = depthwise_conv2d(%%t4 %%we %%be) -> %%t6 s8 1x%dx%dx8 q(0.06,-20) {stride_y=2 stride_x=2 %s%s}\n"
      "node cat = concat(%%t5 %%t6) -> %%t7 s8 1x%dx%dx16 q(0.06,-20) {axis=3}\n"
      "node c3 = conv2d(%%t7 %%w3 %%b3) -> %%t8 s8 1x%dx%dx6 q(0.05,-128) {activation=relu}\n"
      "node c4 = conv2d(%%t8 %%w4 %%b4) -> %%t9 s8 1x3x2x6 q(0.05,-60) {stride_y=2 stride_x=2 pad_top=1 "
      "pad_bottom=%d pad_left=1 pad_right=1 activation=relu6}\n"
      "node fl = flatten(%%t9) -> %%t10 s8 1x36 q(0.05,-60)\n"
      "node fc = fully_connected(%%t10 %%wf %%bf) -> %%y s8 1x5 q(0.1,3)\n"
      "node me = mean(%%t9) -> %%t11 s8 1x6 q(0.04,-90) {axes_mask=6}\n"
      "node fg = fully_connected(%%t11 %%wg %%bg) -> %%t12 s8 1x12 q(0.05,0) {activation=relu}\n"
      "node lo = sigmoid(%%t12) -> %%y2 s8 1x12 q(0.00390625,-128)\n"
      "output %%y\noutput %%y2\n",
      z1, act, z2, out, out_x, pad, pad[8] == '1' ? "pad_bottom=0 pad_right=0" : "pad_bottom=0", out, out_x,
      pad[8] == '1' ? "pad_top=1 pad_left=1 " : "", pad[8] == '1' ? "pad_bottom=1 pad_right=1" : "", out, out_x, out,
      out_x, out == 5 ? 1 : 2);
  must(th_graph_parse((const char *)t.text.data, t.text.size, "net", NULL, NULL, &g));
  th_buf_free(&t.text);
  must(th_op_infer_all(g));
  return g;
}

/* --- running --- */

static void fill(int8_t *x, uint64_t seed) {
  th_rng rng = th_rng_init(seed, 3);
  for (int s = 0; s < SAMPLES; s++) { /* noise, extremes, flat */
    const int flat = (int)th_rng_below(&rng, 256) - 128;
    for (int i = 0; i < IN; i++) {
      const int noise = (int)th_rng_below(&rng, 256) - 128;
      x[s * IN + i] = (int8_t)(s % 3 == 0 ? noise : s % 3 == 1 ? (noise < 0 ? -128 : 127) : flat);
    }
  }
}

static void run(const th_graph *g, const int8_t *x, int8_t *y) {
  th_eval *eval;
  const void *in[] = {x};
  void *out[] = {y, y + SAMPLES * 5};
  must(th_eval_open(g, false, &eval));
  must(th_eval_run(eval, SAMPLES, in, out));
  th_eval_close(eval);
}

static int64_t zeros_of(const th_graph *g) {
  int64_t zeros = 0;
  for (int i = 0; i < g->n_nodes; i++) {
    const int input = th_op_weight_input(g->nodes[i].op);
    const th_tensor *w = input < 0 ? NULL : th_node_in(g, &g->nodes[i], input);
    for (int64_t k = 0; w && k < th_shape_elems(&w->shape); k++) zeros += ((const int8_t *)w->data)[k] == 0;
  }
  return zeros;
}

static int8_t x[SAMPLES * IN], before[SAMPLES * OUT], after[SAMPLES * OUT];

typedef struct effect { /* over all networks */
  int64_t zeros_before, zeros_after, macs_before, macs_after;
} effect;

static effect keeps_every_byte(const char *passes) {
  effect e = {0};
  int different = 0;
  for (uint64_t seed = 1; seed <= NETS; seed++) {
    th_graph *g = make(seed);
    fill(x, seed);
    run(g, x, before);
    e.zeros_before += zeros_of(g);
    e.macs_before += th_op_cost_all(g).macs;
    must(th_pass_run(g, passes, &(th_pass_options){.verify = true}));
    e.zeros_after += zeros_of(g);
    e.macs_after += th_op_cost_all(g).macs;
    run(g, x, after);
    if (memcmp(before, after, sizeof before) != 0) fail_msg("seed %d, %s: outputs differ", (int)seed, passes);
    for (int i = 1; i < SAMPLES * OUT; i++) different += before[i] != before[0];
    th_graph_destroy(g);
  }
  assert_true(different > NETS * SAMPLES); /* the networks do depend on their inputs */
  print_message("%s: zeros %d -> %d, MACs %d -> %d\n", passes, (int)e.zeros_before, (int)e.zeros_after,
                (int)e.macs_before, (int)e.macs_after);
  return e;
}

static void constant_channels(void **state) {
  const effect e = keeps_every_byte("constant_channels");
  assert_true(e.zeros_after > e.zeros_before * 12 / 10);
  assert_true(e.macs_after == e.macs_before);
}

static void dead_channels(void **state) {
  const effect e = keeps_every_byte("dead");
  assert_true(e.macs_after < e.macs_before);
}

static void constant_then_dead(void **state) {
  const effect one = keeps_every_byte("dead"), both = keeps_every_byte("constant_channels,dead");
  assert_true(both.macs_after < one.macs_after);
}

static void equal_channels(void **state) {
  const effect one = keeps_every_byte("constant_channels,dead"),
               both = keeps_every_byte("constant_channels,dead,merge_channels,dead");
  assert_true(both.macs_after < one.macs_after);
}

static void sorted_channels(void **state) {
  const effect e = keeps_every_byte("sort_channels"), all = keeps_every_byte("constant_channels,dead,sort_channels");
  assert_true(e.macs_after == e.macs_before && all.macs_after < all.macs_before);
  for (uint64_t seed = 1; seed <= NETS; seed++) { /* c3 has falling scales then */
    th_graph *g = make(seed);
    must(th_pass_run(g, "sort_channels", NULL));
    const th_quant *q = &th_node_in(g, &g->nodes[7], 1)->quant; /* the others meet in a concatenation */
    for (int i = 1; i < q->count; i++) assert_true(q->scale[i] <= q->scale[i - 1]);
    th_graph_destroy(g);
  }
}

/* Kernels larger than what they see, on images of every small size. */
static void useless_taps(void **state) {
  int cropped = 0;
  for (int y = 1; y <= 4; y++) {
    for (int x1 = 1; x1 <= 4; x1++) {
      net t = {.rng = th_rng_init((uint64_t)(y * 8 + x1), 5)};
      th_graph *g;
      static int8_t in_bytes[16 * 8 * 2], a[16 * 8 * 2], b[16 * 8 * 2];
      const int stride = 1 + below(&t, 2), oy = (y + stride - 1) / stride, ox = (x1 + stride - 1) / stride;
      int32_t top, bottom, left, right;
      th_op_same_padding(y, 5, stride, 1, &top, &bottom);
      th_op_same_padding(x1, 3, stride, 1, &left, &right);
      th_buf_printf(&t.text, "graph net\ninput %%x s8 1x%dx%dx2 q(0.05,-3)\n", y, x1);
      add_layer(&t, "1", "2x5x3x2", 2, 30, 2, 0, "0.01,0 0.02,0");
      th_buf_printf(
          &t.text,
          "node c1 = conv2d(%%x %%w1 %%b1) -> %%y s8 1x%dx%dx2 q(0.04,5) {pad_top=%d pad_bottom=%d pad_left=%d "
          "pad_right=%d stride_y=%d stride_x=%d}\noutput %%y\n",
          oy, ox, (int)top, (int)bottom, (int)left, (int)right, stride, stride);
      must(th_graph_parse((const char *)t.text.data, t.text.size, "net", NULL, NULL, &g));
      must(th_op_infer_all(g));
      for (int i = 0; i < 8 * y * x1 * 2; i++) in_bytes[i] = (int8_t)(below(&t, 256) - 128);
      for (int round = 0; round < 2; round++) {
        th_eval *eval;
        const void *in[] = {in_bytes};
        void *out[] = {round ? b : a};
        must(th_eval_open(g, false, &eval));
        must(th_eval_run(eval, 8, in, out));
        th_eval_close(eval);
        if (round == 0) must(th_pass_run(g, "constant_channels,crop_kernels", &(th_pass_options){.verify = true}));
      }
      assert_memory_equal(a, b, (size_t)(8 * oy * ox * 2));
      const th_shape *w = &th_node_in(g, &g->nodes[0], 1)->shape;
      cropped += w->dim[1] < 5 || w->dim[2] < 3;
      th_buf_free(&t.text);
      th_graph_destroy(g);
    }
  }
  print_message("%d of 16 kernels cropped\n", cropped);
  assert_true(cropped >= 8);
}

/* All sums that a row can have, one by one. */
static void check_row(const th_program_step *a, const th_program_step *b, int32_t row, th_sum_range sum) {
  for (int64_t s = sum.lo; s <= sum.hi && s < sum.lo + 400000; s++)
    if (th_reach_output(a, row, (int32_t)s) != th_reach_output(b, row, (int32_t)s))
      fail_msg("%s, row %d: another output for the sum %ld", a->name, (int)row, (long)s);
}

static int significant_bits(int32_t mult) {
  return mult ? 31 - __builtin_ctz((unsigned)mult) : 0;
}

static void narrow_multipliers(void **state) {
  int64_t bits_before = 0, bits_after = 0;
  for (uint64_t seed = 1; seed <= 6; seed++) {
    th_graph *g = make(seed);
    th_program *p, *narrow;
    th_reach reach;
    th_arena *arena = th_arena_create();
    for (int i = 0; i < g->n_tensors; i++) { /* scales without pattern */
      float *scale = (float *)(uintptr_t)g->tensors[i].quant.scale;
      for (int c = 0; g->tensors[i].data && g->tensors[i].dtype == TH_DTYPE_S8 && c < g->tensors[i].quant.count; c++)
        scale[c] *= 0.8f + 0.0123f * (float)((c * 7 + i) % 23);
    }
    must(th_lower(g, &p));
    must(th_lower(g, &narrow));
    must(th_reach_find(g, p, arena, &reach));
    must(th_pass_narrow(narrow));
    for (int i = 0; i < p->n_steps; i++) {
      for (uint32_t c = 0; reach.sum[i] && c < p->steps[i].requant_count; c++) {
        bits_before += significant_bits(p->steps[i].mult[c]);
        bits_after += significant_bits(narrow->steps[i].mult[c]);
        if (p->steps[i].requant_count == p->steps[i].bias_count)
          check_row(&p->steps[i], &narrow->steps[i], (int32_t)c, reach.sum[i][c]);
      }
    }
    th_program_destroy(p);
    th_program_destroy(narrow);
    th_arena_destroy(arena);
    th_graph_destroy(g);
  }
  print_message("%d significant bits of multipliers, narrowed %d\n", (int)bits_before, (int)bits_after);
  assert_true(bits_after < bits_before * 9 / 10);
}

/* Every value that the kernels give lies in its interval, and many intervals are narrow. */
static void check_tensor(const th_graph *g, const th_eval *eval, const th_reach *reach, int t, int *narrow) {
  const int8_t *v = th_eval_tensor(eval, t);
  const th_shape *shape = &g->tensors[t].shape;
  const int dim = shape->dim[shape->rank - 1];
  if (g->tensors[t].data || !v) return;
  for (int c = 0; c < dim; c++) *narrow += reach->of[t][c].hi - reach->of[t][c].lo < 255;
  for (int64_t i = 0; i < SAMPLES * th_shape_elems(shape); i++) {
    const th_range r = reach->of[t][i % dim];
    if (v[i] < r.lo || v[i] > r.hi)
      fail_msg("%s, channel %d: %d is outside [%d, %d]", g->tensors[t].name, (int)(i % dim), v[i], r.lo, r.hi);
  }
}

static void intervals_hold(void **state) {
  int narrow = 0;
  for (uint64_t seed = 1; seed <= NETS; seed++) {
    th_graph *g = make(seed);
    th_program *p;
    th_reach reach;
    th_eval *eval;
    const void *in[] = {x};
    void *out[] = {after, after + SAMPLES * 5};
    th_arena *arena = th_arena_create();
    fill(x, seed);
    must(th_lower(g, &p));
    must(th_reach_find(g, p, arena, &reach));
    must(th_eval_open(g, true, &eval));
    must(th_eval_run(eval, SAMPLES, in, out));
    for (int t = 0; t < g->n_tensors; t++) check_tensor(g, eval, &reach, t, &narrow);
    th_eval_close(eval);
    th_program_destroy(p);
    th_arena_destroy(arena);
    th_graph_destroy(g);
  }
  print_message("%d channels have narrow intervals\n", narrow);
  assert_true(narrow > 10 * NETS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(intervals_hold),     cmocka_unit_test(constant_channels),  cmocka_unit_test(dead_channels),
      cmocka_unit_test(constant_then_dead), cmocka_unit_test(equal_channels),     cmocka_unit_test(useless_taps),
      cmocka_unit_test(sorted_channels),    cmocka_unit_test(narrow_multipliers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
