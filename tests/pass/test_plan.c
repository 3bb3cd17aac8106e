/* Arena planner on random programs: nothing that lives at the same time overlaps, nothing leaves the arena, no plan is
 * below the lower bound (computed here in another way), and known small problems get their known best.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "pass/plan.h"

enum { MOST_STEPS = 40, MOST_VALUES = 80 };

/* A program made by hand: a chain of steps, some with a second input from further back. */
typedef struct made {
  th_program p;
  th_graph g;
  th_tensor tensors[2]; /* 0: s8, 1: f32 */
  th_program_step steps[MOST_STEPS];
  th_value values[MOST_VALUES];
  int inputs[1], outputs[1];
} made;

static void begin(made *m, uint32_t input_bytes) {
  memset(m, 0, sizeof *m);
  m->tensors[0].dtype = TH_DTYPE_S8;
  m->tensors[1].dtype = TH_DTYPE_F32;
  m->g.tensors = m->tensors;
  m->g.n_tensors = 2;
  m->p = (th_program){.graph = &m->g,
                      .steps = m->steps,
                      .values = m->values,
                      .inputs = m->inputs,
                      .n_inputs = 1,
                      .outputs = m->outputs,
                      .n_outputs = 1};
  m->values[0] =
      (th_value){.name = "in", .bytes = input_bytes, .first_step = -1, .last_step = -1, .offset = TH_NO_OFFSET};
  m->p.n_values = 1;
}

/* Adds a step that reads a (and b, unless -1) and writes a new value; returns its number. */
static int step(made *m, thr_kernel_id kernel, int a, int b, uint32_t bytes, uint32_t scratch) {
  int s = m->p.n_steps++, v = m->p.n_values++;
  m->steps[s] = (th_program_step){
      .step.kernel = kernel, .name = "step", .in = {a, b}, .n_in = b < 0 ? 1 : 2, .out = v, .scratch_bytes = scratch};
  m->values[v] = (th_value){.name = "value", .bytes = bytes, .first_step = s, .last_step = s, .offset = TH_NO_OFFSET};
  m->values[a].last_step = s;
  if (b >= 0) m->values[b].last_step = s;
  return v;
}

static void finish(made *m, int output) {
  m->values[output].last_step = m->p.n_steps;
  m->outputs[0] = output;
}

/* Bytes that must be there at once: per step, everything alive, minus one output that may replace a dying input. */
static uint32_t most_alive(const made *m, bool in_place) {
  uint32_t most = 0;
  for (int s = -1; s <= m->p.n_steps; s++) {
    uint32_t sum = s >= 0 && s < m->p.n_steps ? m->steps[s].scratch_bytes : 0;
    for (int v = 0; v < m->p.n_values; v++)
      if (m->values[v].first_step <= s && s <= m->values[v].last_step) sum += m->values[v].bytes;
    if (in_place && s >= 0 && s < m->p.n_steps) sum -= m->values[m->steps[s].out].bytes;
    if (sum > most) most = sum;
  }
  return most;
}

