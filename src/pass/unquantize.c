/* The way back from quantize: an integer graph becomes the float graph whose values lie on the same grids, so that it
 * can be trained again. Activations and weights keep their th_quant; quantizing it again gives the same integers
 * (biases up to 24 bits). Weights with a zero point have no such form. SPDX-License-Identifier: Apache-2.0 */
#include "op/op.h"
#include "pass/edit.h"
#include "pass/pass.h"

/* Elements of one channel after another, along `axis`; -1: all are one channel. */
static int64_t channel_of(const th_slices *s, int axis, int64_t i) {
  return axis < 0 ? 0 : i / s->inner % s->dim;
}

static double integer_at(const th_tensor *t, int64_t i) {
  switch (t->dtype) {
    case TH_DTYPE_S8:
      return ((const int8_t *)t->data)[i];
    case TH_DTYPE_S16:
      return ((const int16_t *)t->data)[i];
    case TH_DTYPE_S32:
      return ((const int32_t *)t->data)[i];
    default:
      return (double)((const int64_t *)t->data)[i];
  }
}

/* scale * unit * (q - zero); `unit`: 1, or for a bias the scale of the layer's input. */
static th_status convert(th_graph *g, int node, int input, const th_quant *grid, double unit, bool keep_grid) {
  const th_tensor t = g->tensors[g->nodes[node].in[input]];
  const int axis = grid->count > 1 ? (keep_grid ? grid->axis : 0) : -1;
  const th_slices slices = th_slices_of(&t.shape, axis < 0 ? 0 : axis);
  const int64_t elems = th_shape_elems(&t.shape);
  float *x = TH_ARRAY(g->arena, float, elems);
  if (!x) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < elems; i++) {
    const int64_t c = channel_of(&slices, axis, i);
    const double zero = keep_grid && grid->zero ? grid->zero[c] : 0;
    x[i] = (float)(unit * (double)grid->scale[c] * (integer_at(&t, i) - zero));
  }
  TH_TRY(th_node_set_const(g, node, input, TH_DTYPE_F32, &t.shape, x));
  if (!keep_grid) return TH_OK;
  return th_graph_set_quant(g, g->nodes[node].in[input], grid->axis, grid->count, grid->scale, grid->zero);
}

static bool is_grid_type(th_dtype type) {
  return type == TH_DTYPE_S8 || type == TH_DTYPE_S16;
}

static th_status convert_layer(th_graph *g, int node) {
  const th_node *n = &g->nodes[node];
  const th_tensor *w = th_node_in(g, n, 1);
  const th_quant grid = w->quant, in = th_node_in(g, n, 0)->quant;
  const int bias = th_op_bias_input(n->op);
  if (!w->data || w->dtype != TH_DTYPE_S8 || !grid.count || in.count != 1) return TH_OK;
  for (int c = 0; c < grid.count && grid.zero; c++)
    if (grid.zero[c])
      return th_fail(TH_ERR_INPUT, "%s: weights with zero point %d: only those with zero point 0 can be trained",
                     n->name, (int)grid.zero[c]);
  TH_TRY(convert(g, node, 1, &grid, 1, true));
  const th_tensor *b = bias < 0 ? NULL : th_node_in(g, &g->nodes[node], bias);
  return b && b->data && th_dtype_is_int(b->dtype) ? convert(g, node, bias, &grid, (double)in.scale[0], false) : TH_OK;
}

static th_status convert_operands(th_graph *g, int node) {
  for (int k = 0; k < g->nodes[node].n_in; k++) {
    const th_tensor *t = th_node_in(g, &g->nodes[node], k);
    if (!t || !t->data || !is_grid_type(t->dtype) || !t->quant.count) continue;
    const th_quant grid = t->quant;
    TH_TRY(convert(g, node, k, &grid, 1, true));
  }
  return TH_OK;
}

th_status th_pass_unquantize(th_graph *g, const th_pass_options *o) {
  (void)o;
  for (int i = 0; i < g->n_nodes; i++) {
    if (g->nodes[i].dead) continue;
    if (th_op_weight_input(g->nodes[i].op) == 1)
      TH_TRY(convert_layer(g, i));
    else
      TH_TRY(convert_operands(g, i));
  }
  for (int t = 0; t < g->n_tensors; t++)
    if (!g->tensors[t].data && is_grid_type(g->tensors[t].dtype) && g->tensors[t].quant.count == 1)
      g->tensors[t].dtype = TH_DTYPE_F32;
  return TH_OK;
}
