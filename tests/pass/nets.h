/* Random networks as programs, for the passes that decide about memory: windows, pools, element-wise layers, residual
 * blocks with and without a convolution in the other branch, a dense layer at the end. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef TEST_PASS_NETS_H
#define TEST_PASS_NETS_H

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"
#include "eval/lower.h"

enum { MOST = 40 };

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

#endif
