/* Lowering: multipliers, clamps and geometry against numbers computed apart (by an independent script, from TFLite's
 * formulas), the shape of programs, and what must be refused. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/eval.h"
#include "eval/lower.h"

typedef struct lowered {
  th_graph *g;
  th_program *p;
} lowered;

static lowered lower_text(const char *text) {
  lowered l = {0};
  th_error_clear();
  th_status status = th_graph_parse(text, strlen(text), "text", NULL, NULL, &l.g);
  if (status == TH_OK) status = th_lower(l.g, &l.p);
  if (status != TH_OK) fail_msg("%s", th_error_message());
  return l;
}

static void release(lowered l) {
  th_program_destroy(l.p);
  th_graph_destroy(l.g);
}

static void assert_pair(int32_t mult, int shift, int32_t want_mult, int want_shift) {
  assert_int_equal(mult, want_mult);
  assert_int_equal(shift, want_shift);
}

/* --- multipliers --- */

static void multipliers_of_known_reals(void **state) {
  static const struct {
    double real;
    int32_t mult;
    int shift;
  } cases[] = {
      {0, 0, 0},
      {1, 1 << 30, 1},
      {0.5, 1 << 30, 0},
      {0.25, 1 << 30, -1},
      {3, 1610612736, 2},
      {1 - 0x1p-40, 1 << 30, 1}, /* rounds up to the next power of two */
      {1 - 0x1p-31, INT32_MAX, 0},
      {0x1p-32, 1 << 30, -31},
      {0x1p-33, 0, 0},
      {1.0 / 3, 1431655765, -1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int32_t mult;
    int8_t shift;
    th_quantize_multiplier(cases[i].real, &mult, &shift);
    assert_pair(mult, shift, cases[i].mult, cases[i].shift);
  }
}

static void multipliers_are_the_nearest(void **state) {
  th_rng rng = th_rng_init(1, 1);
  for (int i = 0; i < 1000000; i++) {
    const double real =
        ldexp(1 + th_rng_uniform(&rng) + 0x1p-26 * th_rng_uniform(&rng), (int)th_rng_below(&rng, 50) - 30);
    int32_t mult;
    int8_t shift;
    th_quantize_multiplier(real, &mult, &shift);
    assert_true(mult >= 1 << 30);
    assert_true(fabs(ldexp(mult, shift - 31) - real) <= ldexp(0.5, shift - 31));
  }
}

/* --- layers with weights --- */

static void convolution_is_lowered(void **state) {
  lowered l = lower_text(
      "input %x s8 1x5x6x2 q(0.5,7)\n"
      "const %w s8 4x3x2x1 q[0](0.01,0 0.02,0 0.01,0 0.03,0) = {1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 "
      "21 22 23 24}\n"
      "const %b s32 4 = {1 -2 300000 -2147483648}\n"
      "node c = conv2d(%x %w %b) -> %y s8 1x3x3x4 q(0.3,-5) {stride_y=2 stride_x=2 pad_top=1 pad_left=0 groups=2 "
      "activation=relu}\n"
      "output %y\n");
  assert_int_equal(l.p->n_steps, 1);
  const th_program_step *s = &l.p->steps[0];
  const thr_conv2d_params *p = &s->step.p.conv2d;
  assert_int_equal(s->step.kernel, THR_KERNEL_CONV2D_S8);
  const int32_t got[] = {p->in_y,     p->in_x,     p->in_c,     p->out_y,      p->out_x,      p->out_c, p->kernel_y,
                         p->kernel_x, p->stride_y, p->stride_x, p->dilation_y, p->dilation_x, p->pad_y, p->pad_x,
                         p->groups,   p->in_zero,  p->out_zero, p->lo,         p->hi};
  const int32_t want[] = {5, 6, 2, 3, 3, 4, 3, 2, 2, 2, 1, 1, 1, 0, 2, 7, -5, -5, 127};
  assert_memory_equal(got, want, sizeof want);
  /* three distinct pairs among four channels take 15 + 4 bytes, four take 20 */
  static const uint8_t index[] = {0, 1, 0, 2};
  assert_int_equal(s->requant_count, 3);
  assert_memory_equal(p->requant.index, index, 4);
  assert_int_equal(p->requant.per_channel, 0);
  assert_pair(s->mult[0], s->shift[0], 1145324541, -5);
  assert_pair(s->mult[1], s->shift[1], 1145324541, -4);
  assert_pair(s->mult[2], s->shift[2], 1717986812, -4);
  assert_int_equal(s->weight_count, 24);
  assert_int_equal(s->row_elems, 6);
  assert_memory_equal(s->weights, l.g->tensors[l.g->nodes[0].in[1]].data, 24);
  static const uint8_t bias[] = {1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xe0, 0x93, 4, 0, 0, 0, 0, 0x80};
  assert_int_equal(p->bias.width, 4);
  assert_int_equal(p->bias.shift, 0);
  assert_memory_equal(p->bias.data, bias, 16);
  assert_int_equal(s->bias_count, 4);
  assert_int_equal(s->scratch_bytes, 0);
  release(l);
}

static void depthwise_weights_become_rows(void **state) {
  lowered l = lower_text(
      "input %x s8 1x2x2x2 q(0.5,0)\n"
      "const %w s8 1x2x1x4 q(0.01,0) = {1 2 3 4 5 6 7 8}\n"
      "node d = depthwise_conv2d(%x %w) -> %y s8 1x1x2x4 q(0.3,0)\n"
      "output %y\n");
  static const int8_t rows[] = {1, 5, 2, 6, 3, 7, 4, 8};
  assert_memory_equal(l.p->steps[0].weights, rows, 8);
  assert_int_equal(l.p->steps[0].row_elems, 2);
  assert_int_equal(l.p->steps[0].requant_count, 1);
  assert_null(l.p->steps[0].index);
  assert_null(l.p->steps[0].bias);
  assert_int_equal(l.p->steps[0].step.p.conv2d.bias.width, 0);
  release(l);
}

static void fully_connected_multiplies_scales_in_double(void **state) {
  static const char *const weights[] = {"q(0.495939642,0)", "q[0](0.495939642,0)"};
  static const int32_t want[] = {1210766221, 1210766221};
  for (int i = 0; i < 2; i++) {
    char text[400];
    snprintf(text, sizeof text,
             "input %%x s8 1x2 q(0.255813956,0)\nconst %%w s8 1x2 %s = {1 2}\n"
             "node f = fully_connected(%%x %%w) -> %%y s8 1x1 q(0.450041562,0) {activation=relu6}\noutput %%y\n",
             weights[i]);
    lowered l = lower_text(text);
    assert_pair(l.p->steps[0].mult[0], l.p->steps[0].shift[0], want[i], -1);
    assert_int_equal(l.p->steps[0].step.p.fully_connected.hi, 13); /* round(6 / 0.45) */
    release(l);
  }
  lowered l = lower_text(
      "input %x s8 1x1 q(0.255813956,0)\n"
      "const %w s8 2x1 q[0](0.495939642,0 0.5,0) = {1 2}\n"
      "node f = fully_connected(%x %w) -> %y s8 1x2 q(0.450041562,0)\noutput %y\n");
  assert_pair(l.p->steps[0].mult[0], l.p->steps[0].shift[0], 1210766221, -1);
  assert_int_equal(l.p->steps[0].step.p.fully_connected.requant.per_channel, 1);
  release(l);
}

/* --- element-wise, activations --- */

static lowered lower_unary(const char *op, const char *in, const char *out) {
  char text[400];
  snprintf(text, sizeof text, "input %%x s8 1x3x7 %s\nnode n = %s -> %%y s8 1x3x7 %s\noutput %%y\n", in, op, out);
  return lower_text(text);
}

static void add_and_sub_have_the_same_multipliers(void **state) {
  static const char *const ops[] = {"add", "sub"};
  static const int32_t want[2][2] = {{1774587301, 1117376670}, {1774587301, 1117376670}};
  for (int i = 0; i < 2; i++) {
    char text[400];
    snprintf(text, sizeof text,
             "input %%a s8 1x2 q(0.651941359,1)\ninput %%b s8 1x2 q(0.788934648,2)\n"
             "node n = %s(%%a %%b) -> %%y s8 1x2 q(0.0947657302,3)\noutput %%y\n",
             ops[i]);
    lowered l = lower_text(text);
    const thr_elementwise_params *p = &l.p->steps[0].step.p.elementwise;
    assert_pair(p->mult[0], p->shift[0], want[i][0], -1);
    assert_pair(p->mult[1], p->shift[1], 1 << 30, 0);
    assert_pair(p->mult[2], p->shift[2], want[i][1], -15);
    assert_int_equal(p->left_shift, 20);
    assert_int_equal(p->a_zero, 1);
    assert_int_equal(p->b_zero, 2);
    assert_int_equal(p->out_zero, 3);
    release(l);
  }
}

static void constants_become_values(void **state) {
  lowered l = lower_text(
      "input %x s8 1x2x3 q(0.02,0)\nconst %k s8 2x1 q(0.03,0) = {5 -6}\n"
      "node m = mul(%x %k) -> %y s8 1x2x3 q(0.04,0)\noutput %y\n");
  const th_program_step *s = &l.p->steps[0];
  const thr_elementwise_params *p = &s->step.p.elementwise;
  static const int32_t dim[] = {1, 1, 2, 3}, stride_a[] = {0, 0, 3, 1}, stride_b[] = {0, 0, 1, 0};
  assert_pair(p->mult[2], p->shift[2], 2061584256, -6);
  assert_memory_equal(p->dim, dim, sizeof dim);
  assert_memory_equal(p->stride_a, stride_a, sizeof dim);
  assert_memory_equal(p->stride_b, stride_b, sizeof dim);
  assert_int_equal(l.p->n_values, 3);
  assert_memory_equal(l.p->values[s->in[1]].data, "\5\xfa", 2);
  assert_int_equal(l.p->values[s->in[1]].bytes, 2);
  assert_null(l.p->values[s->in[0]].data);
  release(l);
}

static void unary_functions_are_lowered(void **state) {
  lowered l = lower_unary("leaky_relu(%x)", "q(0.123,-3)", "q(0.0771,9)");
  release(l);
  l = lower_unary("relu(%x)", "q(0.02,-3)", "q(0.03,9)");
  const thr_unary_params *p = &l.p->steps[0].step.p.unary;
  assert_pair(p->mult[0], p->shift[0], 1431655765, 0);
  assert_int_equal(p->lo, 9);
  assert_int_equal(p->n, 21);
  release(l);
  l = lower_unary("quantize(%x)", "q(0.02,-3)", "q(0.03,9)");
  p = &l.p->steps[0].step.p.unary;
  assert_pair(p->mult[0], p->shift[0], 1431655765, 0);
  assert_int_equal(p->lo, -128);
  release(l);
  l = lower_unary("relu6(%x)", "q(0.05,-3)", "q(0.05,-3)");
  p = &l.p->steps[0].step.p.unary;
  assert_pair(p->mult[0], p->shift[0], 1 << 30, 1);
  assert_int_equal(p->lo, -3);
  assert_int_equal(p->hi, 117);
  release(l);
  l = lower_unary("sigmoid(%x)", "q(0.037,-3)", "q(0.00390625,-128)");
  p = &l.p->steps[0].step.p.unary;
  assert_pair(p->mult[0], p->shift[0], 1271310336, 23);
  assert_int_equal(p->radius, 240);
  release(l);
  l = lower_unary("tanh(%x)", "q(0.037,-3)", "q(0.0078125,0)");
  assert_int_equal(l.p->steps[0].step.kernel, THR_KERNEL_TANH_S8);
  assert_int_equal(l.p->steps[0].step.p.unary.radius, 240);
  release(l);
  l = lower_unary("hard_swish(%x)", "q(0.037,-3)", "q(0.05,-3)");
  p = &l.p->steps[0].step.p.unary;
  assert_pair(p->mult[0], p->shift[0], 24248, -7);
  assert_pair(p->mult[1], p->shift[1], 25865, 2);
  release(l);
  l = lower_unary("softmax(%x)", "q(0.037,-3)", "q(0.00390625,-128)");
  const thr_softmax_params *softmax = &l.p->steps[0].step.p.softmax;
  assert_pair(softmax->mult, softmax->shift, 1271310336, 22);
  assert_int_equal(softmax->diff_min, -496);
  assert_int_equal(softmax->rows, 3);
  assert_int_equal(softmax->depth, 7);
  release(l);
}

static void leaky_relu_has_two_multipliers(void **state) {
  lowered l = lower_text(
      "input %x s8 1x2 q(0.123,-3)\nnode n = leaky_relu(%x) -> %y s8 1x2 q(0.0771,9) {alpha=0.3}\noutput %y\n");
  const thr_unary_params *p = &l.p->steps[0].step.p.unary;
  assert_pair(p->mult[0], p->shift[0], 1712973357, 1); /* in double */
  assert_pair(p->mult[1], p->shift[1], 2055568110, -1);
  release(l);
  l = lower_text(
      "input %x s8 1x2 q(0.123,-3)\nnode n = leaky_relu(%x) -> %y s8 1x2 q(0.0771,9) {alpha=-0.3}\noutput %y\n");
  assert_int_equal(l.p->steps[0].step.p.unary.mult[1], -2055568110);
  release(l);
}

static void mean_carries_the_division(void **state) {
  lowered l =
      lower_text("input %x s8 1x5x7x3 q(0.02,4)\nnode n = mean(%x) -> %y s8 1x3 q(0.03,-9) {axes_mask=6}\noutput %y\n");
  const thr_mean_params *p = &l.p->steps[0].step.p.mean;
  assert_pair(p->mult, p->shift, 1308942413, -5);
  assert_int_equal(p->count, 35);
  assert_true(p->over_y && p->over_x && !p->over_c);
  release(l);
}

/* --- programs --- */

static void reshape_is_another_name(void **state) {
  lowered l = lower_text(
      "input %x s8 1x2x2x1 q(0.1,0)\n"
      "node r = reshape(%x) -> %r s8 1x4 q(0.1,0)\n"
      "node d = dropout(%r) -> %d s8 1x4 q(0.1,0)\n"
      "node a = relu(%d) -> %a s8 1x4 q(0.1,0)\n"
      "node b = add(%a %r) -> %b s8 1x4 q(0.2,0)\n"
      "node f = flatten(%b) -> %y s8 1x4 q(0.2,0)\n"
      "output %y\n");
  assert_int_equal(l.p->n_steps, 2);
  assert_int_equal(l.p->n_values, 3);
  assert_int_equal(th_program_value(l.p, th_graph_find_tensor(l.g, "r")), l.p->inputs[0]);
  assert_int_equal(th_program_value(l.p, th_graph_find_tensor(l.g, "d")), l.p->inputs[0]);
  assert_int_equal(th_program_value(l.p, th_graph_find_tensor(l.g, "b")), l.p->outputs[0]);
  const th_value *x = &l.p->values[l.p->inputs[0]], *y = &l.p->values[l.p->outputs[0]];
  assert_pair(x->first_step, x->last_step, -1, 1);
  assert_pair(y->first_step, y->last_step, 1, 2);
  assert_int_equal(x->offset, TH_NO_OFFSET);
  release(l);
}

/* A read is free unless the value itself leaves the graph or goes into a variable: then it is copied first. */
static void variables_are_copied_only_when_they_must(void **state) {
  static const char head[] =
      "graph g\ninput %x s8 1x2 q(0.5,1)\nstate %u s8 1x2 q(0.5,1) = {3 3}\nstate %v s8 1x2 q(0.5,1) = {3 -4}\n"
      "node r = read_variable(%u) -> %a s8 1x2 q(0.5,1)\nnode q = read_variable(%v) -> %b s8 1x2 q(0.5,1)\n"
      "node y = add(%a %b) -> %sum s8 1x2 q(0.5,1)\n";
  static const struct {
    const char *tail;
    int steps;
  } cases[] = {
      {"node s = assign_variable(%x) -> %u\noutput %sum\n", 2},
      {"node s = assign_variable(%x) -> %u\nnode t = assign_variable(%a) -> %v\noutput %sum\n", 4},
      {"node s = assign_variable(%x) -> %u\noutput %sum\noutput %a\n", 3},
      {"node o = reshape(%b) -> %c s8 2 q(0.5,1)\noutput %sum\noutput %c\n", 2},
  };
  char text[1000];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    snprintf(text, sizeof text, "%s%s", head, cases[i].tail);
    lowered l = lower_text(text);
    assert_int_equal(l.p->n_steps, cases[i].steps);
    int states = 0;
    for (int v = 0; v < l.p->n_values; v++) {
      if (!l.p->values[v].state) continue;
      states++;
      assert_int_equal(l.p->values[v].last_step, l.p->n_steps);
      if (!strcmp(l.p->values[v].name, "u")) assert_true(l.p->values[v].fill == 3 && !l.p->values[v].initial);
      if (!strcmp(l.p->values[v].name, "v")) assert_memory_equal(l.p->values[v].initial, "\3\374", 2);
    }
    assert_int_equal(states, 2);
    release(l);
  }
}

