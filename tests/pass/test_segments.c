/* Order, segments and plan on random networks (nets.h). Each runs step after step in memory of its own, and then as the
 * passes left it, in an arena that is exact in size: outputs must be equal. The order is compared with all orders.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "encode/program.h"
#include "eval/chain.h"
#include "eval/planned.h"
#include "pass/memory.h"
#include "pass/nets.h"
#include "pass/order.h"
#include "pass/plan.h"
#include "pass/segments.h"
#include "write/thim.h"

enum { NETS = 400 };

/* --- running --- */

static void run_apart(const net *n, const int8_t *input, uint8_t *output) {
  uint8_t *memory[MOST];
  for (int v = 0; v < n->p.n_values; v++) memory[v] = malloc(n->values[v].bytes);
  memcpy(memory[0], input, n->values[0].bytes);
  for (int i = 0; i < n->p.n_steps; i++) {
    const th_program_step *s = &n->steps[i];
    const void *in[THR_STEP_INPUTS] = {memory[s->in[0]], s->n_in > 1 ? memory[s->in[1]] : NULL};
    thr_step_run(&s->step, in, memory[s->out], NULL);
  }
  memcpy(output, memory[n->outputs[0]], n->values[n->outputs[0]].bytes);
  for (int v = 0; v < n->p.n_values; v++) free(memory[v]);
}

static void check_planned(const net *n, const int8_t *input, const uint8_t *expected) {
  uint8_t *arena = malloc(n->p.arena_bytes);
  memset(arena, 0x5A, n->p.arena_bytes);
  memcpy(arena + n->values[0].offset, input, n->values[0].bytes);
  assert_int_equal(th_planned_run(&n->p, arena), TH_OK);
  assert_memory_equal(arena + n->values[n->outputs[0]].offset, expected, n->values[n->outputs[0]].bytes);
  free(arena);
}

/* By the interpreter, from a file. */
static void check_interpreted(const net *n, const int8_t *input, const uint8_t *expected) {
  th_buf blob = {0};
  thr_model m;
  if (th_write_thim_program(&n->p, n->arena, &blob, NULL) != TH_OK) fail_msg("%s", th_error_message());
  assert_int_equal(thr_open(&m, blob.data, blob.size), THR_OK);
  assert_int_equal(thr_arena_bytes(&m), n->p.arena_bytes);
  uint8_t *arena = malloc(n->p.arena_bytes), *steps = malloc(n->p.arena_bytes);
  memset(arena, 0x5A, n->p.arena_bytes);
  memcpy(thr_input(&m, arena, 0), input, n->values[0].bytes);
  memcpy(steps, arena, n->p.arena_bytes);
  thr_run(&m, arena);
  assert_memory_equal(thr_output(&m, arena, 0), expected, n->values[n->outputs[0]].bytes);
  for (uint16_t i = 0; i < m.steps; i++) thr_run_step(&m, steps, i);
  assert_memory_equal(steps, arena, n->p.arena_bytes);
  free(arena);
  free(steps);
  th_buf_free(&blob);
}

static void equal_to_the_steps_apart(void **state) {
  int with_segments = 0, smaller = 0, long_chains = 0, tight = 0;
  for (int seed = 0; seed < NETS; seed++) {
    net n;
    th_plan_info before, after;
    random_net(&n, (uint64_t)seed);
    const int8_t *input = noise(&n, n.values[0].bytes);
    uint8_t *expected = th_arena_alloc(n.arena, n.values[n.outputs[0]].bytes);
    run_apart(&n, input, expected);
    assert_int_equal(th_pass_plan(&n.p, &before), TH_OK);
    check_planned(&n, input, expected);
    assert_int_equal(th_pass_order(&n.p), TH_OK);
    assert_int_equal(th_pass_segments(&n.p, 0, NULL), TH_OK);
    assert_int_equal(th_encode_program(&n.p, NULL, NULL), TH_OK);
    assert_int_equal(th_pass_plan(&n.p, &after), TH_OK);
    check_planned(&n, input, expected);
    check_interpreted(&n, input, expected);
    assert_true(after.arena_bytes >= after.lower_bound);
    assert_true(after.arena_bytes <= before.arena_bytes);
    with_segments += n.p.n_segments > 0;
    smaller += after.arena_bytes < before.arena_bytes;
    tight += after.arena_bytes == after.lower_bound;
    for (int i = 0; i < n.p.n_segments; i++) long_chains += n.p.segments[i].last > n.p.segments[i].first + 1;
    th_arena_destroy(n.arena);
  }
  print_message("of %d networks %d run in lines, %d need less, %d meet the bound; %d chains of 3 or more\n", NETS,
                with_segments, smaller, tight, long_chains);
  assert_true(smaller > NETS / 2 && long_chains > NETS / 4);
}

