/* First weights: He et al. 2015, eq. 10 before rectifiers, Glorot & Bengio 2010, eq. 12 (as a normal distribution)
 * elsewhere. Each tensor draws from a stream of its own, so adding a layer leaves the others' alone.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/op.h"
#include "train/train.h"

/* Inputs summed into one output, and outputs that one input reaches. */
static void fans(th_op_id op, const th_shape *w, double *in, double *out) {
  int64_t elems = th_shape_elems(w);
  switch (op) {
    case TH_OP_DEPTHWISE_CONV2D:
      *in = *out = (double)w->dim[1] * w->dim[2];
      break;
    case TH_OP_CONV2D:
    case TH_OP_TRANSPOSE_CONV2D:
      *in = (double)elems / w->dim[0];
      *out = (double)w->dim[0] * w->dim[1] * w->dim[2];
      break;
    default:
      *in = (double)elems / w->dim[0];
      *out = w->dim[0];
      break;
  }
}

/* Whether a rectifier follows, looking through what keeps the spread. */
static bool rectified(const th_graph *g, const th_node *n) {
  th_act act = (th_act)n->attr[TH_ATTR_ACTIVATION].i;
  if (act != TH_ACT_NONE) return act != TH_ACT_TANH;
  for (int next = th_graph_only_user(g, n->out[0]); next >= 0; next = th_graph_only_user(g, g->nodes[next].out[0])) {
    switch (g->nodes[next].op) {
      case TH_OP_RELU:
      case TH_OP_RELU6:
      case TH_OP_LEAKY_RELU:
      case TH_OP_HARD_SWISH:
        return true;
      case TH_OP_BATCH_NORM:
      case TH_OP_MAX_POOL2D:
      case TH_OP_AVG_POOL2D:
      case TH_OP_ADD:
      case TH_OP_RESHAPE:
      case TH_OP_FLATTEN:
      case TH_OP_DROPOUT:
        break;
      default:
        return false;
    }
  }
  return false;
}

static th_status set(th_graph *g, int tensor, const float *values) {
  th_shape shape = g->tensors[tensor].shape;
  g->tensors[tensor].quant = (th_quant){0};
  return th_graph_set_data(g, tensor, TH_DTYPE_F32, &shape, values);
}

static th_status fill(th_graph *g, int tensor, float std, float mean, uint64_t seed) {
  int64_t n = th_shape_elems(&g->tensors[tensor].shape);
  float *values = th_alloc((size_t)n * sizeof *values);
  if (!values) return TH_ERR_RESOURCE;
  th_rng rng = th_rng_init(seed, (uint64_t)tensor);
  for (int64_t i = 0; i < n; i++) values[i] = std > 0.0f ? mean + std * th_rng_normal(&rng) : mean;
  th_status status = set(g, tensor, values);
  th_free(values);
  return status;
}

static th_status init_node(th_graph *g, const th_node *n, uint64_t seed) {
  int weight = th_op_weight_input(n->op), bias = th_op_bias_input(n->op);
  if (weight >= 0 && weight < n->n_in && g->tensors[n->in[weight]].data) {
    double in, out;
    fans(n->op, &g->tensors[n->in[weight]].shape, &in, &out);
    double std = rectified(g, n) ? sqrt(2.0 / in) : sqrt(2.0 / (in + out));
    TH_TRY(fill(g, n->in[weight], (float)std, 0.0f, seed));
  }
  if (bias >= 0 && bias < n->n_in && n->in[bias] >= 0 && g->tensors[n->in[bias]].data)
    TH_TRY(fill(g, n->in[bias], 0.0f, 0.0f, seed));
  static const float normal[5] = {0.0f, 1.0f, 0.0f, 0.0f, 1.0f}; /* x, gamma, beta, running mean, running variance */
  for (int i = 1; i < n->n_in && n->op == TH_OP_BATCH_NORM; i++) TH_TRY(fill(g, n->in[i], 0.0f, normal[i], seed));
  return TH_OK;
}

th_status th_train_init(th_graph *graph, uint64_t seed) {
  for (int i = 0; i < graph->n_nodes; i++)
    if (!graph->nodes[i].dead) TH_TRY(init_node(graph, &graph->nodes[i], seed));
  return TH_OK;
}