static void concat_copies_its_parts(void **state) {
  lowered l = lower_text(
      "input %a s8 1x2x3 q(0.1,1)\ninput %b s8 1x2x2 q(0.1,1)\n"
      "node c = concat(%a %b %a) -> %y s8 1x2x8 q(0.1,1) {axis=-1}\noutput %y\n");
  static const thr_copy_params want[] = {{2, 3, 8, 0}, {2, 2, 8, 3}, {2, 3, 8, 5}};
  assert_int_equal(l.p->n_steps, 3);
  for (int i = 0; i < 3; i++) {
    assert_memory_equal(&l.p->steps[i].step.p.copy, &want[i], sizeof want[i]);
    assert_int_equal(l.p->steps[i].out, l.p->outputs[0]);
  }
  assert_pair(l.p->values[l.p->outputs[0]].first_step, l.p->values[l.p->outputs[0]].last_step, 0, 3);
  assert_int_equal(l.p->values[l.p->inputs[0]].last_step, 2);
  assert_int_equal(l.p->values[l.p->inputs[1]].last_step, 1);
  release(l);
}

static void refuses_and_says_why(void **state) {
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"input %x f32 1x4\nnode a = relu(%x) -> %y f32 1x4\noutput %y\n", "a (relu): computes in f32"},
      {"input %x u8 1x4 q(0.1,0)\nnode a = relu(%x) -> %y s8 1x4 q(0.1,0)\noutput %y\n",
       "tensor x is u8; integer kernels take s8"},
      {"input %x s8 1x4\nnode a = relu(%x) -> %y s8 1x4 q(0.1,0)\noutput %y\n", "a (relu): tensor x has 0 scales"},
      {"input %x s8 1x4 q(0.1,200)\nnode a = relu(%x) -> %y s8 1x4 q(0.1,0)\noutput %y\n",
       "tensor x has zero point 200"},
      {"input %x s8 1x4 q(0.1,0)\nconst %w s8 1x4 q(0.1,3) = {1 2 3 4}\n"
       "node a = fully_connected(%x %w) -> %y s8 1x1 q(0.1,0)\noutput %y\n",
       "a (fully_connected): weights w have zero point 3 in channel 0, expected 0"},
      {"input %x s8 1x4 q(0.1,0)\nconst %w f32 1x4 = {1 2 3 4}\n"
       "node a = fully_connected(%x %w) -> %y s8 1x1 q(0.1,0)\noutput %y\n",
       "a (fully_connected): weights w are not constant s8 values"},
      {"input %x s8 1x4 q(0.1,0)\nconst %w s8 1x4 q(0.1,0) = {1 2 3 4}\nconst %b f32 1 = {1}\n"
       "node a = fully_connected(%x %w %b) -> %y s8 1x1 q(0.1,0)\noutput %y\n",
       "a (fully_connected): bias b is not 1 constant s32 values"},
      {"input %x s8 1x4 q(0.1,0)\nconst %w s8 1x4 q(0.1,0) = {1 2 3 4}\n"
       "node a = fully_connected(%x %w) -> %y s8 1x1 q(1e-20,0)\noutput %y\n",
       "give a multiplier of"},
      {"input %x s8 1x4 q(0.1,0)\nnode a = softmax(%x) -> %y s8 1x4 q(0.1,0)\noutput %y\n",
       "a (softmax): output has scale 0.100000001 and zero 0, the kernel gives 0.00390625 and -128"},
      {"input %a s8 1x4 q(0.1,0)\ninput %b s8 1x4 q(0.2,0)\nnode c = concat(%a %b) -> %y s8 1x8 q(0.1,0)\noutput %y\n",
       "c (concat): part b (scale 0.2, zero 0) must have the quantization of y"},
      {"input %x s8 1x4x4x1 q(0.1,0)\n"
       "node p = max_pool2d(%x) -> %y s8 1x2x2x1 q(0.2,0) {kernel_y=2 kernel_x=2 stride_y=2 stride_x=2}\noutput %y\n",
       "p (max_pool2d): x (s8, scale 0.1, zero 0) and y (s8, scale 0.2, zero 0) must have the same quantization"},
      {"input %x s8 1x4x4x1 q(0.1,0)\n"
       "node p = max_pool2d(%x) -> %y s8 1x2x2x1 q(0.1,0) {kernel_y=2 kernel_x=2 pad_top=2}\noutput %y\n",
       "p (max_pool2d): pad_top is 2, expected 0 to 1"},
      {"input %x s8 1x4 q(0.1,0)\nnode a = add(%x %x) -> %y s8 1x4 q(0.1,0) {activation=tanh}\noutput %y\n",
       "a (add): fused activation tanh"},
      {"input %x s8 1x4 q(0.1,0)\nconst %k s8 1x4 q(0.1,0) = {1 2 3 4}\noutput %k\n", "output k is not computed"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    th_graph *g;
    th_program *p;
    th_error_clear();
    assert_int_equal(th_graph_parse(cases[i].text, strlen(cases[i].text), "text", NULL, NULL, &g), TH_OK);
    assert_int_equal(th_lower(g, &p), TH_ERR_INPUT);
    if (!strstr(th_error_message(), cases[i].message))
      fail_msg("got \"%s\", expected \"%s\"", th_error_message(), cases[i].message);
    th_graph_destroy(g);
  }
  th_error_clear();
}

