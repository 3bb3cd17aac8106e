/* A float graph made ready to run forward and backward over batches.
 *
 * The one idea: a batch is cut into lanes (the unit of parallelism, each with its own copy of the small weight
 * gradients) and lanes into chunks of a few samples whose activations stay in the cache. A chunk goes through as many
 * nodes as possible before the next one starts. How far is decided once, by net_plan.c:
 *
 *   segment   ends where all samples must have arrived: before a batch norm, whose sums are then settled, or before a
 *             large fully connected layer, which then goes forward by slices of its outputs
 *    run      consecutive steps of the same granularity: chunk by chunk (convolutions), or the whole lane at once
 *             (fully connected layers, whose weights are larger than their activations)
 *     step    a node, a batch norm and relu made again, the gathering half of a batch norm, a fake-quantization grid,
 *             the match with a teacher's tensor, or the loss
 *
 * Outputs are cut into as many slices as there are lanes. A slice of a large layer's weights is read, gets its gradient
 * and is moved (step.c) by the same lane, so that it stays with one processor: that another has read it makes writing
 * it three times as slow.
 *
 * Lanes and chunks follow from the batch size alone and partial sums are added in lane order, so no bit depends on the
 * number of threads.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_NET_H
#define TH_TRAIN_NET_H

#include "base/arena.h"
#include "ir/graph.h"
#include "op/op.h"
#include "train/constraint.h"
#include "train/grid.h"
#include "train/loss.h"

#define TH_NET_MAX_LANES 8

typedef struct th_param { /* a constant that training moves: weights, biases, gamma, beta */
  int tensor;
  int64_t elems, at; /* position in the blocks below */
  bool is_weight;    /* decays, may carry constraints */
  bool direct;       /* gradient comes from backward_weights alone: no copies per lane */
  float *value;      /* what forward uses: the shadow itself, or its projection */
  int64_t lane_at;   /* position in the lanes' private gradients; unused when direct */
} th_param;

typedef struct th_running { /* running mean and variance of a batch norm */
  int tensor;
  int64_t elems, at;
} th_running;

typedef enum th_net_kind {
  TH_STEP_NODE,
  TH_STEP_OUTPUTS, /* forward of a node by slices of its outputs, over the whole batch */
  TH_STEP_REMAKE,
  TH_STEP_GATHER,
  TH_STEP_GRID,
  TH_STEP_MATCH,
  TH_STEP_LOSS
} th_net_kind;

typedef struct th_net_step {
  th_net_kind kind;
  bool wide; /* the whole lane at once */
  int node, tensor;
  const th_op *op;
  void *state;
  bool relu;           /* a batch norm that does the relu after it too: that one has no step */
  uint32_t accumulate; /* backward: bits of th_op_run */
} th_net_step;

typedef struct th_net_run {
  int first, last; /* steps [first, last) */
  bool wide;
} th_net_run;

typedef struct th_net_segment {
  int first, last; /* runs [first, last) */
  int settle;      /* step to settle afterwards (its last one, a gather), or -1 */
  int outputs;     /* step to do by slices afterwards, in no run, or -1 */
} th_net_segment;

typedef struct th_net_sweep { /* forward or backward */
  th_net_step *steps;
  th_net_run *runs;
  th_net_segment *segments;
  int n_steps, n_runs, n_segments;
} th_net_sweep;

typedef struct th_net_tensor {
  int64_t elems;     /* per sample; constants: all */
  float *value;      /* whole batch; flatten and in-place operators share their input's */
  float *seen;       /* what consumers read: value, or its fake-quantized copy */
  const float *data; /* constants */
  bool passing;      /* kept per lane until the next node has run, made again on the way back */
  int param;         /* index into params, or -1 */
  th_constraint *grid;
  int grid_slot; /* of grid: which parts */
  bool wants_grad;
  int root;        /* tensor that stands for all that share this gradient */
  bool grad_local; /* kept per lane, a chunk at a time */
  float *grad;     /* whole batch, when not local */
  int64_t grad_at; /* floats per sample into the lane's block, when local */
} th_net_tensor;

typedef struct th_net {
  th_arena *arena;
  const th_graph *graph;
  int batch, lanes, chunks_per_lane; /* capacity */
  int input, logits;                 /* tensor ids */
  float beta;                        /* of the softmax that follows the logits */
  bool ends_in_softmax;
  th_net_tensor *tensors;
  th_net_sweep forward, backward;

  th_param *params;
  int n_params;
  th_running *running;
  int n_running;
  int64_t param_elems, lane_elems, running_elems;
  float *shadow, *gradient, *running_values; /* blocks of param_elems, param_elems, running_elems */
  float *lane_gradient[TH_NET_MAX_LANES];    /* lane_elems each */
  float *lane_grad_block[TH_NET_MAX_LANES];  /* local activation gradients */
  float *lane_value[TH_NET_MAX_LANES];       /* the one passing value */
  float *lane_scratch[TH_NET_MAX_LANES];
  th_grid_part *grid_parts; /* n_grids * lanes */
  int *grids, n_grids;      /* tensors with grids */
} th_net;

/* Plans a net for batches of up to `batch` samples. cs may be NULL; its activation grids are applied. training false:
 * forward only, straight from the graph's constants. The graph must outlive the net, keep its constants, and have one
 * input; TH_ERR_INPUT names an operator that cannot be differentiated. */
th_status th_net_create(const th_graph *graph, const th_constraints *cs, int batch, bool training, th_net **net);
/* The same, with the tensors that `kept` (by tensor) names whole for whoever reads them after forward; in training they
 * are those that the loss's match speaks of. */
th_status th_net_create_keeping(const th_graph *graph, const th_constraints *cs, int batch, bool training,
                                const bool *kept, th_net **net);
void th_net_destroy(th_net *net); /* accepts NULL */
static inline float *th_net_input(const th_net *net) {
  return net->tensors[net->input].value;
}
static inline const float *th_net_logits(const th_net *net) {
  return net->tensors[net->logits].seen;
}

/* net_walk.c. Forward of `samples` samples in th_net_input; training: batch statistics, dropout by (seed, step), moving
 * running statistics, observing grids. */
th_status th_net_forward(th_net *net, int samples, bool training, uint64_t seed, uint64_t step);
/* After a training forward of a full batch: loss, and the gradients of all parameters in net->gradient. */
th_status th_net_backward(th_net *net, const th_loss *loss, uint64_t seed, uint64_t step, th_loss_sum *sum);

#endif
