/* ir: text form both ways, verifier, sorting, compaction.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/graph.h"

static const char net[] =
    "graph net\n"
    "input  %x f32 1x4x4x2 q(0.00392156886,-128)\n"
    "const  %w f32 1x1x1x2 q[0](0.5,0) = {0.100000001 -2.5}\n"
    "const  %k s32 2 = {1 -7}\n"
    "node   a = conv2d(%x %w -) -> %y f32 1x4x4x1 {stride_y=2 activation=relu6}\n"
    "node   b = leaky_relu(%y) -> %z f32 1x4x4x1 {alpha=0.200000003}\n"
    "output %z\n";

static th_graph *parse(const char *text) {
  th_graph *g = NULL;
  th_error_clear();
  if (th_graph_parse(text, strlen(text), "text", NULL, NULL, &g) != TH_OK) return NULL;
  return g;
}

static void prints_what_it_parsed(void **state) {
  th_graph *g = parse(net), *copy;
  assert_non_null(g);
  assert_int_equal(g->nodes[0].attr[TH_ATTR_STRIDE_Y].i, 2);
  assert_int_equal(g->nodes[0].in[2], TH_NO_TENSOR);
  assert_int_equal(th_graph_clone(g, &copy), TH_OK);
  th_graph_destroy(g);
  th_buf text = {0};
  assert_int_equal(th_graph_print(copy, 100, &text), TH_OK);
  assert_string_equal(th_buf_cstr(&text), net);
  th_buf_free(&text);
  th_graph_destroy(copy);
}

static const char streaming[] =
    "graph streaming\n"
    "input  %x s8 1x2 q(0.5,1)\n"
    "state  %old s8 1x2 q(0.5,1) = {3 -4}\n"
    "state  %plain f32 1x3\n"
    "node   r = read_variable(%old) -> %v s8 1x2 q(0.5,1)\n"
    "node   y = add(%v %x) -> %sum s8 1x2 q(0.5,1)\n"
    "node   p = read_variable(%plain) -> %w f32 1x3\n"
    "node   a = assign_variable(%x) -> %old\n"
    "output %sum\n"
    "output %w\n";

static void variables_have_what_they_begin_with(void **state) {
  th_graph *g = parse(streaming), *copy;
  if (!g) fail_msg("%s", th_error_message());
  const int8_t *initial = g->tensors[th_graph_find_tensor(g, "old")].initial;
  assert_true(initial[0] == 3 && initial[1] == -4);
  assert_null(g->tensors[th_graph_find_tensor(g, "plain")].initial);
  assert_int_equal(th_graph_clone(g, &copy), TH_OK);
  th_graph_destroy(g);
  th_buf text = {0};
  assert_int_equal(th_graph_print(copy, 100, &text), TH_OK);
  assert_string_equal(th_buf_cstr(&text), streaming);
  th_buf_free(&text);
  th_graph_destroy(copy);
}

/* An assignment that stands first goes behind all who read the old value, and nothing else moves. */
static void assignments_wait_for_readers(void **state) {
  static const char *const order[] = {"r", "y", "p", "a"};
  th_graph *g = parse(streaming);
  assert_non_null(g);
  const th_node assign = g->nodes[3];
  memmove(g->nodes + 1, g->nodes, 3 * sizeof *g->nodes);
  g->nodes[0] = assign;
  assert_int_equal(th_graph_verify(g), TH_ERR_INPUT);
  assert_non_null(
      strstr(th_error_message(), "r (read_variable): variable old is read after a value is assigned to it"));
  th_error_clear();
  assert_int_equal(th_graph_sort(g), TH_OK);
  for (int i = 0; i < 4; i++) assert_string_equal(g->nodes[i].name, order[i]);
  assert_int_equal(th_graph_verify(g), TH_OK);
  th_graph_destroy(g);
}

