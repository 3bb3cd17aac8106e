/* Architecture texts: the shipped models have the published sizes, every construct builds what it says, every mistake
 * gives its line and a helpful message.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "op/op.h"
#include "read/arch.h"

static int64_t count_params(const th_graph *g) {
  int64_t n = 0;
  for (int i = 0; i < g->n_tensors; ++i)
    if (g->tensors[i].data && g->tensors[i].dtype == TH_DTYPE_F32) n += th_shape_elems(&g->tensors[i].shape);
  return n;
}

static th_graph *read_ok(const char *text) {
  th_graph *g;
  if (th_read_arch_bytes((const uint8_t *)text, strlen(text), "net.txt", &g) != TH_OK)
    fail_msg("%s", th_error_message());
  return g;
}

static const th_shape *shape_of(const th_graph *g, const char *tensor) {
  int id = th_graph_find_tensor(g, tensor);
  if (id < 0) fail_msg("no tensor %s", tensor);
  return &g->tensors[id].shape;
}

static void assert_shape(const th_graph *g, const char *tensor, const char *expected) {
  char text[TH_SHAPE_TEXT];
  assert_string_equal(th_shape_text(shape_of(g, tensor), text), expected);
}

/* Published numbers: LeNet-300-100 266,610 and Caffe's LeNet 431,080; Keras counts 24,908 for MLPerf Tiny's DS-CNN,
 * which has 9 x 64 biases before batch norm more, and 78,666 for its ResNet. */
static void shipped_models(void **state) {
  (void)state;
  static const struct {
    const char *name, *input, *output;
    int64_t params;
  } models[] = {{"lenet-300-100", "1x28x28x1", "1x10", 266610},
                {"lenet-5", "1x28x28x1", "1x10", 431080},
                {"ds-cnn", "1x49x10x1", "1x12", 24908 - 9 * 64},
                {"ds-cnn-28", "1x28x28x1", "1x10", 576 + 4 * (576 + 4096) + 650 + 9 * 64 * 4},
                {"resnet8", "1x32x32x3", "1x10", 78666}};
  for (size_t m = 0; m < sizeof models / sizeof models[0]; ++m) {
    char path[512], text[TH_SHAPE_TEXT];
    th_graph *g;
    snprintf(path, sizeof path, "%s/models/%s.txt", THIMBLE_SOURCE_DIR, models[m].name);
    if (th_read_arch(path, &g) != TH_OK) fail_msg("%s", th_error_message());
    assert_string_equal(g->name, models[m].name);
    assert_string_equal(th_shape_text(&g->tensors[g->inputs[0]].shape, text), models[m].input);
    assert_string_equal(th_shape_text(&g->tensors[g->outputs[0]].shape, text), models[m].output);
    assert_int_equal(count_params(g), models[m].params);
    th_graph_destroy(g);
  }
}

static void shapes_and_attributes(void **state) {
  (void)state;
  th_graph *g = read_ok(
      "# comment\n"
      "model tiny\n"
      "input 8x6x2 name=picture\n"
      "conv2d 4 kernel=3x2 stride=2x1 dilation=1x2 padding=1,0,2,3 groups=2 bias=no name=a  # behind\n"
      "pad 1x2 name=b\n"
      "depthwise_conv2d kernel=3 multiplier=2 padding=same activation=relu6 name=c\n"
      "max_pool2d 2 stride=1 name=d\n"
      "reshape 5x96 name=e\n"
      "mean axes=1 name=f\n"
      "fully_connected 7 from=e name=g\n"
      "leaky_relu alpha=0.3 name=h\n");
  assert_string_equal(g->name, "tiny");
  assert_shape(g, "a.weight", "4x3x2x1");
  assert_shape(g, "a", "1x4x9x4"); /* (8 + 1 - 3) / 2 + 1; 6 + 5 - (1 * 2 + 1) + 1 */
  assert_shape(g, "b", "1x6x13x4");
  assert_shape(g, "c", "1x6x13x8");
  assert_shape(g, "d", "1x5x12x8");
  assert_shape(g, "e", "1x5x96");
  assert_shape(g, "f", "1x96");
  assert_shape(g, "g.weight", "7x480");
  const th_node *a = &g->nodes[0], *h = &g->nodes[g->n_nodes - 1];
  assert_int_equal(a->n_in, 2);
  assert_int_equal(a->attr[TH_ATTR_PAD_RIGHT].i, 3);
  assert_int_equal(a->attr[TH_ATTR_GROUPS].i, 2);
  assert_int_equal(g->nodes[2].attr[TH_ATTR_ACTIVATION].i, TH_ACT_RELU6);
  assert_true(h->attr[TH_ATTR_ALPHA].f == 0.3f);
  assert_int_equal(g->outputs[0], h->out[0]);
  th_graph_destroy(g);
}

