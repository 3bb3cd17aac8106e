/* Writing .tflite: what is read, written and read again is the same graph; padding of every kind; refusals; size.
 * That other programs accept and compute the same is tests/peers/test_tflite_peer.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "op/op.h"
#include "read/arch.h"
#include "read/tflite.h"
#include "test_data.h"
#include "write/tflite.h"

/* Constants written as "#0" are ramps. */
static const void *ramp(void *user, uint64_t hash, size_t bytes) {
  static float values[128];
  (void)user;
  (void)hash;
  for (int i = 0; i < 128; ++i) values[i] = (float)i;
  return bytes <= sizeof values ? values : NULL;
}

static th_graph *parse(const char *text) {
  th_graph *g;
  if (th_graph_parse(text, strlen(text), "test", ramp, NULL, &g) != TH_OK) fail_msg("%s", th_error_message());
  if (th_op_infer_all(g) != TH_OK) fail_msg("%s", th_error_message());
  return g;
}

static void same_tensor(const th_tensor *a, const th_tensor *b, const char *where) {
  if (!a || !b) {
    if (a != b) fail_msg("%s: only one of them has this input", where);
    return;
  }
  if (a->dtype != b->dtype || !th_shape_eq(&a->shape, &b->shape)) fail_msg("%s: type or shape of %s", where, a->name);
  if (a->quant.count != b->quant.count || a->quant.axis != b->quant.axis) fail_msg("%s: scales of %s", where, a->name);
  for (int i = 0; i < a->quant.count; ++i)
    if (a->quant.scale[i] != b->quant.scale[i] || a->quant.zero[i] != b->quant.zero[i])
      fail_msg("%s: scale %d of %s", where, i, a->name);
  if (!a->data != !b->data) fail_msg("%s: only one %s is constant", where, a->name);
  if (a->data) assert_memory_equal(a->data, b->data, th_tensor_bytes(a));
}

/* Node by node; names inside the file are not kept. */
static void same_graph(const th_graph *a, const th_graph *b) {
  assert_int_equal(a->n_nodes, b->n_nodes);
  for (int i = 0; i < a->n_nodes; ++i) {
    const th_node *m = &a->nodes[i], *n = &b->nodes[i];
    assert_int_equal(m->op, n->op);
    assert_int_equal(m->n_out, n->n_out);
    for (int k = 0; k < TH_ATTR_COUNT; ++k)
      if (m->attr[k].i != n->attr[k].i) fail_msg("%s: %s differs", m->name, th_attr_name((th_attr_id)k));
    for (int k = 0; k < m->n_in || k < n->n_in; ++k) same_tensor(th_node_in(a, m, k), th_node_in(b, n, k), m->name);
    same_tensor(th_node_out(a, m, 0), th_node_out(b, n, 0), m->name);
  }
  assert_int_equal(a->n_inputs, b->n_inputs);
  assert_int_equal(a->n_outputs, b->n_outputs);
  for (int i = 0; i < a->n_outputs; ++i) same_tensor(&a->tensors[a->outputs[i]], &b->tensors[b->outputs[i]], "output");
}

static th_graph *write_and_read(const th_graph *g, size_t *size) {
  th_buf file = {0};
  th_graph *again;
  if (th_write_tflite(g, &file) != TH_OK) fail_msg("%s", th_error_message());
  if (th_read_tflite_bytes(file.data, file.size, "again.tflite", &again) != TH_OK) fail_msg("%s", th_error_message());
  if (size) *size = file.size;
  th_buf_free(&file);
  return again;
}

static void models_survive(void **state) {
  (void)state;
  static const char *const files[] = {"mlperf_tiny/ad01_int8",
                                      "mlperf_tiny/pretrainedResnet",
                                      "mlperf_tiny/pretrainedResnet_quant",
                                      "mlperf_tiny/kws_ref_model",
                                      "mlperf_tiny/str_ww_ref_model",
                                      "mlperf_tiny/vww_96_int8",
                                      "tflm/micro_speech_quantized",
                                      "tflm/hello_world_int8",
                                      "tflm/hello_world_float",
                                      "tinymaix/mnist_dw_f",
                                      "tinymaix/mnist_dw_q",
                                      "tinymaix/mnist_rect_q",
                                      "tinymaix/cifar10_q",
                                      "tinymaix/vww96_q"};
  const char *dir = test_data();
  if (!th_dir_exists(dir)) {
    print_message("skipped: no folder %s with collected models (THIMBLE_TEST_DATA)\n", dir);
    skip();
  }
  for (size_t f = 0; f < sizeof files / sizeof files[0]; ++f) {
    char path[512];
    uint8_t *data;
    size_t before, after;
    th_graph *g;
    th_arena *arena = th_arena_create();
    snprintf(path, sizeof path, "%s/models/%s.tflite", dir, files[f]);
    assert_int_equal(th_file_read(arena, path, TH_FILE_LIMIT, &data, &before), TH_OK);
    assert_int_equal(th_read_tflite_bytes(data, before, path, &g), TH_OK);
    th_graph *again = write_and_read(g, &after);
    same_graph(g, again);
    if (after > before) fail_msg("%s: %zu bytes, was %zu", files[f], after, before);
    th_graph_destroy(g);
    th_graph_destroy(again);
    th_arena_destroy(arena);
  }
}

