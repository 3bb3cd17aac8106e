/* A quantized network that uses every kernel of the runtime, for tests of the .thim format: text with constants that
 * are made up when asked for. Also a runner that is as plain as can be: every value in a buffer of its own, weights as
 * they are. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_WRITE_THIM_MODEL_H
#define TESTS_WRITE_THIM_MODEL_H

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "encode/program.h"
#include "eval/lower.h"
#include "pass/plan.h"
#include "write/thim.h"

static const char model_text[] =
    "graph everything\n"
    "input %x s8 1x12x10x3 q(0.02,-3)\n"
    "input %side s8 1x48 q(0.03,7)\n"
    "const %w1 s8 8x3x3x3 q[0](0.01,0 0.011,0 0.012,0 0.01,0 0.01,0 0.012,0 0.01,0 0.011,0) = #1\n"
    "const %b1 s32 8 = {100 -200 300 0 4000 -50 60 7}\n"
    "node conv = conv2d(%x %w1 %b1) -> %y1 s8 1x12x10x8 q(0.05,-128) {pad_top=1 pad_bottom=1 pad_left=1 pad_right=1 "
    "activation=relu}\n"
    "const %w2 s8 1x3x3x16 q[3](0.01,0 0.02,0 0.03,0 0.04,0 0.05,0 0.06,0 0.07,0 0.08,0 0.01,0 0.02,0 0.03,0 0.04,0 "
    "0.05,0 "
    "0.06,0 0.07,0 0.08,0) = #2\n"
    "const %b2 s32 16 = {16 32 64 128 256 512 1024 2048 4096 8192 16384 32768 65536 -16 -32 0}\n"
    "node depthwise = depthwise_conv2d(%y1 %w2 %b2) -> %y2 s8 1x6x5x16 q(0.06,4) {stride_y=2 stride_x=2 pad_top=1 "
    "pad_left=1 "
    "pad_bottom=0 pad_right=0}\n"
    "const %w3 s8 16x1x1x8 q(0.02,0) = #3\n"
    "node grouped = conv2d(%y2 %w3) -> %y3 s8 1x6x5x16 q(0.04,-7) {groups=2}\n"
    "node add = add(%y2 %y3) -> %y4 s8 1x6x5x16 q(0.07,1)\n"
    "const %k s8 1x1x1x16 q(0.02,0) = #4\n"
    "node mul = mul(%y4 %k) -> %y5 s8 1x6x5x16 q(0.05,-9) {activation=relu6}\n"
    "node sub = sub(%y5 %y3) -> %y6 s8 1x6x5x16 q(0.06,2)\n"
    "node swish = hard_swish(%y6) -> %y7 s8 1x6x5x16 q(0.03,-100)\n"
    "const %edges s32 4x2 = {0 0 1 1 0 1 0 0}\n"
    "node pad = pad(%y7 %edges) -> %y8 s8 1x8x6x16 q(0.03,-100)\n"
    "node max = max_pool2d(%y8) -> %y9 s8 1x4x3x16 q(0.03,-100) {kernel_y=2 kernel_x=2 stride_y=2 stride_x=2}\n"
    "node avg = avg_pool2d(%y8) -> %y10 s8 1x4x3x16 q(0.03,-100) {kernel_y=2 kernel_x=2 stride_y=2 stride_x=2}\n"
    "node join = concat(%y9 %y10) -> %y11 s8 1x4x3x32 q(0.03,-100) {axis=3}\n"
    "node leaky = leaky_relu(%y11) -> %y12 s8 1x4x3x32 q(0.02,-50) {alpha=0.2}\n"
    "node mean = global_avg_pool(%y12) -> %y13 s8 1x32 q(0.02,-50)\n"
    "const %w4 s8 48x32 q(0.01,0) = #5\n"
    "const %b4 s32 48 = #6\n"
    "node dense = fully_connected(%y13 %w4 %b4) -> %y14 s8 1x48 q(0.05,0)\n"
    "node sigmoid = sigmoid(%y14) -> %y15 s8 1x48 q(0.00390625,-128)\n"
    "node tanh = tanh(%y14) -> %y16 s8 1x48 q(0.0078125,0)\n"
    "node gate = mul(%y15 %y16) -> %y17 s8 1x48 q(0.0078125,0)\n"
    "node mix = add(%y17 %side) -> %y18 s8 1x48 q(0.04,0)\n"
    "node relu = relu(%y18) -> %z0 s8 1x48 q(0.02,-128)\n"
    "node elu = elu(%z0) -> %z1 s8 1x48 q(0.03,-20) {alpha=1}\n"
    "const %slope s8 48 q(0.01,3) = #9\n"
    "node prelu = prelu(%z1 %slope) -> %z2 s8 1x48 q(0.025,-10)\n"
    "const %level s8 1x48 q(0.025,-10) = #10\n"
    "node upper = maximum(%z2 %level) -> %z3 s8 1x48 q(0.025,-10)\n"
    "node lower = minimum(%z3 %z2) -> %z4 s8 1x48 q(0.025,-10)\n"
    "node square = squared_difference(%z4 %side) -> %z5 s8 1x48 q(0.2,-128)\n"
    "node ratio = div(%z5 %slope) -> %z6 s8 1x48 q(0.5,0)\n"
    "node unit = l2_normalization(%z6) -> %z7 s8 1x48 q(0.0078125,0)\n"
    "node logs = log_softmax(%z7) -> %z8 s8 1x48 q(0.0625,127)\n"
    "node cube = reshape(%z8) -> %z9 s8 1x4x3x4 q(0.0625,127)\n"
    "node most = reduce_max(%z9) -> %z10 s8 1x4x1x4 q(0.0625,127) {axes_mask=4 keep_dims=1}\n"
    "node least = reduce_min(%z9) -> %z11 s8 1x1x3x4 q(0.0625,127) {axes_mask=2 keep_dims=1}\n"
    "node range = sub(%z10 %z11) -> %z12 s8 1x4x3x4 q(0.04,-128)\n"
    "node best = argmax(%z12) -> %i s32 1x4x3 {axis=3}\n"
    "const %perm s32 4 = {0 2 1 3}\nconst %odd s32 4x3 = {0 1 1 5 -1 -2 0 4 1 0 4 1}\n"
    "const %w7 s8 4x2x2x4 q(0.02,0) = #11\n"
    "node turn = transpose(%z12 %perm) -> %s0 s8 1x3x4x4 q(0.04,-128)\n"
    "node near = resize_nearest(%s0) -> %s1 s8 1x4x5x4 q(0.04,-128) {out_y=4 out_x=5}\n"
    "node smooth = resize_bilinear(%s1) -> %s2 s8 1x3x2x4 q(0.04,-128) {out_y=3 out_x=2 half_pixel=1}\n"
    "node up = transpose_conv2d(%s2 %w7) -> %s3 s8 1x6x4x4 q(0.1,3) {stride_y=2 stride_x=2}\n"
    "node every = strided_slice(%s3 %odd) -> %s4 s8 1x3x4x4 q(0.1,3)\n"
    "node products = batch_matmul(%s4 %s0) -> %s5 s8 1x3x4x4 q(0.04,-128) {adj_y=1}\n"
    "node line = reshape(%s5) -> %z13 s8 1x48 q(0.04,-128)\n"
    "node blend = add(%z13 %y18) -> %y19 s8 1x48 q(0.02,-128)\n"
    "const %w5 s8 600x48 q(0.02,0) = #7\n"
    "node wide = fully_connected(%y19 %w5) -> %y20 s8 1x600 q(0.05,0)\n"
    "const %w6 s8 10x600 q(0.02,0) = #8\n"
    "node last = fully_connected(%y20 %w6) -> %y21 s8 1x10 q(0.2,0)\n"
    "node softmax = softmax(%y21) -> %p s8 1x10 q(0.00390625,-128)\n"
    "node real = dequantize(%y18) -> %f f32 1x48\n"
    "node back = quantize(%f) -> %q s8 1x48 q(0.1,3)\n"
    "output %p\noutput %f\noutput %q\n";

/* Constant number `hash`, `bytes` long: what a layer's weights may look like. */
static const void *made_up(void *user, uint64_t hash, size_t bytes) {
  th_rng rng = th_rng_init(11, hash);
  int8_t *w = th_arena_alloc(user, bytes);
  for (size_t i = 0; i < bytes; i++) {
    const int level = (int)th_rng_below(&rng, 8) + (int)th_rng_below(&rng, 8) - 7; /* -7..7, small ones more often */
    const int sparse = th_rng_below(&rng, 20) ? 0 : level * 9;
    switch (hash) {
      case 2:
        w[i] = (int8_t)(10 + 10 * (i % 2));
        break;
      case 3:
        w[i] = (int8_t)level;
        break;
      case 6:
        w[i] = (int8_t)(i % 4 ? 0 : level);
        break; /* biases, s32: small in the low byte */
      case 5:
        w[i] = 0;
        break;
      case 7:
        w[i] = (int8_t)sparse;
        break;
      case 8:
        w[i] = (int8_t)(level * 17);
        break;
      default:
        w[i] = (int8_t)(int)th_rng_below(&rng, 256);
    }
  }
  return w;
}

