/* Order, segments and plan on random networks: windows, pools, element-wise layers, residual blocks with and without a
 * convolution in the other branch, a dense layer at the end. Each runs step after step in memory of its own, and then
 * as the passes left it, in an arena that is exact in size: outputs must be equal. The order is compared with all
 * orders. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/rng.h"
#include "encode/program.h"
#include "eval/chain.h"
#include "eval/planned.h"
#include "pass/memory.h"
#include "pass/order.h"
#include "pass/plan.h"
#include "pass/segments.h"
#include "write/thim.h"

enum { MOST = 40, NETS = 400 };

typedef struct net {
  th_arena *arena;
  th_rng rng;
  th_graph g;
  th_tensor tensors[MOST];
  th_program p;
  th_program_step steps[MOST];
  th_value values[MOST];
  int inputs[1], outputs[1];
} net;

static int below(net *n, int limit) {
  return (int)th_rng_below(&n->rng, (uint32_t)limit);
}

static int8_t *noise(net *n, size_t count) {
  int8_t *v = th_arena_alloc(n->arena, count);
  for (size_t i = 0; i < count; i++) v[i] = (int8_t)(below(n, 256) - 128);
  return v;
}

static int new_value(net *n, int y, int x, int c, int step) {
  const int v = n->p.n_values++;
  n->tensors[v] = (th_tensor){.dtype = TH_DTYPE_S8, .shape = {.rank = 4, .dim = {1, y, x, c}}};
  n->values[v] = (th_value){.tensor = v,
                            .name = "value",
                            .bytes = (uint32_t)(y * x * c),
                            .first_step = step,
                            .last_step = step,
                            .offset = TH_NO_OFFSET};
  return v;
}

static void begin(net *n, uint64_t seed) {
  memset(n, 0, sizeof *n);
  n->arena = th_arena_create();
  n->rng = th_rng_init(seed, 5);
  n->g.tensors = n->tensors;
  n->g.n_tensors = MOST;
  n->p = (th_program){.arena = n->arena,
                      .graph = &n->g,
                      .steps = n->steps,
                      .values = n->values,
                      .inputs = n->inputs,
                      .n_inputs = 1,
                      .outputs = n->outputs,
                      .n_outputs = 1};
}

static void finish(net *n, int output) {
  n->values[output].last_step = n->p.n_steps;
  n->outputs[0] = output;
  n->g.inputs = n->inputs;
  n->g.outputs = n->outputs;
  n->g.n_inputs = n->g.n_outputs = 1;
}

static th_program_step *new_step(net *n, thr_kernel_id kernel, int a, int b) {
  const int i = n->p.n_steps++;
  n->steps[i] = (th_program_step){.step.kernel = kernel, .name = "step", .in = {a, b}, .n_in = b < 0 ? 1 : 2};
  n->values[a].last_step = i;
  if (b >= 0) n->values[b].last_step = i;
  return &n->steps[i];
}

static const int32_t *shape_of(const net *n, int value) {
  return n->tensors[value].shape.dim;
}

/* --- layers --- */

static void add_channels(net *n, th_program_step *s, thr_conv2d_params *p, int row) {
  int32_t *mult = TH_ARRAY(n->arena, int32_t, 1);
  s->weight_count = (uint32_t)(row * p->out_c);
  s->row_elems = (uint32_t)row;
  int8_t *weights = noise(n, s->weight_count);
  for (uint32_t i = 0; i < s->weight_count && n->p.n_steps % 2; i++)
    weights[i] /= 32; /* few values: coders take them */
  s->weights = weights;
  p->weights = (thr_weights){.data = (const uint8_t *)s->weights, .bytes = s->weight_count};
  int64_t *bias = TH_ARRAY(n->arena, int64_t, p->out_c);
  int8_t *shift = noise(n, 1), *narrow = noise(n, (size_t)p->out_c);
  for (int i = 0; i < p->out_c; i++) bias[i] = narrow[i] * 16;
  p->bias = (thr_bias){(const uint8_t *)narrow, 1, 4};
  s->bias = bias;
  s->bias_count = (uint32_t)p->out_c;
  *mult = 1 << 30;
  *shift = (int8_t)(-5 - below(n, 3));
  p->requant = (thr_requant){.mult = mult, .shift = shift};
  s->mult = mult;
  s->shift = shift;
  s->requant_count = 1;
  p->in_zero = below(n, 256) - 128;
  p->out_zero = below(n, 60) - 30;
  p->lo = -128;
  p->hi = 127;
}

/* same: with stride 1 and padding that keep the size */
static void random_window(net *n, int in, bool same, int32_t *out, int16_t *kernel, int16_t *stride, int16_t *dilation,
                          int16_t *pad) {
  *kernel = (int16_t)(same ? 1 + 2 * below(n, 2) : 1 + below(n, 4));
  *stride = (int16_t)(same ? 1 : 1 + below(n, 2));
  *dilation = (int16_t)(below(n, 5) == 0 ? 2 : 1);
  const int span = (*kernel - 1) * *dilation + 1;
  *pad = (int16_t)(same ? (span - 1) / 2 : below(n, span));
  *out = same ? in : (in - 1 + *pad) / *stride + 1;
}

