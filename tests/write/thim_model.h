/* A quantized network that uses every kernel of the runtime but those of old uint8 models, for tests of the .thim
 * format: text with constants that are made up when asked for. Also a runner that is as plain as can be: every value in
 * a buffer of its own, weights as they are. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_WRITE_THIM_MODEL_H
#define TESTS_WRITE_THIM_MODEL_H

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "encode/program.h"
#include "eval/lower.h"
#include "pass/plan.h"
#include "write/thim.h"

__attribute__((unused)) static const char model_text[] =
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
    "node wider = quantize(%y18) -> %h0 s16 1x48 q(0.0002,0)\n"
    "node box = reshape(%h0) -> %h1 s16 1x4x3x4 q(0.0002,0)\n"
    "const %w8 s8 4x3x3x4 q(0.01,0) = #12\nconst %b8 s64 4 = {100 -9000000000 7 0}\n"
    "node conv16 = conv2d(%h1 %w8 %b8) -> %h2 s16 1x4x3x4 q(0.0004,0) {pad_top=1 pad_bottom=1 pad_left=1 pad_right=1}\n"
    "const %w9 s8 1x3x3x4 q(0.02,0) = #13\nconst %b9 s32 4 = {500 -600 70000 8}\n"
    "node depthwise16 = depthwise_conv2d(%h2 %w9 %b9) -> %h3 s16 1x4x3x4 q(0.0003,0) {pad_top=1 pad_bottom=1 "
    "pad_left=1 pad_right=1}\n"
    "const %w10 s8 4x2x2x4 q(0.02,0) = #14\n"
    "node up16 = transpose_conv2d(%h3 %w10) -> %h4 s16 1x5x4x4 q(0.0004,0)\n"
    "node max16 = max_pool2d(%h4) -> %h5 s16 1x4x3x4 q(0.0004,0) {kernel_y=2 kernel_x=2}\n"
    "node pad16 = pad(%h5 %edges) -> %h6 s16 1x6x4x4 q(0.0004,0)\n"
    "node avg16 = avg_pool2d(%h6) -> %h7 s16 1x4x3x4 q(0.0004,0) {kernel_y=3 kernel_x=2}\n"
    "node add16 = add(%h7 %h1) -> %h8 s16 1x4x3x4 q(0.0005,0)\n"
    "node mul16 = mul(%h8 %h1) -> %h9 s16 1x4x3x4 q(0.0006,0)\n"
    "node sub16 = sub(%h9 %h7) -> %h10 s16 1x4x3x4 q(0.0006,0)\n"
    "node largest16 = maximum(%h10 %h9) -> %h11 s16 1x4x3x4 q(0.0006,0)\n"
    "node least16 = minimum(%h11 %h10) -> %h12 s16 1x4x3x4 q(0.0006,0)\n"
    "node square16 = squared_difference(%h12 %h9) -> %h13 s16 1x4x3x4 q(0.001,0)\n"
    "node root16 = rsqrt(%h13) -> %h14 s16 1x4x3x4 q(0.001,0)\n"
    "node size16 = abs(%h12) -> %h15 s16 1x4x3x4 q(0.0005,0)\n"
    "node unit16 = mul(%h14 %h15) -> %h16 s16 1x4x3x4 q(0.01,0)\n"
    "node relu16 = relu(%h16) -> %h17 s16 1x4x3x4 q(0.004,0)\n"
    "node leaky16 = leaky_relu(%h17) -> %h18 s16 1x4x3x4 q(0.003,0) {alpha=0.3}\n"
    "node products16 = batch_matmul(%h18 %h12) -> %h19 s16 1x4x3x3 q(0.001,0) {adj_y=1}\n"
    "node softmax16 = softmax(%h19) -> %h20 s16 1x4x3x3 q(0.000030517578125,0)\n"
    "node mixed16 = batch_matmul(%h20 %h12) -> %h21 s16 1x4x3x4 q(0.0004,0)\n"
    "node sigmoid16 = sigmoid(%h21) -> %h22 s16 1x4x3x4 q(0.000030517578125,0)\n"
    "node tanh16 = tanh(%h21) -> %h23 s16 1x4x3x4 q(0.000030517578125,0)\n"
    "node gate16 = mul(%h22 %h23) -> %h24 s16 1x4x3x4 q(0.00003,0)\n"
    "node mean16 = mean(%h24) -> %h25 s16 1x1x1x4 q(0.00003,0) {axes_mask=6 keep_dims=1}\n"
    "node centred16 = sub(%h24 %h25) -> %h26 s16 1x4x3x4 q(0.00004,0)\n"
    "node float16 = dequantize(%h26) -> %hf f32 1x4x3x4\n"
    "node again16 = quantize(%hf) -> %h27 s16 1x4x3x4 q(0.00004,0)\n"
    "node flat16 = reshape(%h27) -> %h28 s16 1x48 q(0.00004,0)\n"
    "const %w11 s8 48x48 q(0.01,0) = #15\n"
    "node dense16 = fully_connected(%h28 %w11) -> %h29 s16 1x48 q(0.0002,0)\n"
    "node narrower = quantize(%h29) -> %v0 s8 1x48 q(0.05,-3)\n"
    "node odds = softmax(%v0) -> %v1 s16 1x48 q(0.0000152587890625,-32768)\n"
    "node odds8 = quantize(%v1) -> %v2 s8 1x48 q(0.001,-128)\n"
    "node both = add(%v2 %v0) -> %v3 s8 1x48 q(0.05,1)\n"
    "const %f8 s8 32x48 q(0.01,0) = #16\nconst %t8 s8 32x3 q(0.02,0) = #17\nstate %m8 s8 1x96 q(0.05,-5)\n"
    "node memory8 = svdf(%v3 %f8 %t8 %m8) -> %v4 s8 1x16 q(0.05,2) {rank=2}\n"
    "const %f16 s8 24x16 q(0.01,0) = #18\nconst %t16 s16 24x4 q(0.0002,0) = #19\nstate %m16 s16 1x96 q(0.0002,0)\n"
    "node memory16 = svdf(%v4 %f16 %t16 %m16) -> %v5 s8 1x24 q(0.05,2) {rank=1}\n"
    "node series = reshape(%v5) -> %v6 s8 1x4x6 q(0.05,2)\n"
    "const %lw0 s8 12x6 q(0.02,0) = #20\nconst %lu0 s8 12x12 q(0.02,0) = #24\nconst %lb0 s32 12 = {1 200 -300 40 5 6 "
    "700 8 9 -1000 11 12}\n"
    "const %lw1 s8 12x6 q(0.02,0) = #21\nconst %lu1 s8 12x12 q(0.02,0) = #25\nconst %lb1 s32 12 = {1 200 -300 40 5 6 "
    "700 8 9 -1000 11 12}\n"
    "const %lw2 s8 12x6 q(0.02,0) = #22\nconst %lu2 s8 12x12 q(0.02,0) = #26\nconst %lb2 s32 12 = {1 200 -300 40 5 6 "
    "700 8 9 -1000 11 12}\n"
    "const %lw3 s8 12x6 q(0.02,0) = #23\nconst %lu3 s8 12x12 q(0.02,0) = #27\nconst %lb3 s32 12 = {1 200 -300 40 5 6 "
    "700 8 9 -1000 11 12}\n"
    "state %hidden s8 1x12 q(0.0078125,3)\nstate %cell s16 1x12 q(0.00048828125,0)\n"
    "node lstm = lstm(%v6 %lw0 %lw1 %lw2 %lw3 %lu0 %lu1 %lu2 %lu3 %lb0 %lb1 %lb2 %lb3 %hidden %cell) -> %v7 s8 1x4x12 "
    "q(0.0078125,3) {clip=10 activation=tanh}\n"
    "node told = reshape(%v7) -> %v8 s8 1x48 q(0.0078125,3)\n"
    "node more = add(%v8 %v3) -> %v9 s8 1x48 q(0.05,0)\n"
    "node line = reshape(%s5) -> %z13 s8 1x48 q(0.04,-128)\n"
    "node blend = add(%z13 %v9) -> %y19 s8 1x48 q(0.02,-128)\n"
    "const %w5 s8 600x48 q(0.02,0) = #7\n"
    "node wide = fully_connected(%y19 %w5) -> %y20 s8 1x600 q(0.05,0)\n"
    "const %w6 s8 10x600 q(0.02,0) = #8\n"
    "node last = fully_connected(%y20 %w6) -> %y21 s8 1x10 q(0.2,0)\n"
    "node softmax = softmax(%y21) -> %p s8 1x10 q(0.00390625,-128)\n"
    "node real = dequantize(%y18) -> %f f32 1x48\n"
    "node back = quantize(%f) -> %q s8 1x48 q(0.1,3)\n"
    "output %p\noutput %f\noutput %q\n";

/* Constant number `hash`, `bytes` long: what a layer's weights may look like. */
static inline const void *made_up(void *user, uint64_t hash, size_t bytes) {
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

static inline th_status fixture_open(fixture *f) {
  memset(f, 0, sizeof *f);
  f->arena = th_arena_create();
  TH_TRY(th_graph_parse(model_text, strlen(model_text), "model", made_up, f->arena, &f->graph));
  TH_TRY(th_lower(f->graph, &f->raw));
  TH_TRY(th_lower(f->graph, &f->coded));
  TH_TRY(th_encode_program(f->coded, NULL, NULL));
  TH_TRY(th_pass_plan(f->coded, NULL));
  return th_write_thim_program(f->coded, f->arena, &f->blob, &f->report);
}

static inline void fixture_close(fixture *f) {
  th_buf_free(&f->blob);
  th_program_destroy(f->coded);
  th_program_destroy(f->raw);
  th_graph_destroy(f->graph);
  th_arena_destroy(f->arena);
}

/* Runs an unplanned program as after a reset, each value in a block of its own from `arena`; returns the values. */
static inline void **run_plain(const th_program *p, th_arena *arena, const void *const *inputs) {
  void **value = TH_ARRAY(arena, void *, p->n_values);
  for (int i = 0; i < p->n_values; i++)
    value[i] = p->values[i].data ? (void *)p->values[i].data : th_arena_alloc(arena, p->values[i].bytes);
  for (int i = 0; i < p->n_values; i++)
    if (p->values[i].state) memset(value[i], p->values[i].fill, p->values[i].bytes);
  for (int i = 0; i < p->n_inputs; i++) memcpy(value[p->inputs[i]], inputs[i], p->values[p->inputs[i]].bytes);
  for (int i = 0; i < p->n_steps; i++) {
    const th_program_step *s = &p->steps[i];
    const void *in[THR_STEP_INPUTS] = {NULL};
    for (int k = 0; k < s->n_in; k++) in[k] = value[s->in[k]];
    thr_step_run(&s->step, in, value[s->out], th_arena_alloc(arena, thr_step_scratch_bytes(&s->step) + 1));
  }
  return value;
}

#endif