static void branches(void **state) {
  (void)state;
  th_graph *g = read_ok(
      "input 4x4x3\n"
      "conv2d 3 kernel=1 name=left\n"
      "conv2d 3 kernel=1 from=input name=right\n"
      "add from=left name=sum activation=relu\n" /* right + left */
      "sub from=left,right name=difference\n"
      "concat from=sum,left,right axis=3 name=all\n"
      "global_avg_pool\n"
      "softmax\n"
      "output softmax,all\n");
  const th_node *sum = &g->nodes[2], *difference = &g->nodes[3];
  assert_string_equal(g->tensors[sum->in[0]].name, "right");
  assert_string_equal(g->tensors[sum->in[1]].name, "left");
  assert_string_equal(g->tensors[difference->in[0]].name, "left");
  assert_shape(g, "all", "1x4x4x9");
  assert_int_equal(g->n_outputs, 2);
  th_graph_destroy(g);
}

static void one_dimension(void **state) {
  (void)state;
  th_graph *g = read_ok(
      "input 100x3\n"
      "conv1d 8 kernel=5 stride=2 padding=causal name=a\n"
      "conv1d 8 kernel=3 dilation=4 padding=same name=b\n"
      "max_pool2d 1x2 name=c\n");
  assert_shape(g, "input", "1x1x100x3");
  assert_shape(g, "a", "1x1x50x8");
  assert_shape(g, "a.weight", "8x1x5x3");
  assert_shape(g, "b", "1x1x50x8");
  assert_shape(g, "c", "1x1x25x8");
  assert_int_equal(g->nodes[0].attr[TH_ATTR_PAD_LEFT].i, 4);
  assert_int_equal(g->nodes[0].attr[TH_ATTR_PAD_TOP].i, 0);
  th_graph_destroy(g);
}

static void unnamed_layers_get_numbers(void **state) {
  (void)state;
  th_graph *g = read_ok("input 4\nfully_connected 3\nrelu\nfully_connected 2\nrelu\nadd from=fully_connected_2\n");
  assert_shape(g, "fully_connected.weight", "3x4");
  assert_shape(g, "fully_connected_2.weight", "2x3");
  assert_shape(g, "relu_2", "1x2");
  th_graph_destroy(g);
}