typedef struct fixture {
  th_arena *arena;
  th_graph *graph;
  th_program *raw;   /* as lowered */
  th_program *coded; /* coded and planned */
  th_buf blob;       /* of `coded` */
  th_thim_report report;
} fixture;

static th_status fixture_open(fixture *f) {
  memset(f, 0, sizeof *f);
  f->arena = th_arena_create();
  TH_TRY(th_graph_parse(model_text, strlen(model_text), "model", made_up, f->arena, &f->graph));
  TH_TRY(th_lower(f->graph, &f->raw));
  TH_TRY(th_lower(f->graph, &f->coded));
  TH_TRY(th_encode_program(f->coded, NULL, NULL));
  TH_TRY(th_pass_plan(f->coded, NULL));
  return th_write_thim_program(f->coded, f->arena, &f->blob, &f->report);
}

static void fixture_close(fixture *f) {
  th_buf_free(&f->blob);
  th_program_destroy(f->coded);
  th_program_destroy(f->raw);
  th_graph_destroy(f->graph);
  th_arena_destroy(f->arena);
}

/* Runs an unplanned program, each value in a block of its own from `arena`; returns the values. */
static void **run_plain(const th_program *p, th_arena *arena, const void *const *inputs) {
  void **value = TH_ARRAY(arena, void *, p->n_values);
  for (int i = 0; i < p->n_values; i++)
    value[i] = p->values[i].data ? (void *)p->values[i].data : th_arena_alloc(arena, p->values[i].bytes);
  for (int i = 0; i < p->n_inputs; i++) memcpy(value[p->inputs[i]], inputs[i], p->values[p->inputs[i]].bytes);
  for (int i = 0; i < p->n_steps; i++) {
    const th_program_step *s = &p->steps[i];
    const void *in[THR_STEP_INPUTS] = {NULL};
    for (int k = 0; k < s->n_in; k++) in[k] = value[s->in[k]];
    thr_step_run(&s->step, in, value[s->out], NULL);
  }
  return value;
}

#endif
