/* Operators: what each one is, its shape rule, its float arithmetic both ways, and its cost.
 *
 * One file per operator, op/<name>.c, defines `const th_op th_op_<name>`; element-wise ones are rows of op/unary.c and
 * op/binary.c, reductions of op/reduce.c; ops.def lists them all. Batched execution: the
 * graph's shapes have batch 1; a run processes samples [begin, end) of a batch whose tensors are contiguous,
 * sample after sample (per-sample size = elements of the graph shape). Forward and backward of disjoint sample ranges
 * may run at the same time; weight gradients are summed per chunk by the caller. A sample is a whole tensor: operators
 * that move values may move the first dimension like any other, and no operator reads another sample in inference.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_OP_OP_H
#define TH_OP_OP_H

#include "base/rng.h"
#include "ir/graph.h"
#include "op/move.h"

#define TH_OP_MAX_CHUNKS 64 /* most ranges that gather and backward_gather are called for */

typedef struct th_op_run {
  const th_graph *graph;
  const th_node *node;
  int begin, end;                 /* samples of the batch handled by this call */
  int batch;                      /* samples in the whole batch */
  bool training;                  /* batch norm uses batch statistics, dropout drops */
  bool relu;                      /* batch norm: out is that of a relu after it, d_out the gradient after that relu */
  const float *in[TH_MAX_INPUTS]; /* whole-batch bases; constants: their data (batch-less); NULL when absent */
  float *out[TH_MAX_OUTPUTS];
  /* Backward only. Gradients of activations are written (=) over [begin, end) unless `accumulate` bit i is set, then
   * added (+=). Gradients of constants are always added (+=) to a buffer private to this call's chunk. NULL: not
   * wanted. */
  const float *d_out[TH_MAX_OUTPUTS]; /* NULL among several: nobody uses that output */
  float *d_in[TH_MAX_INPUTS];
  uint32_t accumulate; /* bit i: add to d_in[i] */
  void *state;         /* what forward kept for backward: th_op.state_bytes per whole batch, chunk-safe layout */
  float *scratch;      /* th_op.scratch_elems floats, private to this call */
  th_rng rng;          /* stream of this (node, step); dropout derives one per sample from it */
  float *running[2];   /* settle only: copies of the running mean and variance to be moved; NULL: leave them */
} th_op_run;

typedef struct th_op_cost {
  int64_t macs;   /* multiply-accumulates of one sample */
  int64_t params; /* elements of constant inputs that are weights, biases, scales */
} th_op_cost;

typedef struct th_op {
  const char *name;
  const th_attr_id *attrs; /* those the operator uses, ended by TH_ATTR_COUNT */
  /* Output shapes from input shapes and attributes; checks everything that forward relies on, in words that name the
   * node, e.g. "conv1 (conv2d): input has 3 channels, weights expect 4". Sets shape of the outputs in the graph (for
   * reshape: checks it). Dtypes are not touched. */
  th_status (*infer)(th_graph *g, th_node *n);
  void (*forward)(const th_op_run *run);
  void (*backward)(const th_op_run *run); /* NULL: not differentiable (quantize) */
  th_op_cost (*cost)(const th_graph *g, const th_node *n);
  size_t (*state_bytes)(const th_graph *g, const th_node *n, int batch);     /* NULL: none */
  size_t (*scratch_elems)(const th_graph *g, const th_node *n, int samples); /* NULL: none; for ranges of `samples` */
  /* Operators whose result for one sample depends on the others (batch norm in training) run in three sweeps: `gather`
   * for each of `chunks` (<= TH_OP_MAX_CHUNKS) ranges, which sets slot `chunk` of `state`; then, after all have
   * finished, `settle` once: it sums the slots in order, keeps the batch's mean and variance in `state` and moves
   * `running` (running = momentum * running + (1 - momentum) * batch, variance unbiased); then `forward` as usual.
   * Likewise backward_gather, backward_settle (sums the slots, adds to d_in of the constants: gamma, beta), backward
   * (d_in[0] only). NULL for all others; not used when run->training is false. */
  void (*gather)(const th_op_run *run, int chunk, int chunks);
  void (*settle)(const th_op_run *run, int chunks);
  void (*backward_gather)(const th_op_run *run, int chunk, int chunks);
  void (*backward_settle)(const th_op_run *run, int chunks);
  /* Operators with many weights and little work per sample (fully connected): the gradients of all constants over the
   * whole batch (begin 0, end batch), slice by slice of the output channels, straight into the one common gradient: =,
   * or += where the `accumulate` bit is set; slices may run at the same time. Where it is set, the trainer calls
   * backward with d_in of constants NULL. */
  void (*backward_weights)(const th_op_run *run, int slice, int slices);
  /* Of the same operators: forward of one slice of the output channels, cut as above. NULL for all others. */
  void (*forward_outputs)(const th_op_run *run, int slice, int slices);
  /* out[0] may be in[0], and d_in[0] may be d_out[0] (not accumulating): elementwise operators whose backward needs
   * only the output (relu, relu6, leaky relu, sigmoid, tanh, dropout). */
  bool in_place;
  bool makes_index; /* out[0] is s32 (argmax); infer checks it. All others write float ... */
  bool typed;       /* ... and read float, except those that look at the tensors' own types (cast) */
  int max_out;      /* most outputs; 0 stands for one */
  /* Operators that only move values (op/move.h): sets the i-th move; false when there are fewer. Else NULL. */
  bool (*move)(const th_graph *g, const th_node *n, int i, th_move *m);
} th_op;

const th_op *th_op_get(th_op_id id);

#define TH_OP(id, name, min_in, max_in) extern const th_op th_op_##name;
#include "ir/ops.def"
#undef TH_OP

/* Infers all shapes in order and checks each node against its operator. Call after reading and after rewriting. */
th_status th_op_infer_all(th_graph *g);
th_op_cost th_op_cost_all(const th_graph *g);

/* Output size of a window along one dimension, or -1 when the window does not fit; and TFLite's SAME rule. */
int32_t th_op_window(int32_t in, int32_t kernel, int32_t stride, int32_t dilation, int32_t pad_before,
                     int32_t pad_after);
void th_op_same_padding(int32_t in, int32_t kernel, int32_t stride, int32_t dilation, int32_t *before, int32_t *after);

/* Which input, if any, is the main weight tensor (conv2d, depthwise, fully connected, transpose_conv2d: 1), its
 * output-channel axis (0, 3, 0, 0), and the bias input (2); -1 when the operator has none. Passes and constraints ask
 * this instead of switching over operators. */
int th_op_weight_input(th_op_id op);
int th_op_weight_axis(th_op_id op);
int th_op_bias_input(th_op_id op);
/* Whether so many zeros among a tensor's weights are there on purpose, and to be kept: below 2 % they are chance (as
 * rounding makes some), and holding those few would cost accuracy and save next to nothing. */
bool th_op_is_pruned(int64_t zeros, int64_t weights);

#endif
