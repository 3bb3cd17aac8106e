/* The operator table and what is asked about all operators alike. See op.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/op.h"

static const struct {
  const th_op *op;
  int min_in, max_in;
} table[TH_OP_COUNT] = {
    {0},
#define TH_OP(id, name, min_in, max_in) {&th_op_##name, min_in, max_in},
#include "ir/ops.def"
#undef TH_OP
};

const th_op *th_op_get(th_op_id id) {
  return id > TH_OP_NONE && id < TH_OP_COUNT ? table[id].op : NULL;
}

static th_status check_arity(const th_graph *g, const th_node *n) {
  int lo = table[n->op].min_in, hi = table[n->op].max_in;
  const char *op = th_op_name(n->op);
  if (n->n_in < lo || n->n_in > hi)
    return th_fail(TH_ERR_INPUT, "%s (%s): has %d inputs, expected %d to %d", n->name, op, n->n_in, lo, hi);
  const int most = th_op_get(n->op)->max_out ? th_op_get(n->op)->max_out : 1;
  if (n->n_out < 1 || n->n_out > most)
    return th_fail(TH_ERR_INPUT, "%s (%s): has %d outputs, expected %s%d", n->name, op, n->n_out,
                   most > 1 ? "1 to " : "", most);
  for (int i = 0; i < lo; i++)
    if (n->in[i] == TH_NO_TENSOR) return th_fail(TH_ERR_INPUT, "%s (%s): input %d is missing", n->name, op, i);
  for (int i = 0; i < n->n_in; i++)
    if (n->in[i] >= g->n_tensors || (n->in[i] < 0 && n->in[i] != TH_NO_TENSOR))
      return th_fail(TH_ERR_INPUT, "%s (%s): input %d names tensor %d of %d", n->name, op, i, n->in[i], g->n_tensors);
  return TH_OK;
}

th_status th_op_infer_all(th_graph *g) {
  for (int i = 0; i < g->n_nodes; i++) {
    th_node *n = &g->nodes[i];
    if (n->dead) continue;
    if (!th_op_get(n->op)) return th_fail(TH_ERR_INPUT, "%s: operator number %d is not known", n->name, (int)n->op);
    TH_TRY(check_arity(g, n));
    TH_TRY(th_op_get(n->op)->infer(g, n));
  }
  return TH_OK;
}

th_op_cost th_op_cost_all(const th_graph *g) {
  th_op_cost sum = {0, 0};
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    if (n->dead || !th_op_get(n->op)) continue;
    th_op_cost c = th_op_get(n->op)->cost(g, n);
    sum.macs += c.macs;
    sum.params += c.params;
  }
  return sum;
}

int32_t th_op_window(int32_t in, int32_t kernel, int32_t stride, int32_t dilation, int32_t pad_before,
                     int32_t pad_after) {
  int64_t extent = (int64_t)(kernel - 1) * dilation + 1, room = (int64_t)in + pad_before + pad_after - extent;
  return room < 0 ? -1 : (int32_t)(room / stride + 1);
}

/* TFLite: outputs = ceil(in / stride), the odd pixel of padding comes after. */
void th_op_same_padding(int32_t in, int32_t kernel, int32_t stride, int32_t dilation, int32_t *before, int32_t *after) {
  int64_t out = ((int64_t)in + stride - 1) / stride;
  int64_t total = (out - 1) * stride + (int64_t)(kernel - 1) * dilation + 1 - in;
  if (total < 0) total = 0;
  *before = (int32_t)(total / 2);
  *after = (int32_t)(total - total / 2);
}

int th_op_weight_input(th_op_id op) {
  return op == TH_OP_CONV2D || op == TH_OP_DEPTHWISE_CONV2D || op == TH_OP_FULLY_CONNECTED ||
                 op == TH_OP_TRANSPOSE_CONV2D
             ? 1
             : -1;
}

int th_op_weight_axis(th_op_id op) {
  return op == TH_OP_DEPTHWISE_CONV2D ? 3 : th_op_weight_input(op) < 0 ? -1 : 0;
}

int th_op_bias_input(th_op_id op) {
  return th_op_weight_input(op) < 0 ? -1 : 2;
}

bool th_op_is_pruned(int64_t zeros, int64_t weights) {
  return zeros > 0 && (double)zeros >= 0.02 * (double)weights;
}