static void mistakes(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"input 4\nsotfmax\n", "net.txt:2: unknown layer 'sotfmax': did you mean 'softmax'?"},
      {"input 4\nlstm 3\n", "net.txt:2: unknown layer 'lstm', expected one of: model, input"},
      {"relu\n", "net.txt:1: relu: there is no layer before it; a network begins with `input SHAPE`"},
      {"input 4x4x1\nconv2d kernel=3\n", "net.txt:2: conv2d: expected output channels after the layer"},
      {"input 4x4x1\nconv2d 3\n", "net.txt:2: conv2d: kernel= is missing"},
      {"input 4x4x1\nconv2d 3 kernal=3\n", "net.txt:2: conv2d: unknown key 'kernal': did you mean 'kernel'?"},
      {"input 4x4x1\nconv2d 3 kernel=3 kernel=2\n", "kernel= is given twice"},
      {"input 4x4x1\nconv2d 3 kernel=\n", "kernel= has no value"},
      {"input 4x4x1\nconv2d 3 kernel=3 alpha=1\n", "net.txt:2: conv2d: takes no key alpha="},
      {"input 4x4x1\nconv2d three kernel=3\n", "output channels is 'three', expected a whole number"},
      {"input 4x4x1\nconv2d 0 kernel=3\n", "output channels is 0, expected 1 to 65536"},
      {"input 4x4x1\nconv2d 4 kernel=3 padding=full\n", "padding is 'full', expected valid, same, causal"},
      {"input 4x4x1\nconv2d 4 kernel=3 padding=1,2\n", "padding has 2 sizes"},
      {"input 4x4x1\nconv2d 4 kernel=3 activation=softmax\n", "activation is 'softmax', expected none, relu"},
      {"input 4x4x3\nconv2d 4 kernel=3 groups=2\n", "groups=2 must divide the 3 input and the 4 output channels"},
      {"input 4x4x1\n\n\nconv2d 4 kernel=5\n", "net.txt:4"},
      {"input 10\nconv2d 4 kernel=3\n", "net.txt:2: conv2d: its input is 1x10, expected a picture"},
      {"input 8x8x1\nconv1d 4 kernel=3\n", "net.txt:2: conv1d: its input is 1x8x8x1, expected height 1"},
      {"input 4x4\nrelu name=first\nadd from=fist\n", "no earlier layer is named 'fist': did you mean 'first'?"},
      {"input 4\nadd\n", "has 1 input(s), expected 2 to 2: from=NAME names the others"},
      {"input 4\nrelu name=a\nrelu name=a\n", "net.txt:3: relu: the name 'a' is taken"},
      {"input 4 5\nrelu\n", "net.txt:1: input: unexpected '5' after '4'"},
      {"input 4x4x4x4\nrelu\n", "a shape is '4x4x4x4', expected 1 to 3 sizes as in 28x28x1"},
      {"input 4x0\nrelu\n", "expected 1 to 3 sizes"},
      {"input 4\nrelu 3\n", "net.txt:2: relu: unexpected '3': expected key=value"},
      {"input 4x4x1\nreshape 5\n", "net.txt:2"},
      {"input 4\ndropout 2\n", "net.txt:2: dropout: rate is 2, expected 0 to 0.99"},
      {"input 4\nrelu\noutput relu\nrelu\n", "net.txt:4: relu: comes after `output`"},
      {"input 4\n", "net.txt:2: the network has no layers"},
      {"input 4\nmean\n", "axes= is missing"},
      {"input 65536\nfully_connected 65536\n", "the network has more than 67108864 weights"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    th_graph *g;
    th_status status = th_read_arch_bytes((const uint8_t *)cases[i].text, strlen(cases[i].text), "net.txt", &g);
    if (status != TH_ERR_INPUT || !strstr(th_error_message(), cases[i].message))
      fail_msg("case %zu: '%s' does not say '%s'", i, th_error_message(), cases[i].message);
    assert_null(g);
    th_error_clear();
  }
}

static void recognized_by_content(void **state) {
  (void)state;
  static const char yes[] = "# a net\n\n  input 3\nrelu\n", binary[] = {0, 1, 2, 3, 'i', 'n'};
  assert_true(th_read_arch_probe((const uint8_t *)yes, sizeof yes - 1));
  assert_false(th_read_arch_probe((const uint8_t *)binary, sizeof binary));
  assert_false(th_read_arch_probe((const uint8_t *)yes, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shipped_models),        cmocka_unit_test(shapes_and_attributes),      cmocka_unit_test(branches),
      cmocka_unit_test(one_dimension),         cmocka_unit_test(unnamed_layers_get_numbers), cmocka_unit_test(mistakes),
      cmocka_unit_test(recognized_by_content),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
