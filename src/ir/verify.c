/* The verifier: what every stage may rely on. See graph.h.
 * SPDX-License-Identifier: Apache-2.0 */

#include "ir/graph.h"

/* Inputs that an operator must have are checked by its shape rule; here only the count that ops.def gives. */
static const struct {
  int min_in, max_in;
} arity[TH_OP_COUNT] = {
    {0, 0},
#define TH_OP(id, name, min_in, max_in) {min_in, max_in},
#include "ir/ops.def"
#undef TH_OP
};

static th_status verify_tensor(const th_graph *g, int id) {
  const th_tensor *t = &g->tensors[id];
  char shape[TH_SHAPE_TEXT];
  if (t->shape.rank < 0 || t->shape.rank > TH_MAX_RANK)
    return th_fail(TH_ERR_INPUT, "tensor %s: rank %d, at most %d is possible", t->name, t->shape.rank, TH_MAX_RANK);
  int64_t elems = 1;
  for (int i = 0; i < t->shape.rank; i++) {
    int64_t d = t->shape.dim[i];
    if (d < 0 || (d > 0 && elems > INT32_MAX / d))
      return th_fail(TH_ERR_INPUT, "tensor %s: shape %s is not possible", t->name, th_shape_text(&t->shape, shape));
    elems *= d;
  }
  const th_quant *q = &t->quant;
  bool per_channel = q->count > 0 && q->axis >= 0;
  if (per_channel && (q->axis >= t->shape.rank || t->shape.dim[q->axis] != q->count))
    return th_fail(TH_ERR_INPUT, "tensor %s: %d scales along dimension %d of shape %s", t->name, q->count, q->axis,
                   th_shape_text(&t->shape, shape));
  if (!per_channel && q->count > 1)
    return th_fail(TH_ERR_INPUT, "tensor %s: %d scales but no channel dimension", t->name, q->count);
  for (int i = 0; i < q->count; i++)
    if (!(q->scale[i] > 0 && q->scale[i] < 1e30f))
      return th_fail(TH_ERR_INPUT, "tensor %s: scale %g of channel %d is not positive and finite", t->name,
                     (double)q->scale[i], i);
  return TH_OK;
}

static th_status verify_id(const th_graph *g, const th_node *n, int id, const char *role) {
  if (id >= 0 && id < g->n_tensors && !g->tensors[id].dead) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s (%s): %s names tensor %d, which does not exist", n->name, th_op_name(n->op), role,
                 id);
}

static th_status verify_node(const th_graph *g, const th_node *n, bool *produced) {
  if (n->op <= TH_OP_NONE || n->op >= TH_OP_COUNT) return th_fail(TH_ERR_INPUT, "%s: unknown operator", n->name);
  if (n->n_in < arity[n->op].min_in || n->n_in > arity[n->op].max_in)
    return th_fail(TH_ERR_INPUT, "%s (%s): %d inputs, %d to %d are possible", n->name, th_op_name(n->op), n->n_in,
                   arity[n->op].min_in, arity[n->op].max_in);
  for (int i = 0; i < n->n_in; i++) {
    if (n->in[i] == TH_NO_TENSOR && i >= arity[n->op].min_in) continue;
    TH_TRY(verify_id(g, n, n->in[i], "an input"));
    const th_tensor *t = &g->tensors[n->in[i]];
    if (t->is_variable && produced[n->in[i]] && !th_graph_is_input(g, n->in[i]))
      return th_fail(TH_ERR_INPUT, "%s (%s): variable %s is read after a value is assigned to it", n->name,
                     th_op_name(n->op), t->name);
    if (!t->data && !t->is_variable && !produced[n->in[i]])
      return th_fail(TH_ERR_INPUT, "%s (%s): input %s is used before it is produced", n->name, th_op_name(n->op),
                     t->name);
  }
  for (int i = 0; i < n->n_out; i++) {
    TH_TRY(verify_id(g, n, n->out[i], "an output"));
    if (produced[n->out[i]] || g->tensors[n->out[i]].data)
      return th_fail(TH_ERR_INPUT, "%s (%s): output %s has another source too", n->name, th_op_name(n->op),
                     g->tensors[n->out[i]].name);
    if ((n->op == TH_OP_ASSIGN_VARIABLE) != g->tensors[n->out[i]].is_variable)
      return th_fail(TH_ERR_INPUT, "%s (%s): output %s is %sa variable", n->name, th_op_name(n->op),
                     g->tensors[n->out[i]].name, g->tensors[n->out[i]].is_variable ? "" : "not ");
    produced[n->out[i]] = true;
  }
  return TH_OK;
}

static th_status verify_borders(const th_graph *g, const bool *produced) {
  for (int i = 0; i < g->n_outputs; i++) {
    int id = g->outputs[i];
    if (id < 0 || id >= g->n_tensors || (!produced[id] && !g->tensors[id].data))
      return th_fail(TH_ERR_INPUT, "graph %s: output %d is produced by nothing", g->name, i);
    if (g->tensors[id].is_variable)
      return th_fail(TH_ERR_INPUT, "graph %s: output %s is a variable; read it first", g->name, g->tensors[id].name);
  }
  return TH_OK;
}

static th_status verify_with(const th_graph *g, bool *produced) {
  for (int i = 0; i < g->n_inputs; i++) {
    if (g->inputs[i] < 0 || g->inputs[i] >= g->n_tensors)
      return th_fail(TH_ERR_INPUT, "graph %s: input %d does not exist", g->name, i);
    const th_tensor *t = &g->tensors[g->inputs[i]];
    if (t->data || t->is_variable)
      return th_fail(TH_ERR_INPUT, "graph %s: input %s is a %s", g->name, t->name, t->data ? "constant" : "variable");
    produced[g->inputs[i]] = true;
  }
  for (int i = 0; i < g->n_tensors; i++)
    if (!g->tensors[i].dead) TH_TRY(verify_tensor(g, i));
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead) TH_TRY(verify_node(g, &g->nodes[i], produced));
  return verify_borders(g, produced);
}

th_status th_graph_verify(const th_graph *g) {
  bool *produced = th_alloc((size_t)g->n_tensors + 1);
  if (!produced) return TH_ERR_RESOURCE;
  th_status status = verify_with(g, produced);
  th_free(produced);
  return status;
}