static int coded_in_segments(const net *n) {
  int coded = 0;
  for (int i = 0; i < n->p.n_steps; i++) {
    const th_program_step *s = &n->steps[i];
    coded += s->rows && s->weights && s->scratch_bytes > 0;
    if (s->rows && s->weights) assert_true(!s->raw || s->scratch_bytes == 0);
  }
  return coded;
}

/* More than the network needs in lines and with raw weights, less than without lines. */
static uint32_t arena_between(int seed) {
  net n;
  th_plan_info whole;
  uint32_t least;
  random_net(&n, (uint64_t)seed);
  assert_int_equal(th_pass_plan(&n.p, &whole), TH_OK);
  assert_int_equal(th_pass_segments(&n.p, 0, &least), TH_OK);
  assert_int_equal(th_encode_program(&n.p, NULL, NULL), TH_OK);
  assert_int_equal(coded_in_segments(&n), 0);
  th_arena_destroy(n.arena);
  return least + (whole.arena_bytes > least ? (whole.arena_bytes - least) * 3 / 4 : 0);
}

/* Where the arena may have more, weights of chains are coded, and decoded before the chain runs. */
static void coded_weights_run_in_lines(void **state) {
  const th_encode_options coders = {.coders = ~0u};
  int coded = 0, chains = 0;
  for (int seed = 0; seed < NETS; seed++) {
    net n;
    th_plan_info info;
    const uint32_t enough = arena_between(seed);
    random_net(&n, (uint64_t)seed);
    const int8_t *input = noise(&n, n.values[0].bytes);
    uint8_t *expected = th_arena_alloc(n.arena, n.values[n.outputs[0]].bytes);
    run_apart(&n, input, expected);
    assert_int_equal(th_pass_order(&n.p), TH_OK);
    assert_int_equal(th_pass_segments(&n.p, enough, NULL), TH_OK);
    assert_int_equal(th_pass_plan(&n.p, &info), TH_OK);
    assert_true(info.arena_bytes <= enough); /* which is no less than the least */
    assert_int_equal(th_encode_program(&n.p, &coders, NULL), TH_OK);
    assert_int_equal(th_pass_plan(&n.p, &info), TH_OK);
    assert_int_equal(th_plan_check(&n.p), TH_OK);
    check_planned(&n, input, expected);
    check_interpreted(&n, input, expected);
    coded += coded_in_segments(&n);
    chains += n.p.n_segments;
    th_arena_destroy(n.arena);
  }
  print_message("%d chains in %d networks; %d layers in them have coded weights\n", chains, NETS, coded);
  assert_true(coded > NETS / 8);
}

/* A file whose weights would be decoded past the end of the arena is no file: the writer opens what it wrote. */
static void refuse_outside(net *n, th_program_step *s) {
  th_buf blob = {0};
  const uint32_t good = s->scratch_offset;
  s->scratch_offset = n->p.arena_bytes - s->scratch_bytes + 1;
  assert_int_not_equal(th_write_thim_program(&n->p, n->arena, &blob, NULL), TH_OK);
  th_error_clear();
  s->scratch_offset = n->p.arena_bytes - s->scratch_bytes; /* the last place, whatever lies there: the file is safe */
  assert_int_equal(th_write_thim_program(&n->p, n->arena, &blob, NULL), TH_OK);
  th_buf_free(&blob);
  s->scratch_offset = good;
}

