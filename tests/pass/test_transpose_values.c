/* Random graphs of transposes and nodes that they can pass: push_transpose and drop_identity must not change what is
 * computed, and must leave no more transposes than there were. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/eval.h"
#include "op/op.h"
#include "pass/pass.h"

enum { GRAPHS = 400, SAMPLES = 2 };

typedef struct maker {
  th_graph *g;
  th_rng rng;
  int made[32], n_made; /* tensors to choose from */
} maker;

static int below(maker *m, int n) {
  return (int)th_rng_below(&m->rng, (uint32_t)n);
}

static int pick(maker *m) {
  const int late = m->n_made > 2 ? m->n_made - 2 : 0;
  return m->made[below(m, 3) ? late + below(m, m->n_made - late) : below(m, m->n_made)];
}

static int ints(maker *m, th_shape shape, const int32_t *v) {
  int id;
  assert_int_equal(th_graph_add_const(m->g, "list", TH_DTYPE_S32, &shape, v, &id), TH_OK);
  return id;
}

static th_node *node(maker *m, th_op_id op, const int *in, int n_in) {
  int out, id;
  const th_shape any = th_shape_make(1, 1);
  assert_int_equal(th_graph_add_tensor(m->g, "t", TH_DTYPE_F32, &any, &out), TH_OK);
  assert_int_equal(th_graph_add_node(m->g, m->g->n_nodes, op, "n", in, n_in, &out, 1, &id), TH_OK);
  m->made[m->n_made++] = out;
  return &m->g->nodes[id];
}

static void infer(maker *m, th_node *n) {
  if (th_op_get(n->op)->infer(m->g, n) != TH_OK) fail_msg("%s", th_error_message());
}

static void add_transpose(maker *m, int x) {
  int32_t perm[TH_MAX_RANK];
  const int rank = m->g->tensors[x].shape.rank;
  for (int d = 0; d < rank; d++) {
    const int at = below(m, d + 1);
    perm[d] = perm[at];
    perm[at] = d;
  }
  const int in[2] = {x, ints(m, th_shape_make(1, rank), perm)};
  infer(m, node(m, TH_OP_TRANSPOSE, in, 2));
}

/* With a constant that broadcasts anyhow, or with the tensor itself behind another function. */
static void add_binary(maker *m, int x) {
  static const th_op_id ops[] = {TH_OP_ADD, TH_OP_SUB, TH_OP_MUL, TH_OP_MAXIMUM};
  float v[400];
  const th_shape s = m->g->tensors[x].shape;
  th_shape c = {.rank = below(m, s.rank + 1)};
  for (int d = 0; d < c.rank; d++) c.dim[d] = below(m, 2) ? 1 : s.dim[s.rank - c.rank + d];
  for (int64_t i = 0; i < th_shape_elems(&c); i++) v[i] = th_rng_normal(&m->rng);
  int in[2] = {x, x}, other = below(m, 2);
  assert_int_equal(th_graph_add_const(m->g, "c", TH_DTYPE_F32, &c, v, &in[other]), TH_OK);
  infer(m, node(m, ops[below(m, 4)], in, 2));
}

static void add_pair(maker *m, int x) {
  for (int i = 0; i < m->n_made; i++) {
    const int y = m->made[below(m, m->n_made)], in[2] = {x, y};
    if (!th_shape_eq(&m->g->tensors[x].shape, &m->g->tensors[y].shape)) continue;
    infer(m, node(m, TH_OP_ADD, in, 2));
    return;
  }
}