static bool share_bytes(const th_value *a, const th_value *b) {
  return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* With kernels that never work in place, every pair that is alive together is apart. */
static void check_apart(const made *m) {
  for (int a = 0; a < m->p.n_values; a++) {
    assert_true(m->values[a].offset + m->values[a].bytes <= m->p.arena_bytes);
    if (m->tensors[m->values[a].tensor].dtype == TH_DTYPE_F32) assert_int_equal(m->values[a].offset % 4, 0);
    for (int b = 0; b < a; b++) {
      const th_value *v = &m->values[a], *w = &m->values[b];
      if (v->first_step <= w->last_step && w->first_step <= v->last_step) assert_false(share_bytes(v, w));
    }
  }
  for (int s = 0; s < m->p.n_steps; s++) {
    const th_value scratch = {.bytes = m->steps[s].scratch_bytes, .offset = m->steps[s].scratch_offset};
    assert_true(scratch.offset + scratch.bytes <= m->p.arena_bytes);
    for (int v = 0; v < m->p.n_values && scratch.bytes > 0; v++)
      if (m->values[v].first_step <= s && s <= m->values[v].last_step)
        assert_false(share_bytes(&scratch, &m->values[v]));
  }
}

static void random_program(made *m, th_rng *rng, bool in_place) {
  begin(m, 1 + th_rng_below(rng, 100));
  int last = 0, steps = 1 + (int)th_rng_below(rng, MOST_STEPS - 1);
  for (int s = 0; s < steps; s++) {
    int other = th_rng_below(rng, 4) == 0 ? (int)th_rng_below(rng, (uint32_t)m->p.n_values) : -1;
    bool unary = in_place && th_rng_below(rng, 2) == 0;
    uint32_t bytes = unary ? m->values[last].bytes : 1 + th_rng_below(rng, 200);
    uint32_t scratch = th_rng_below(rng, 3) == 0 ? th_rng_below(rng, 60) : 0;
    thr_kernel_id kernel = unary                    ? THR_KERNEL_RELU_S8
                           : in_place && other >= 0 ? THR_KERNEL_SUB_S8
                                                    : THR_KERNEL_CONV2D_S8;
    last = step(m, kernel, last, unary ? -1 : other, bytes, scratch);
    if (!in_place && th_rng_below(rng, 5) == 0) m->values[last].tensor = 1;
  }
  finish(m, last);
}

static void random_plans_are_valid(void **state) {
  th_rng rng = th_rng_init(7, 1);
  int tight = 0, runs = 400;
  for (int i = 0; i < runs; i++) {
    made m;
    th_plan_info info;
    random_program(&m, &rng, false);
    assert_int_equal(th_pass_plan(&m.p, &info), TH_OK);
    check_apart(&m);
    assert_int_equal(info.arena_bytes, m.p.arena_bytes);
    assert_int_equal(info.lower_bound, most_alive(&m, false));
    assert_true(info.arena_bytes >= info.lower_bound);
    assert_true(info.arena_bytes <= info.lower_bound * 2);
    tight += info.arena_bytes == info.lower_bound;
  }
  print_message("%d of %d plans meet the lower bound\n", tight, runs);
  assert_true(tight > runs / 2);
}

static void random_plans_in_place_are_valid(void **state) {
  th_rng rng = th_rng_init(8, 1);
  for (int i = 0; i < 400; i++) {
    made m;
    th_plan_info info;
    random_program(&m, &rng, true);
    assert_int_equal(th_pass_plan(&m.p, &info), TH_OK);
    assert_int_equal(th_plan_check(&m.p), TH_OK);
    assert_true(info.arena_bytes >= most_alive(&m, true));
    assert_true(info.lower_bound <= most_alive(&m, false));
  }
}

static void chain_takes_its_two_largest_neighbours(void **state) {
  made m;
  begin(&m, 10);
  int v = step(&m, THR_KERNEL_CONV2D_S8, 0, -1, 100, 0);
  v = step(&m, THR_KERNEL_CONV2D_S8, v, -1, 50, 7);
  v = step(&m, THR_KERNEL_CONV2D_S8, v, -1, 80, 0);
  finish(&m, v);
  th_plan_info info;
  assert_int_equal(th_pass_plan(&m.p, &info), TH_OK);
  assert_int_equal(info.arena_bytes, 157); /* 100 + 50 + scratch 7 in step 1 */
}

static void relu_works_in_place(void **state) {
  made m;
  begin(&m, 64);
  int v = step(&m, THR_KERNEL_RELU_S8, 0, -1, 64, 0);
  v = step(&m, THR_KERNEL_LOGISTIC_S8, v, -1, 64, 0);
  finish(&m, v);
  th_plan_info info;
  assert_int_equal(th_pass_plan(&m.p, &info), TH_OK);
  assert_int_equal(info.arena_bytes, 64);
}

/* a + relu(a): the relu may not overwrite what the addition still reads, the addition may. */
static void a_value_still_read_is_not_overwritten(void **state) {
  made m;
  begin(&m, 32);
  int r = step(&m, THR_KERNEL_RELU_S8, 0, -1, 32, 0);
  int sum = step(&m, THR_KERNEL_ADD_S8, 0, r, 32, 0);
  finish(&m, sum);
  th_plan_info info;
  assert_int_equal(th_pass_plan(&m.p, &info), TH_OK);
  assert_int_equal(info.arena_bytes, 64);
  assert_true(m.values[0].offset != m.values[r].offset);
}

/* First-fit by size, area, start or end wastes bytes here; the search finds the bound. Lifetimes (steps) and sizes form
 * the classical pattern where a middle-sized value must not go to the bottom. */
static void search_meets_the_bound(void **state) {
  th_rng rng = th_rng_init(9, 1);
  int tight = 0;
  for (int i = 0; i < 100; i++) {
    made m;
    begin(&m, 20 + th_rng_below(&rng, 30));
    int last = 0;
    for (int s = 0; s < 8; s++) {
      int other = s > 1 && th_rng_below(&rng, 2) ? (int)th_rng_below(&rng, (uint32_t)m.p.n_values) : -1;
      last = step(&m, THR_KERNEL_CONV2D_S8, last, other, 10 + th_rng_below(&rng, 50), 0);
    }
    finish(&m, last);
    th_plan_info info;
    assert_int_equal(th_pass_plan(&m.p, &info), TH_OK);
    tight += info.arena_bytes == info.lower_bound;
  }
  print_message("%d of 100 small plans meet the lower bound\n", tight);
  assert_true(tight >= 95);
}

static void the_check_sees_overlaps(void **state) {
  made m;
  begin(&m, 8);
  int v = step(&m, THR_KERNEL_CONV2D_S8, 0, -1, 8, 4);
  finish(&m, v);
  assert_int_equal(th_pass_plan(&m.p, NULL), TH_OK);
  uint32_t good = m.values[v].offset;
  m.values[v].offset = m.values[0].offset + 7;
  assert_int_equal(th_plan_check(&m.p), TH_ERR_INTERNAL);
  th_error_clear();
  m.values[v].offset = good;
  m.steps[0].scratch_offset = good + 7;
  assert_int_equal(th_plan_check(&m.p), TH_ERR_INTERNAL);
  th_error_clear();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_plans_are_valid),
      cmocka_unit_test(random_plans_in_place_are_valid),
      cmocka_unit_test(chain_takes_its_two_largest_neighbours),
      cmocka_unit_test(relu_works_in_place),
      cmocka_unit_test(a_value_still_read_is_not_overwritten),
      cmocka_unit_test(search_meets_the_bound),
      cmocka_unit_test(the_check_sees_overlaps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