/* Moving decoded weights onto a value, or onto those of another layer of the chain, must be seen. */
static void the_check_sees_lost_weights(void **state) {
  int moved = 0;
  for (int seed = 0; seed < NETS; seed++) {
    net n;
    const uint32_t enough = arena_between(seed);
    random_net(&n, (uint64_t)seed);
    assert_int_equal(th_pass_segments(&n.p, enough, NULL), TH_OK);
    assert_int_equal(th_encode_program(&n.p, NULL, NULL), TH_OK);
    assert_int_equal(th_pass_plan(&n.p, NULL), TH_OK);
    for (int i = 0; i < n.p.n_steps; i++) {
      th_program_step *s = &n.steps[i];
      if (!s->rows || s->scratch_bytes == 0) continue;
      const uint32_t good = s->scratch_offset;
      s->scratch_offset = n.values[s->out].offset;
      assert_int_equal(th_plan_check(&n.p), TH_ERR_INTERNAL);
      th_error_clear();
      s->scratch_offset = good;
      refuse_outside(&n, s);
      moved++;
    }
    th_arena_destroy(n.arena);
  }
  assert_true(moved > NETS / 8);
}

/* A residual block of a picture: the sum's lines take the place of the block's input, the rings hold 3 lines and 1. */
static void residual_block_takes_one_map_and_its_rings(void **state) {
  net n;
  th_plan_info info;
  begin(&n, 1);
  const int in = new_value(&n, 16, 16, 4, -1);
  int a = in;
  for (int i = 0; i < 2; i++) {
    do { /* until the window is 3 x 3 */
      if (a != in || n.p.n_steps > i) {
        n.p.n_steps = i;
        n.p.n_values = i + 1;
      }
      a = convolution(&n, i, false, true, 4);
    } while (n.steps[i].step.p.conv2d.kernel_y != 3 || n.steps[i].step.p.conv2d.dilation_y != 1);
  }
  finish(&n, sum_of(&n, in, a));
  assert_int_equal(th_pass_segments(&n.p, 0, NULL), TH_OK);
  assert_int_equal(th_pass_plan(&n.p, &info), TH_OK);
  assert_int_equal(n.p.n_segments, 1);
  assert_int_equal(info.arena_bytes, 16 * 64 + 3 * 64 + 1 * 64);
  th_arena_destroy(n.arena);
}

/* Moving a ring or the result by a line must be seen. */
static void the_check_sees_lost_lines(void **state) {
  int seen = 0, moved = 0;
  for (int seed = 0; seed < 60; seed++) {
    net n;
    random_net(&n, (uint64_t)seed + 1000);
    assert_int_equal(th_pass_segments(&n.p, 0, NULL), TH_OK);
    assert_int_equal(th_pass_plan(&n.p, NULL), TH_OK);
    for (int i = 0; i < n.p.n_segments; i++) {
      th_value *out = &n.values[n.steps[n.p.segments[i].last].out];
      const uint32_t good = out->offset;
      if (good + out->bytes + 1 > n.p.arena_bytes) continue;
      out->offset = good + 1; /* overlaps something, or is one byte too late for what is read there; or harmless */
      moved++;
      seen += th_plan_check(&n.p) == TH_ERR_INTERNAL;
      th_error_clear();
      out->offset = good;
      assert_int_equal(th_plan_check(&n.p), TH_OK);
    }
    for (int v = 0; v < n.p.n_values; v++) {
      if (n.values[v].kept < 2) continue;
      n.values[v].kept--; /* a ring of a line less never serves */
      assert_int_equal(th_plan_check(&n.p), TH_ERR_INTERNAL);
      th_error_clear();
      n.values[v].kept++;
    }
    th_arena_destroy(n.arena);
  }
  print_message("%d of %d moved results noticed\n", seen, moved);
  assert_true(seen > 0);
}