static void add_other(maker *m, int x) {
  static const th_op_id ops[] = {TH_OP_RELU, TH_OP_TANH, TH_OP_SOFTMAX, TH_OP_PAD, TH_OP_CONCAT, TH_OP_MEAN};
  int32_t pads[2 * TH_MAX_RANK];
  const th_op_id op = ops[below(m, 6)];
  const int rank = m->g->tensors[x].shape.rank;
  if (op == TH_OP_MEAN && rank < 3) return;
  for (int i = 0; i < 2 * rank; i++) pads[i] = i < 2 ? 0 : below(m, 2);
  int in[2] = {x, x};
  if (op == TH_OP_PAD) in[1] = ints(m, th_shape_make(2, rank, 2), pads);
  th_node *n = node(m, op, in, op == TH_OP_PAD || op == TH_OP_CONCAT ? 2 : 1);
  n->attr[TH_ATTR_AXIS].i = below(m, rank);
  n->attr[TH_ATTR_AXES_MASK].i = op == TH_OP_MEAN ? 1 << below(m, rank) : 0;
  n->attr[TH_ATTR_KEEP_DIMS].i = op == TH_OP_MEAN && below(m, 2);
  infer(m, n);
}

static th_graph *random_graph(uint64_t seed) {
  maker m = {.rng = th_rng_init(seed, 12)};
  const th_shape s = th_shape_make(4, 1, 2 + below(&m, 2), 2, 3);
  assert_int_equal(th_graph_create(&m.g, "random"), TH_OK);
  assert_int_equal(th_graph_add_tensor(m.g, "x", TH_DTYPE_F32, &s, &m.made[m.n_made++]), TH_OK);
  assert_int_equal(th_graph_set_inputs(m.g, m.made, 1), TH_OK);
  add_other(&m, m.made[0]);
  for (int i = 0; i < 9; i++) {
    const int x = pick(&m);
    if (th_shape_elems(&m.g->tensors[x].shape) > 200) continue;
    const int what = below(&m, 8);
    if (what < 4)
      add_transpose(&m, x);
    else if (what < 6)
      add_binary(&m, x);
    else if (what == 6)
      add_pair(&m, x);
    else
      add_other(&m, x);
  }
  assert_int_equal(th_graph_set_outputs(m.g, &m.made[m.n_made - 1], 1), TH_OK);
  return m.g;
}

static float *outputs_of(const th_graph *g, int64_t *n) {
  float x[SAMPLES * 40];
  th_eval *e;
  th_rng rng = th_rng_init(5, 5);
  *n = SAMPLES * th_shape_elems(&g->tensors[g->outputs[0]].shape);
  float *y = test_malloc(sizeof *y * (size_t)*n);
  for (int i = 0; i < SAMPLES * 40; i++) x[i] = th_rng_normal(&rng);
  if (th_eval_open(g, false, &e) != TH_OK) fail_msg("%s", th_error_message());
  assert_int_equal(th_eval_run(e, SAMPLES, (const void *const[]){x}, (void *const[]){y}), TH_OK);
  th_eval_close(e);
  return y;
}

static int transposes(const th_graph *g) {
  int n = 0;
  for (int i = 0; i < g->n_nodes; i++) n += !g->nodes[i].dead && g->nodes[i].op == TH_OP_TRANSPOSE;
  return n;
}

static void values_stay(void **state) {
  int before = 0, after = 0;
  (void)state;
  for (uint64_t seed = 0; seed < GRAPHS; seed++) {
    int64_t n, m;
    th_graph *g = random_graph(seed);
    const th_pass_options o = {.verify = true};
    assert_int_equal(th_pass_run(g, "dead", &o), TH_OK);
    float *want = outputs_of(g, &n);
    const int had = transposes(g);
    if (th_pass_run(g, "push_transpose,drop_identity,dead", &o) != TH_OK)
      fail_msg("%d: %s", (int)seed, th_error_message());
    float *got = outputs_of(g, &m);
    assert_int_equal(n, m);
    for (int64_t i = 0; i < n; i++)
      if (fabsf(got[i] - want[i]) > 1e-5f * fmaxf(1, fabsf(want[i])))
        fail_msg("graph %d: value %d is %g, was %g", (int)seed, (int)i, (double)got[i], (double)want[i]);
    assert_true(transposes(g) <= had);
    before += had;
    after += transposes(g);
    test_free(want);
    test_free(got);
    th_graph_destroy(g);
  }
  print_message("%d transposes before, %d after\n", before, after);
  assert_true(after < before && before > GRAPHS);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(values_stay)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