/* Padding that is neither SAME nor VALID becomes an operator of its own, filled with the zero point. */
static void odd_padding(void **state) {
  (void)state;
  th_graph *g = parse(
      "graph odd\n"
      "input %x s8 1x5x5x1 q(0.5,-3)\n"
      "const %w s8 1x3x3x1 q[0](0.25,0) = {1 2 3 4 5 6 7 8 9}\n"
      "node c = conv2d(%x %w -) -> %y s8 1x5x5x1 q(1,4) {kernel_y=3 kernel_x=3 pad_top=2 pad_left=1 pad_right=1}\n"
      "output %y\n");
  th_graph *again = write_and_read(g, NULL);
  assert_int_equal(again->n_nodes, 2);
  assert_int_equal(again->nodes[0].op, TH_OP_PAD);
  const th_tensor *paddings = th_node_in(again, &again->nodes[0], 1), *padded = th_node_out(again, &again->nodes[0], 0);
  assert_memory_equal(paddings->data, ((int32_t[]){0, 0, 2, 0, 1, 1, 0, 0}), 32);
  assert_true(padded->quant.scale[0] == 0.5f && padded->quant.zero[0] == -3);
  assert_int_equal(again->nodes[1].op, TH_OP_CONV2D);
  assert_int_equal(again->nodes[1].attr[TH_ATTR_PAD_TOP].i, 0);
  char text[TH_SHAPE_TEXT];
  assert_string_equal(th_shape_text(&padded->shape, text), "1x7x7x1");
  th_graph_destroy(g);
  th_graph_destroy(again);
}

/* LiteRT refuses convolutions without a bias. */
static void absent_bias(void **state) {
  (void)state;
  th_graph *g = parse(
      "graph bare\n"
      "input %x s8 1x5x5x2 q(0.5,-3)\n"
      "input %f f32 1x5x5x2\n"
      "const %w s8 3x1x1x2 q[0](0.25,0 0.5,0 2,0) = {1 2 3 4 5 6}\n"
      "const %d s8 1x1x1x2 q(0.125,0) = {1 2}\n"
      "const %v f32 3x1x1x2 = {1 2 3 4 5 6}\n"
      "node c = conv2d(%x %w -) -> %y s8 1x5x5x3 q(1,4) {kernel_y=1 kernel_x=1}\n"
      "node d = depthwise_conv2d(%x %d) -> %z s8 1x5x5x2 q(1,4) {kernel_y=1 kernel_x=1}\n"
      "node f = conv2d(%f %v) -> %e f32 1x5x5x3 {kernel_y=1 kernel_x=1}\n"
      "output %y\n"
      "output %z\n"
      "output %e\n");
  static const float scales[2][3] = {{0.125f, 0.25f, 1}, {0.0625f}};
  static const char zeros[12] = {0};
  th_graph *again = write_and_read(g, NULL);
  assert_int_equal(again->n_nodes, 3);
  for (int i = 0; i < 3; ++i) {
    const th_tensor *bias = th_node_in(again, &again->nodes[i], 2);
    const size_t channels = i == 1 ? 2 : 3;
    assert_non_null(bias);
    assert_int_equal(bias->dtype, i == 2 ? TH_DTYPE_F32 : TH_DTYPE_S32);
    assert_int_equal(th_tensor_bytes(bias), 4 * channels);
    assert_memory_equal(bias->data, zeros, 4 * channels);
    assert_int_equal(bias->quant.count, i == 0 ? 3 : i == 1 ? 1 : 0);
    for (int k = 0; k < bias->quant.count; ++k) assert_true(bias->quant.scale[k] == scales[i][k]);
  }
  th_graph_destroy(g);
  th_graph_destroy(again);
}