/* --- the order --- */

/* A graph of steps without in-place kernels: step i reads one or two earlier values. */
static void random_graph(net *n, uint64_t seed, int steps) {
  begin(n, seed);
  int v = new_value(n, 1, 1, 1 + below(n, 50), -1);
  for (int i = 0; i < steps; i++) {
    const int a = below(n, n->p.n_values), b = i == steps - 1 ? v : below(n, 2) ? below(n, n->p.n_values) : -1;
    th_program_step *s = new_step(n, THR_KERNEL_CONV2D_S8, a, b);
    s->scratch_bytes = (uint32_t)below(n, 10);
    v = s->out = new_value(n, 1, 1, 1 + below(n, 100), i);
  }
  finish(n, v);
}

/* Bytes alive when the steps come in this order; every value from its step to its last reader. */
static uint32_t peak_of(const net *n, const int *order) {
  int when[MOST];
  uint32_t peak = 0;
  for (int k = 0; k < n->p.n_steps; k++) when[order[k]] = k;
  for (int k = 0; k < n->p.n_steps; k++) {
    uint32_t sum = n->steps[order[k]].scratch_bytes;
    for (int v = 0; v < n->p.n_values; v++) {
      int first = -1, last = v == n->outputs[0] ? n->p.n_steps : -1;
      for (int i = 0; i < n->p.n_steps; i++) {
        if (n->steps[i].out == v) first = when[i];
        for (int q = 0; q < n->steps[i].n_in; q++)
          if (n->steps[i].in[q] == v && when[i] > last) last = when[i];
      }
      if (last < first) last = first;
      if (first <= k && k <= last) sum += n->values[v].bytes;
    }
    if (sum > peak) peak = sum;
  }
  return peak;
}

static bool ready(const net *n, const int *order, int k, int step) {
  for (int i = 0; i < k; i++)
    if (order[i] == step) return false;
  for (int q = 0; q < n->steps[step].n_in; q++) {
    bool there = n->steps[step].in[q] == 0;
    for (int i = 0; i < k; i++) there = there || n->steps[order[i]].out == n->steps[step].in[q];
    if (!there) return false;
  }
  return true;
}

static uint32_t best_of_all(const net *n, int *order, int k) {
  uint32_t best = UINT32_MAX;
  if (k == n->p.n_steps) return peak_of(n, order);
  for (int step = 0; step < n->p.n_steps; step++) {
    if (!ready(n, order, k, step)) continue;
    order[k] = step;
    const uint32_t peak = best_of_all(n, order, k + 1);
    if (peak < best) best = peak;
  }
  return best;
}

static void the_order_is_the_best_of_all(void **state) {
  int better = 0;
  for (int seed = 0; seed < 150; seed++) {
    net n;
    int order[MOST], as_is[MOST];
    random_graph(&n, (uint64_t)seed, 3 + seed % 5);
    for (int i = 0; i < MOST; i++) as_is[i] = i;
    const uint32_t before = peak_of(&n, as_is), best = best_of_all(&n, order, 0);
    assert_int_equal(th_pass_order(&n.p), TH_OK);
    assert_int_equal(peak_of(&n, as_is), best);
    assert_true(th_peak_bytes(&n.p) >= best); /* the input alone may be more */
    assert_int_equal(th_pass_plan(&n.p, NULL), TH_OK);
    better += best < before;
    th_arena_destroy(n.arena);
  }
  print_message("%d of 150 orders improved\n", better);
  assert_true(better > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equal_to_the_steps_apart),    cmocka_unit_test(coded_weights_run_in_lines),
      cmocka_unit_test(the_check_sees_lost_weights), cmocka_unit_test(residual_block_takes_one_map_and_its_rings),
      cmocka_unit_test(the_check_sees_lost_lines),   cmocka_unit_test(the_order_is_the_best_of_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