static int convolution(net *n, int in, bool depthwise, bool same, int channels) {
  const int32_t *d = shape_of(n, in);
  th_program_step *s = new_step(n, depthwise ? THR_KERNEL_DEPTHWISE_CONV2D_S8 : THR_KERNEL_CONV2D_S8, in, -1);
  thr_conv2d_params *p = &s->step.p.conv2d;
  p->in_y = d[1];
  p->in_x = d[2];
  p->in_c = d[3];
  p->out_c = depthwise ? p->in_c : channels;
  p->groups = depthwise ? p->in_c : 1;
  random_window(n, p->in_y, same, &p->out_y, &p->kernel_y, &p->stride_y, &p->dilation_y, &p->pad_y);
  random_window(n, p->in_x, same, &p->out_x, &p->kernel_x, &p->stride_x, &p->dilation_x, &p->pad_x);
  add_channels(n, s, p, p->kernel_y * p->kernel_x * (depthwise ? 1 : p->in_c));
  return s->out = new_value(n, p->out_y, p->out_x, p->out_c, n->p.n_steps - 1);
}

static int pool(net *n, int in) {
  const int32_t *d = shape_of(n, in);
  th_program_step *s = new_step(n, below(n, 2) ? THR_KERNEL_MAX_POOL2D_S8 : THR_KERNEL_AVG_POOL2D_S8, in, -1);
  thr_pool2d_params *p = &s->step.p.pool2d;
  int16_t one;
  *p = (thr_pool2d_params){.in_y = d[1], .in_x = d[2], .c = d[3], .lo = -128, .hi = 127};
  random_window(n, p->in_y, false, &p->out_y, &p->kernel_y, &p->stride_y, &one, &p->pad_y);
  random_window(n, p->in_x, false, &p->out_x, &p->kernel_x, &p->stride_x, &one, &p->pad_x);
  return s->out = new_value(n, p->out_y, p->out_x, p->c, n->p.n_steps - 1);
}

static int relu(net *n, int in) {
  const int32_t *d = shape_of(n, in);
  th_program_step *s = new_step(n, THR_KERNEL_RELU_S8, in, -1);
  s->step.p.unary =
      (thr_unary_params){.n = (int32_t)n->values[in].bytes, .lo = -20, .hi = 127, .mult = {1 << 30}, .shift = {1}};
  return s->out = new_value(n, d[1], d[2], d[3], n->p.n_steps - 1);
}

/* Dimensions as lowering gives them: all in one, or the picture's. */
static int sum_of(net *n, int a, int b) {
  const int32_t *d = shape_of(n, a);
  const int32_t y = d[1], x = d[2], c = d[3];
  th_program_step *s = new_step(n, THR_KERNEL_ADD_S8, a, b);
  thr_elementwise_params *p = &s->step.p.elementwise;
  *p = (thr_elementwise_params){.dim = {1, 1, 1, y * x * c}, .stride_a = {0, 0, 0, 1}, .stride_b = {0, 0, 0, 1}};
  if (below(n, 2))
    *p = (thr_elementwise_params){.dim = {1, y, x, c}, .stride_a = {0, x * c, c, 1}, .stride_b = {0, x * c, c, 1}};
  p->lo = -128;
  p->hi = 127;
  p->left_shift = 20;
  for (int i = 0; i < 3; i++) p->mult[i] = 1 << 30;
  p->shift[2] = -18;
  return s->out = new_value(n, y, x, c, n->p.n_steps - 1);
}

static int residual(net *n, int in) {
  const int channels = shape_of(n, in)[3];
  int a = in, b = in;
  const bool branch_first = below(n, 2);
  if (branch_first && below(n, 2)) b = convolution(n, in, false, true, channels);
  for (int i = below(n, 3); i >= 0; i--) a = convolution(n, a, below(n, 2), true, channels);
  if (!branch_first && below(n, 2)) b = convolution(n, in, false, true, channels);
  return below(n, 2) ? sum_of(n, a, b) : sum_of(n, b, a);
}

static int dense(net *n, int in) {
  th_program_step *s = new_step(n, THR_KERNEL_FULLY_CONNECTED_S8, in, -1);
  thr_fully_connected_params *p = &s->step.p.fully_connected;
  thr_conv2d_params like = {.out_c = 1 + below(n, 10)};
  add_channels(n, s, &like, (int)n->values[in].bytes);
  *p = (thr_fully_connected_params){.in_n = (int32_t)n->values[in].bytes,
                                    .out_n = like.out_c,
                                    .lo = -128,
                                    .hi = 127,
                                    .weights = like.weights,
                                    .bias = like.bias,
                                    .requant = like.requant};
  return s->out = new_value(n, 1, 1, like.out_c, n->p.n_steps - 1);
}

static void random_net(net *n, uint64_t seed) {
  begin(n, seed);
  int v = new_value(n, 1 + below(n, 14), 1 + below(n, 8), 1 + below(n, 6), -1);
  const int layers = 1 + below(n, 8);
  for (int i = 0; i < layers && n->p.n_steps < MOST - 8; i++) {
    const int kind = below(n, 8);
    if (kind < 3) v = convolution(n, v, false, false, 1 + below(n, 8));
    if (kind == 3) v = convolution(n, v, true, false, 0);
    if (kind == 4) v = pool(n, v);
    if (kind == 5) v = relu(n, v);
    if (kind > 5) v = residual(n, v);
  }
  if (below(n, 3) == 0) v = dense(n, v);
  finish(n, v);
}

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
