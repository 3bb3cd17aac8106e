/* Small nets and data sets made by hand for the tests of training: no files.
 *
 * Samples are 6x6x2 pictures: a pattern per class plus noise. Nets are built node by node with the builder below.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_TRAIN_FIXTURE_H
#define TESTS_UNIT_TRAIN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "op/op.h"
#include "train/train.h"

#define FX_SIDE 6
#define FX_CHANNELS 2
#define FX_ELEMS (FX_SIDE * FX_SIDE * FX_CHANNELS)
#define FX_OK(expr)                                                                              \
  do {                                                                                           \
    th_status fx_status = (expr);                                                                \
    if (fx_status != TH_OK) fail_msg("%s: status %d, %s", #expr, fx_status, th_error_message()); \
  } while (0)

/* --- data --- */

static inline void fx_fill_store(th_store *store, int count, int classes, float noise, uint64_t stream) {
  th_rng rng = th_rng_init(77, stream), patterns = th_rng_init(78, 0);
  float pattern[8][FX_ELEMS];
  for (int k = 0; k < classes; k++)
    for (int i = 0; i < FX_ELEMS; i++) pattern[k][i] = th_rng_normal(&patterns);
  float *x = test_malloc(sizeof(float) * (size_t)count * FX_ELEMS);
  int32_t *y = test_malloc(sizeof(int32_t) * (size_t)count);
  for (int s = 0; s < count; s++) {
    y[s] = s % classes;
    for (int i = 0; i < FX_ELEMS; i++) x[s * FX_ELEMS + i] = pattern[y[s]][i] + noise * th_rng_normal(&rng);
  }
  *store = (th_store){.count = count, .dtype = TH_DTYPE_F32, .samples = x, .labels = y};
}

static inline th_dataset fx_dataset(int train, int val, int classes, float noise) {
  th_dataset d = {.name = "synthetic",
                  .shape = th_shape_make(3, FX_SIDE, FX_SIDE, FX_CHANNELS),
                  .classes = classes,
                  .scale = 1.0f,
                  .channels = 1,
                  .std = {1.0f, 1.0f, 1.0f, 1.0f}};
  fx_fill_store(&d.store[0], train, classes, noise, 1);
  fx_fill_store(&d.store[1], val, classes, noise, 2);
  d.split[TH_SPLIT_TRAIN] = (th_split){.count = train, .store = 0};
  d.split[TH_SPLIT_VAL] = (th_split){.count = val, .store = 1};
  d.split[TH_SPLIT_TEST] = (th_split){.count = val, .store = 1};
  return d;
}

static inline void fx_dataset_free(th_dataset *d) {
  for (int i = 0; i < 2; i++) {
    test_free((void *)(uintptr_t)d->store[i].samples);
    test_free((void *)(uintptr_t)d->store[i].labels);
  }
}

/* --- nets --- */

typedef struct fx_net {
  th_graph *g;
  int at; /* the tensor that the next layer reads */
  int n;
} fx_net;

static inline int fx_const(fx_net *b, const char *name, th_shape shape) {
  static float zeros[1 << 16];
  int id;
  FX_OK(th_graph_add_const(b->g, name, TH_DTYPE_F32, &shape, zeros, &id));
  return id;
}

static inline fx_net fx_begin(void) {
  fx_net b = {0};
  th_shape shape = th_shape_make(4, 1, FX_SIDE, FX_SIDE, FX_CHANNELS);
  FX_OK(th_graph_create(&b.g, "net"));
  FX_OK(th_graph_add_tensor(b.g, "x", TH_DTYPE_F32, &shape, &b.at));
  FX_OK(th_graph_set_inputs(b.g, &b.at, 1));
  return b;
}

/* Appends a node that reads the current tensor (in[0]) and the given others; infers its output's shape. */
static inline th_node *fx_node(fx_net *b, th_op_id op, const int *others, int n_others) {
  int in[TH_MAX_INPUTS] = {b->at}, out, id;
  char name[32];
  th_shape any = th_shape_make(2, 1, 1);
  for (int i = 0; i < n_others; i++) in[1 + i] = others[i];
  snprintf(name, sizeof name, "%s_%d", th_op_name(op), b->n++);
  FX_OK(th_graph_add_tensor(b->g, name, TH_DTYPE_F32, &any, &out));
  FX_OK(th_graph_add_node(b->g, b->g->n_nodes, op, name, in, 1 + n_others, &out, 1, &id));
  b->at = out;
  return &b->g->nodes[id];
}

static inline void fx_infer(fx_net *b, th_node *n) {
  FX_OK(th_op_get(n->op)->infer(b->g, n));
}

static inline void fx_simple(fx_net *b, th_op_id op) {
  fx_infer(b, fx_node(b, op, NULL, 0));
}

static inline void fx_conv(fx_net *b, int oc, int kernel) {
  int ic = b->g->tensors[b->at].shape.dim[3];
  int in[2] = {fx_const(b, "conv_w", th_shape_make(4, oc, kernel, kernel, ic)),
               fx_const(b, "conv_b", th_shape_make(1, oc))};
  th_node *n = fx_node(b, TH_OP_CONV2D, in, 2);
  for (int a = TH_ATTR_PAD_TOP; a <= TH_ATTR_PAD_RIGHT; a++) n->attr[a].i = kernel / 2;
  fx_infer(b, n);
}