static void names_the_bad_line(void **state) {
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"graph g\ninput %x f33 1\n", "text:2: unknown element type \"f33\""},
      {"input %x f32 1x\n", "text:1: bad shape \"1x\""},
      {"input %x f32 2\nnode n = relu(%q) -> %y f32 2\n", "text:2: tensor %q is not defined"},
      {"input %x f32 2\nnode n = rulu(%x) -> %y f32 2\n", "text:2: unknown operator \"rulu\""},
      {"input %x f32 2\nnode n = relu(%x) -> %y f32 2 {stride=1}\n", "text:2: unknown attribute \"stride\""},
      {"const %x f32 3 = {1 2}\n", "text:1: a number expected"},
      {"const %x s8 1 = {200}\n", "text:1: an integer in range expected"},
      {"const %x f32 3 = #12\n", "text:1: the values of %x (#12, 12 bytes) are missing"},
      {"const %x f32 60000x60000x9 = {1}\n", "text:1: %x is too large"},
      {"input %x f32 2\nnode n = add(%x) -> %y f32 2\n", "n (add): 1 inputs, 2 to 2 are possible"},
      {"input %x f32 2\nstate %v f32 2\noutput %v\n", "output 0 is produced by nothing"},
      {"input %x f32 2\nstate %v f32 2\nnode a = assign_variable(%x) -> %v\noutput %v\n", "output v is a variable"},
      {"input %x f32 2\nstate %v f32 2\nnode a = assign_variable(%x) -> %v\nnode b = assign_variable(%x) -> %v\n",
       "b (assign_variable): output v has another source too"},
      {"input %x f32 2\nnode n = relu(%x) -> %y f32 2\nnode a = assign_variable(%x) -> %y\n",
       "output y has another source"},
      {"input %x f32 2\nnode a = assign_variable(%x) -> %v\n", "text:2: tensor %v is not defined"},
      {"state %v f32 2 = {1}\n", "text:1: a number expected"},
      {"input %x f32 2 q(-1,0)\n", "tensor x: scale -1"},
      {"input %x f32 2 q[0](1,0 1,0 1,0)\n", "tensor x: 3 scales along dimension 0 of shape 2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_null(parse(cases[i].text));
    if (!strstr(th_error_message(), cases[i].message))
      fail_msg("%s\n is not\n%s", th_error_message(), cases[i].message);
  }
  th_error_clear();
}

static void truncated_text_never_crashes(void **state) {
  for (size_t n = 0; n < strlen(net); n++) {
    th_graph *g = NULL;
    th_error_clear();
    char copy[sizeof net];
    memcpy(copy, net, n);
    if (th_graph_parse(copy, n, "text", NULL, NULL, &g) == TH_OK) th_graph_destroy(g);
  }
  th_error_clear();
}

static void sorts_and_compacts(void **state) {
  th_graph *g = parse(net);
  th_shape shape = th_shape_make(4, 1, 4, 4, 1);
  int t, y = th_graph_find_tensor(g, "y"), z = th_graph_find_tensor(g, "z");
  assert_int_equal(th_graph_add_tensor(g, "z", TH_DTYPE_F32, &shape, &t), TH_OK);
  assert_string_equal(g->tensors[t].name, "z_1");
  /* a relu between y and its user, inserted in the wrong place */
  th_graph_replace_uses(g, y, t);
  assert_int_equal(th_graph_add_node(g, g->n_nodes, TH_OP_RELU, "b", &y, 1, &t, 1, NULL), TH_OK);
  assert_string_equal(g->nodes[2].name, "b_1");
  assert_int_equal(th_graph_verify(g), TH_ERR_INPUT);
  th_error_clear();
  assert_int_equal(th_graph_sort(g), TH_OK);
  assert_int_equal(th_graph_verify(g), TH_OK);
  assert_int_equal(g->nodes[1].op, TH_OP_RELU);
  assert_int_equal(th_graph_only_user(g, t), 2);
  /* and out again */
  th_graph_replace_uses(g, t, y);
  th_graph_remove_node(g, 1);
  assert_int_equal(th_graph_compact(g), TH_OK);
  assert_int_equal(g->n_nodes, 2);
  assert_int_equal(th_graph_find_tensor(g, "z_1"), -1);
  assert_int_equal(th_graph_find_tensor(g, "k"), -1); /* nobody used it */
  assert_int_equal(th_graph_verify(g), TH_OK);
  z = th_graph_find_tensor(g, "z");
  assert_true(th_graph_is_output(g, z) && th_graph_producer(g, z) == 1);
  th_graph_destroy(g);
}

static void survives_every_failed_allocation(void **state) {
  for (long n = 0;; n++) {
    th_graph *g = NULL;
    th_error_clear();
    th_alloc_fail_after(n);
    th_status status = th_graph_parse(net, strlen(net), "text", NULL, NULL, &g);
    th_alloc_fail_after(-1);
    if (status == TH_OK) {
      th_graph_destroy(g);
      assert_true(n > 0);
      return;
    }
    assert_int_equal(status, TH_ERR_RESOURCE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(prints_what_it_parsed),
      cmocka_unit_test(variables_have_what_they_begin_with),
      cmocka_unit_test(assignments_wait_for_readers),
      cmocka_unit_test(names_the_bad_line),
      cmocka_unit_test(truncated_text_never_crashes),
      cmocka_unit_test(sorts_and_compacts),
      cmocka_unit_test(survives_every_failed_allocation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
