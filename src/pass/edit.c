/* Shared editing steps of the passes: see edit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/edit.h"

const float *th_const_f32(const th_graph *g, int tensor) {
  const th_tensor *t = th_graph_tensor(g, tensor);
  return t && t->dtype == TH_DTYPE_F32 ? (const float *)t->data : NULL;
}

bool th_used_only_by(const th_graph *g, int tensor, int node) {
  return th_graph_only_user(g, tensor) == node;
}

th_status th_node_set_const(th_graph *g, int node, int input, th_dtype dtype, const th_shape *shape, const void *data) {
  int old = g->nodes[node].in[input];
  if (th_used_only_by(g, old, node)) {
    TH_TRY(th_graph_set_data(g, old, dtype, shape, data));
    g->tensors[old].quant = (th_quant){.axis = -1};
    return TH_OK;
  }
  int fresh;
  TH_TRY(th_graph_add_const(g, g->tensors[old].name, dtype, shape, data, &fresh));
  g->nodes[node].in[input] = fresh;
  return TH_OK;
}

th_status th_node_add_bias(th_graph *g, int node, int64_t channels, const float *data) {
  th_shape shape = th_shape_make(1, (int32_t)channels);
  const char *name = th_arena_printf(g->arena, "%s_bias", g->nodes[node].name);
  if (!name) return TH_ERR_RESOURCE;
  int id;
  TH_TRY(th_graph_add_const(g, name, TH_DTYPE_F32, &shape, data, &id));
  g->nodes[node].in[2] = id;
  g->nodes[node].n_in = 3;
  return TH_OK;
}

bool th_node_bypass(th_graph *g, int node) {
  int x = g->nodes[node].in[0], y = g->nodes[node].out[0];
  int producer = th_graph_producer(g, x);
  if (th_graph_is_output(g, y)) {
    if (producer < 0 || th_graph_is_output(g, x)) return false;
    if (g->tensors[y].quant.count == 0) g->tensors[y].quant = g->tensors[x].quant;
    g->nodes[node].dead = true; /* y lives on, as the producer's output */
    for (int i = 0; i < g->nodes[producer].n_out; i++)
      if (g->nodes[producer].out[i] == x) g->nodes[producer].out[i] = y;
    th_graph_replace_uses(g, x, y);
    g->tensors[x].dead = true;
    return true;
  }
  if (g->tensors[x].quant.count == 0) g->tensors[x].quant = g->tensors[y].quant;
  th_graph_replace_uses(g, y, x);
  th_graph_remove_node(g, node);
  return true;
}

bool th_op_uses(th_op_id op, th_attr_id attr) {
  const th_op *o = th_op_get(op);
  if (!o || !o->attrs) return false;
  for (const th_attr_id *a = o->attrs; *a != TH_ATTR_COUNT; a++)
    if (*a == attr) return true;
  return false;
}

th_slices th_slices_of(const th_shape *shape, int axis) {
  th_slices s = {1, shape->dim[axis], 1};
  for (int i = 0; i < axis; i++) s.outer *= shape->dim[i];
  for (int i = axis + 1; i < shape->rank; i++) s.inner *= shape->dim[i];
  return s;
}