/* --- arrays --- */

static void quantizes_half_away_from_zero(void **state) {
  static const float x[] = {0.05f, -0.05f, 0.15f, 100, -100, NAN, 0, 0.049f};
  static const int8_t want[] = {4, 2, 5, 127, -128, -128, 3, 3};
  int8_t q[8];
  th_quantize_f32(x, 8, 0.1f, 3, TH_DTYPE_S8, q);
  assert_memory_equal(q, want, 8);
  int32_t wide[2];
  th_quantize_f32((const float[]){3e9f, -3e9f}, 2, 1, 0, TH_DTYPE_S32, wide);
  assert_int_equal(wide[0], INT32_MAX);
  assert_int_equal(wide[1], INT32_MIN);
  float back[2];
  th_dequantize((const int16_t[]){-300, 300}, TH_DTYPE_S16, 2, 0.5f, 100, back);
  assert_true(back[0] == -200 && back[1] == 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(multipliers_of_known_reals),
      cmocka_unit_test(multipliers_are_the_nearest),
      cmocka_unit_test(convolution_is_lowered),
      cmocka_unit_test(depthwise_weights_become_rows),
      cmocka_unit_test(fully_connected_multiplies_scales_in_double),
      cmocka_unit_test(add_and_sub_have_the_same_multipliers),
      cmocka_unit_test(constants_become_values),
      cmocka_unit_test(unary_functions_are_lowered),
      cmocka_unit_test(leaky_relu_has_two_multipliers),
      cmocka_unit_test(mean_carries_the_division),
      cmocka_unit_test(reshape_is_another_name),
      cmocka_unit_test(variables_are_copied_only_when_they_must),
      cmocka_unit_test(concat_copies_its_parts),
      cmocka_unit_test(refuses_and_says_why),
      cmocka_unit_test(quantizes_half_away_from_zero),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