static inline void fx_depthwise(fx_net *b) {
  int c = b->g->tensors[b->at].shape.dim[3];
  int in[2] = {fx_const(b, "dw_w", th_shape_make(4, 1, 3, 3, c)), fx_const(b, "dw_b", th_shape_make(1, c))};
  th_node *n = fx_node(b, TH_OP_DEPTHWISE_CONV2D, in, 2);
  for (int a = TH_ATTR_PAD_TOP; a <= TH_ATTR_PAD_RIGHT; a++) n->attr[a].i = 1;
  fx_infer(b, n);
}

static inline void fx_batch_norm(fx_net *b, float momentum) {
  th_shape *s = &b->g->tensors[b->at].shape;
  th_shape c = th_shape_make(1, s->dim[s->rank - 1]);
  int in[4] = {fx_const(b, "gamma", c), fx_const(b, "beta", c), fx_const(b, "mean", c), fx_const(b, "variance", c)};
  th_node *n = fx_node(b, TH_OP_BATCH_NORM, in, 4);
  n->attr[TH_ATTR_MOMENTUM].f = momentum;
  fx_infer(b, n);
}

static inline void fx_add(fx_net *b, int other) {
  fx_infer(b, fx_node(b, TH_OP_ADD, &other, 1));
}

static inline void fx_pool(fx_net *b, th_op_id op, int size) {
  th_node *n = fx_node(b, op, NULL, 0);
  n->attr[TH_ATTR_KERNEL_Y].i = n->attr[TH_ATTR_KERNEL_X].i = size;
  n->attr[TH_ATTR_STRIDE_Y].i = n->attr[TH_ATTR_STRIDE_X].i = size;
  fx_infer(b, n);
}

static inline void fx_dense(fx_net *b, int outputs) {
  int inputs = (int)th_shape_elems(&b->g->tensors[b->at].shape);
  int in[2] = {fx_const(b, "fc_w", th_shape_make(2, outputs, inputs)), fx_const(b, "fc_b", th_shape_make(1, outputs))};
  fx_infer(b, fx_node(b, TH_OP_FULLY_CONNECTED, in, 2));
}

static inline th_graph *fx_end(fx_net *b, uint64_t seed) {
  FX_OK(th_graph_set_outputs(b->g, &b->at, 1));
  FX_OK(th_op_infer_all(b->g));
  FX_OK(th_graph_verify(b->g));
  FX_OK(th_train_init(b->g, seed));
  return b->g;
}

/* 72 - 24 - classes with relu and softmax. */
static inline th_graph *fx_mlp(int hidden, int classes, uint64_t seed) {
  fx_net b = fx_begin();
  fx_simple(&b, TH_OP_FLATTEN);
  fx_dense(&b, hidden);
  fx_simple(&b, TH_OP_RELU);
  fx_dense(&b, classes);
  fx_simple(&b, TH_OP_SOFTMAX);
  return fx_end(&b, seed);
}

/* A residual net with every kind of sharing that the planner knows: in-place activations, aliases, a tensor with two
 * readers, batch norms, wide and narrow runs. */
static inline th_graph *fx_residual(th_op_id activation, int classes, bool dropout, uint64_t seed) {
  fx_net b = fx_begin();
  fx_conv(&b, 8, 3);
  fx_batch_norm(&b, 0.9f);
  fx_simple(&b, activation);
  int skip = b.at;
  fx_depthwise(&b);
  fx_simple(&b, activation);
  fx_conv(&b, 8, 1);
  fx_batch_norm(&b, 0.9f);
  fx_add(&b, skip);
  fx_simple(&b, activation);
  fx_pool(&b, TH_OP_AVG_POOL2D, 2);
  fx_simple(&b, TH_OP_FLATTEN);
  if (dropout) fx_simple(&b, TH_OP_DROPOUT);
  fx_dense(&b, 16);
  fx_simple(&b, activation);
  fx_dense(&b, classes);
  fx_simple(&b, TH_OP_SOFTMAX);
  return fx_end(&b, seed);
}

/* --- fits --- */

static inline th_train_options fx_options(int epochs) {
  th_train_options o;
  th_train_defaults(&o);
  o.epochs = epochs;
  o.batch = 32;
  o.lr = 0.02f;
  return o;
}

static inline double fx_train(th_graph *g, const th_dataset *d, const th_train_options *o, th_train_result *result) {
  th_train_result mine;
  FX_OK(th_train_run(g, d, o, result ? result : &mine));
  return (result ? result : &mine)->val_accuracy;
}

/* Hash of all constants. */
static inline uint64_t fx_hash(const th_graph *g) {
  uint64_t hash = 1469598103934665603u;
  for (int t = 0; t < g->n_tensors; t++) {
    const uint8_t *p = g->tensors[t].data;
    for (size_t i = 0; p && i < th_tensor_bytes(&g->tensors[t]); i++) hash = (hash ^ p[i]) * 1099511628211u;
  }
  return hash;
}

static inline int fx_find(const th_graph *g, const char *name) {
  int t = th_graph_find_tensor(g, name);
  assert_true(t >= 0);
  return t;
}

#endif
