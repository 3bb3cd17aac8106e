/* lib/pairing: which layers of two networks are taken for the same one, and which never.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "lib/pairing.h"
#include "read/arch.h"
#include "train_fixture.h"

static th_graph *net(const char *lines) {
  char text[1024];
  th_graph *g;
  const int n = snprintf(text, sizeof text, "input 16x16x1\n%s", lines);
  FX_OK(th_read_arch_bytes((const uint8_t *)text, (size_t)n, "net.txt", &g));
  return g;
}

/* Every layer of a, in order: "name=tensor of b", "name~" of another shape, "name-" without the same one in b. */
static void expect(const char *a, const char *b, const char *expected) {
  th_graph *ga = net(a), *gb = net(b);
  th_arena *arena = th_arena_create();
  th_pair *pairs;
  int count;
  char text[512] = "";
  assert_non_null(arena);
  FX_OK(th_pair_layers(ga, gb, arena, &pairs, &count));
  for (int i = 0; i < count; i++) {
    const th_pair *p = &pairs[i];
    const char *sign = p->kind == TH_PAIR_SAME ? "=" : p->kind == TH_PAIR_UNLIKE ? "~" : "-";
    const size_t n = strlen(text);
    assert_int_equal(p->b >= 0, p->kind == TH_PAIR_SAME);
    snprintf(text + n, sizeof text - n, "%s%s%s%s", n ? " " : "", p->node->name, sign,
             p->b >= 0 ? gb->tensors[p->b].name : "");
  }
  assert_string_equal(text, expected);
  th_arena_destroy(arena);
  th_graph_destroy(ga);
  th_graph_destroy(gb);
}

static void names_pair(void **state) {
  (void)state;
  /* Also where the order of branches differs, parts are kept apart, and other layers stand between. */
  expect("conv2d 4 kernel=3 name=c1\nbatch_norm name=n1\nrelu name=r1\nfully_connected 3 name=fc\nsoftmax name=s\n",
         "conv2d 4 kernel=3 activation=relu name=c1\nfully_connected 9 name=new\nfully_connected 3 name=fc\nsoftmax "
         "name=s\n",
         "c1=c1 fc=fc s=s");
  /* One name, as many values, another shape: channels went and a stride with them. */
  expect("conv2d 2 kernel=1 name=c1\nconv2d 3 kernel=1 name=c2\n",
         "conv2d 8 kernel=1 stride=2 name=c1\nconv2d 3 kernel=1 name=c2\n", "c1~ c2~");
  /* What has a name of its own is nobody else. */
  expect("conv2d 4 kernel=1 name=c1\nconv2d 4 kernel=1 name=c2\n",
         "conv2d 4 kernel=1 name=c2\nconv2d 4 kernel=1 name=x\n", "c1- c2=c2");
}

static void places_pair_where_names_are_lost(void **state) {
  (void)state;
  const char *named =
      "conv2d 4 kernel=3 padding=same name=a\nrelu name=ra\nconv2d 4 kernel=3 padding=same name=b\n"
      "max_pool2d 2 name=p\nglobal_avg_pool name=g\nfully_connected 3 name=f\nsoftmax name=s\n";
  expect(named,
         "conv2d 4 kernel=3 padding=same activation=relu\nconv2d 4 kernel=3 padding=same\nmax_pool2d 2\n"
         "global_avg_pool\nfully_connected 3\nsoftmax\n",
         "a=conv2d b=conv2d_2 p=max_pool2d g=global_avg_pool f=fully_connected s=softmax");
  /* Layer b has as many channels as a had: its place says which it is. */
  expect(named,
         "conv2d 2 kernel=3 padding=same activation=relu\nconv2d 4 kernel=3 padding=same\nmax_pool2d 2\n"
         "global_avg_pool\nfully_connected 3\nsoftmax\n",
         "a~ b=conv2d_2 p=max_pool2d g=global_avg_pool f=fully_connected s=softmax");
}

static void a_doubt_pairs_nothing(void **state) {
  (void)state;
  /* One convolution where there were two: either may be gone. */
  expect("conv2d 4 kernel=3 padding=same name=a\nconv2d 4 kernel=3 padding=same name=b\nfully_connected 3 name=f\n",
         "conv2d 4 kernel=3 padding=same\nfully_connected 3\n", "a- b- f=fully_connected");
  /* Names of a reader are those of places: the second layer of one file is the first of the other. */
  expect("conv2d 4 kernel=3 padding=same name=conv2d_0\nmax_pool2d 2 name=max_pool2d_1\nsigmoid name=sigmoid_2\n",
         "max_pool2d 2 name=max_pool2d_0\nsigmoid name=sigmoid_1\nsigmoid name=sigmoid_2\n",
         "conv2d_0- max_pool2d_1~ sigmoid_2-");
  /* The named layer stands after the one and before the other. */
  expect("conv2d 4 kernel=1 name=a\nconv2d 2 kernel=1 name=here\n", "conv2d 2 kernel=1 name=here\nconv2d 4 kernel=1\n",
         "a- here=here");
  /* Another activation is another layer. */
  expect("conv2d 4 kernel=1 activation=relu name=a\n", "conv2d 4 kernel=1\n", "a-");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_pair),
      cmocka_unit_test(places_pair_where_names_are_lost),
      cmocka_unit_test(a_doubt_pairs_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