static void every_operator(void **state) {
  (void)state;
  th_graph *g = parse(
      "graph all\n"
      "input %x f32 1x4x4x2\n"
      "const %p s32 4x2 = {0 0 1 1 0 2 0 0}\n"
      "const %w f32 1x2x2x4 = {1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16}\n"
      "const %k f32 2x36 = #0\n"
      "node pad = pad(%x %p) -> %a f32 1x6x6x2\n"
      "node act = hard_swish(%a) -> %b f32 1x6x6x2\n"
      "node leak = leaky_relu(%b) -> %c f32 1x6x6x2 {alpha=0.25}\n"
      "node sum = sub(%b %c) -> %d f32 1x6x6x2 {activation=relu6}\n"
      "node cat = concat(%c %d) -> %e f32 1x6x6x4 {axis=3}\n"
      "node dw = depthwise_conv2d(%e %w) -> %f f32 1x6x6x4 {kernel_y=2 kernel_x=2 pad_bottom=1 pad_right=1}\n"
      "node max = max_pool2d(%f) -> %g f32 1x3x3x4 {kernel_y=2 kernel_x=2 stride_y=2 stride_x=2}\n"
      "node drop = dropout(%g) -> %h f32 1x3x3x4\n"
      "node fc = fully_connected(%h %k -) -> %i f32 1x2\n"
      "node sig = sigmoid(%i) -> %j f32 1x2\n"
      "node th = tanh(%j) -> %l f32 1x2\n"
      "node sm = softmax(%l) -> %y f32 1x2 {beta=0.5}\n"
      "node avg = global_avg_pool(%f) -> %z f32 1x4\n"
      "output %y\n"
      "output %z\n");
  th_graph *again = write_and_read(g, NULL);
  static const th_op_id expected[] = {
      TH_OP_PAD,        TH_OP_HARD_SWISH,      TH_OP_LEAKY_RELU, TH_OP_SUB,  TH_OP_CONCAT,  TH_OP_DEPTHWISE_CONV2D,
      TH_OP_MAX_POOL2D, TH_OP_FULLY_CONNECTED, TH_OP_SIGMOID,    TH_OP_TANH, TH_OP_SOFTMAX, TH_OP_MEAN};
  assert_int_equal(again->n_nodes, 12);
  for (int i = 0; i < 12; ++i) assert_int_equal(again->nodes[i].op, expected[i]);
  assert_true(again->nodes[2].attr[TH_ATTR_ALPHA].f == 0.25f);
  assert_int_equal(again->nodes[3].attr[TH_ATTR_ACTIVATION].i, TH_ACT_RELU6);
  assert_int_equal(again->nodes[5].attr[TH_ATTR_PAD_BOTTOM].i, 1);
  assert_true(again->nodes[10].attr[TH_ATTR_BETA].f == 0.5f);
  assert_int_equal(again->nodes[11].attr[TH_ATTR_AXES_MASK].i, 6);
  assert_string_equal(again->tensors[again->outputs[1]].name, "z");
  th_graph_destroy(g);
  th_graph_destroy(again);
}

static void refused(const char *text, const char *message) {
  th_graph *g = parse(text);
  th_buf file = {0};
  assert_int_equal(th_write_tflite(g, &file), TH_ERR_INPUT);
  assert_int_equal(file.size, 0);
  if (!strstr(th_error_message(), message)) fail_msg("'%s' does not say '%s'", th_error_message(), message);
  th_error_clear();
  th_buf_free(&file);
  th_graph_destroy(g);
}

static void refusals(void **state) {
  (void)state;
  refused(
      "graph a\ninput %x f32 1x2\nconst %c f32 2 = {1 1}\n"
      "node bn1 = batch_norm(%x %c %c %c %c) -> %y f32 1x2\noutput %y\n",
      "bn1 (batch_norm): batch norm has no counterpart in .tflite: run the pass fold_bn first");
  refused(
      "graph a\ninput %x f32 1x4x4x1\nnode p = max_pool2d(%x) -> %y f32 1x4x4x1 {kernel_y=2 kernel_x=2 pad_top=1 "
      "pad_left=1}\noutput %y\n",
      "p (max_pool2d): its padding is neither SAME nor VALID");
  refused("graph a\ninput %x s16 1x2 q(1,0)\nnode r = relu(%x) -> %y s16 1x2 q(1,0)\noutput %y\n",
          "its input x is s16");
  refused("graph a\ninput %x s8 1x2 q(1,0)\nnode c = concat(%x %x) -> %y s8 1x4 q(2,0) {axis=1}\noutput %y\n",
          "c (concat): input x must have the scale and zero of its output y");
  refused(
      "graph a\ninput %x s8 1x1x1x2 q(1,0)\nconst %w s8 1x1x1x2 q(1,7) = {1 1}\n"
      "node c = conv2d(%x %w) -> %y s8 1x1x1x1 q(2,0) {kernel_y=1 kernel_x=1}\noutput %y\n",
      "c (conv2d): its weights w have the zero point 7; in .tflite it must be 0");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(models_survive), cmocka_unit_test(odd_padding), cmocka_unit_test(absent_bias),
      cmocka_unit_test(every_operator), cmocka_unit_test(refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
