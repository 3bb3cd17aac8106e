/* Building, editing and asking a graph. See graph.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ir/graph.h"

#include <string.h>

size_t th_tensor_bytes(const th_tensor *t) {
  return (size_t)th_shape_elems(&t->shape) * th_dtype_bytes(t->dtype);
}

th_status th_graph_create(th_graph **graph, const char *name) {
  th_arena *arena = th_arena_create();
  th_graph *g = arena ? TH_NEW(arena, th_graph) : NULL;
  if (g) {
    g->arena = arena;
    g->name = th_arena_strdup(arena, name ? name : "graph");
  }
  if (!g || !g->name) {
    th_arena_destroy(arena);
    return TH_ERR_RESOURCE;
  }
  *graph = g;
  return TH_OK;
}

void th_graph_destroy(th_graph *graph) {
  if (graph) th_arena_destroy(graph->arena);
}

/* --- building --- */

/* Room for one more element; the old array stays in the arena until the graph goes. */
static th_status grow(th_arena *arena, void **items, int n, int *capacity, size_t elem_bytes) {
  if (n < *capacity) return TH_OK;
  int more = *capacity ? 2 * *capacity : 32;
  void *p = th_arena_array(arena, (size_t)more, elem_bytes);
  if (!p) return TH_ERR_RESOURCE;
  if (n) memcpy(p, *items, (size_t)n * elem_bytes);
  *items = p;
  *capacity = more;
  return TH_OK;
}

static const char *unused_tensor_name(th_graph *g, const char *name) {
  if (th_graph_find_tensor(g, name) < 0) return th_arena_strdup(g->arena, name);
  for (int suffix = 1;; suffix++) {
    const char *s = th_arena_printf(g->arena, "%s_%d", name, suffix);
    if (!s || th_graph_find_tensor(g, s) < 0) return s;
  }
}

static bool node_name_taken(const th_graph *g, const char *name) {
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead && g->nodes[i].name && !strcmp(g->nodes[i].name, name)) return true;
  return false;
}

static const char *unused_node_name(th_graph *g, const char *name) {
  if (!node_name_taken(g, name)) return th_arena_strdup(g->arena, name);
  for (int suffix = 1;; suffix++) {
    const char *s = th_arena_printf(g->arena, "%s_%d", name, suffix);
    if (!s || !node_name_taken(g, s)) return s;
  }
}

th_status th_graph_add_tensor(th_graph *g, const char *name, th_dtype dtype, const th_shape *shape, int *id) {
  void *items = g->tensors;
  TH_TRY(grow(g->arena, &items, g->n_tensors, &g->tensor_capacity, sizeof *g->tensors));
  g->tensors = items;
  const char *own = unused_tensor_name(g, name && *name ? name : "t");
  if (!own) return TH_ERR_RESOURCE;
  g->tensors[g->n_tensors] = (th_tensor){.name = own, .dtype = dtype, .shape = *shape, .quant = {.axis = -1}};
  *id = g->n_tensors++;
  return TH_OK;
}

th_status th_graph_set_data(th_graph *g, int tensor, th_dtype dtype, const th_shape *shape, const void *data) {
  th_tensor *t = &g->tensors[tensor];
  th_tensor changed = *t;
  changed.dtype = dtype;
  changed.shape = *shape;
  changed.data = th_arena_copy(g->arena, data, th_tensor_bytes(&changed));
  if (!changed.data) return TH_ERR_RESOURCE;
  *t = changed;
  return TH_OK;
}

th_status th_graph_add_const(th_graph *g, const char *name, th_dtype dtype, const th_shape *shape, const void *data,
                             int *id) {
  TH_TRY(th_graph_add_tensor(g, name, dtype, shape, id));
  return th_graph_set_data(g, *id, dtype, shape, data);
}

th_status th_graph_set_quant(th_graph *g, int tensor, int axis, int count, const float *scale, const int32_t *zero) {
  th_quant q = {.count = count, .axis = count > 1 || axis >= 0 ? axis : -1};
  if (count) {
    q.scale = th_arena_copy(g->arena, scale, (size_t)count * sizeof *scale);
    int32_t *z = TH_ARRAY(g->arena, int32_t, count);
    if (!q.scale || !z) return TH_ERR_RESOURCE;
    if (zero) memcpy(z, zero, (size_t)count * sizeof *z);
    q.zero = z;
  }
  g->tensors[tensor].quant = q;
  return TH_OK;
}

th_status th_graph_add_node(th_graph *g, int at, th_op_id op, const char *name, const int *in, int n_in, const int *out,
                            int n_out, int *id) {
  if (n_in > TH_MAX_INPUTS || n_out > TH_MAX_OUTPUTS)
    return th_fail(TH_ERR_INPUT, "%s (%s): %d inputs and %d outputs, at most %d and %d are possible", name,
                   th_op_name(op), n_in, n_out, TH_MAX_INPUTS, TH_MAX_OUTPUTS);
  void *items = g->nodes;
  TH_TRY(grow(g->arena, &items, g->n_nodes, &g->node_capacity, sizeof *g->nodes));
  g->nodes = items;
  th_node node = {.op = op, .n_in = n_in, .n_out = n_out};
  node.name = unused_node_name(g, name && *name ? name : th_op_name(op));
  if (!node.name) return TH_ERR_RESOURCE;
  memcpy(node.in, in, (size_t)n_in * sizeof *in);
  memcpy(node.out, out, (size_t)n_out * sizeof *out);
  for (int i = 0; i < TH_ATTR_COUNT; i++) node.attr[i] = th_attr_default((th_attr_id)i);
  memmove(g->nodes + at + 1, g->nodes + at, (size_t)(g->n_nodes - at) * sizeof *g->nodes);
  g->nodes[at] = node;
  g->n_nodes++;
  if (id) *id = at;
  return TH_OK;
}

static th_status set_ids(th_graph *g, int **ids, int *count, const int *from, int n) {
  int *copy = th_arena_copy(g->arena, from, (size_t)n * sizeof *from);
  if (!copy) return TH_ERR_RESOURCE;
  *ids = copy;
  *count = n;
  return TH_OK;
}

th_status th_graph_set_inputs(th_graph *g, const int *ids, int n) {
  return set_ids(g, &g->inputs, &g->n_inputs, ids, n);
}
th_status th_graph_set_outputs(th_graph *g, const int *ids, int n) {
  return set_ids(g, &g->outputs, &g->n_outputs, ids, n);
}

/* --- editing --- */

void th_graph_replace_uses(th_graph *g, int old_tensor, int new_tensor) {
  for (int n = 0; n < g->n_nodes; n++) {
    th_node *node = &g->nodes[n];
    for (int i = 0; i < node->n_in && !node->dead; i++)
      if (node->in[i] == old_tensor) node->in[i] = new_tensor;
  }
  for (int i = 0; i < g->n_outputs; i++)
    if (g->outputs[i] == old_tensor) g->outputs[i] = new_tensor;
}

void th_graph_remove_node(th_graph *g, int node) {
  th_node *n = &g->nodes[node];
  n->dead = true;
  for (int i = 0; i < n->n_out; i++)
    if (th_graph_uses(g, n->out[i]) == 0) g->tensors[n->out[i]].dead = true;
}

/* A variable's old value is read before a new one is assigned. */
static bool has_waiting_reader(const th_graph *g, int tensor, const bool *placed) {
  for (int i = 0; i < g->n_nodes; i++)
    for (int k = 0; k < g->nodes[i].n_in && !placed[i] && !g->nodes[i].dead; k++)
      if (g->nodes[i].in[k] == tensor) return true;
  return false;
}

static bool inputs_ready(const th_graph *g, const th_node *n, const bool *ready, const bool *placed) {
  if (n->op == TH_OP_ASSIGN_VARIABLE && has_waiting_reader(g, n->out[0], placed)) return false;
  for (int i = 0; i < n->n_in; i++) {
    const th_tensor *t = th_node_in(g, n, i);
    if (t && !t->data && !t->is_variable && !ready[n->in[i]]) return false;
  }
  return true;
}

th_status th_graph_sort(th_graph *g) {
  th_arena_pos mark = th_arena_mark(g->arena);
  bool *ready = TH_ARRAY(g->arena, bool, g->n_tensors + 1), *placed = TH_ARRAY(g->arena, bool, g->n_nodes + 1);
  th_node *sorted = TH_ARRAY(g->arena, th_node, g->n_nodes + 1);
  if (!ready || !placed || !sorted) return TH_ERR_RESOURCE;
  for (int i = 0; i < g->n_inputs; i++) ready[g->inputs[i]] = true;
  int n_sorted = 0;
  while (n_sorted <
         g->n_nodes) { /* each round takes the first node that can run: stable, and quick when nearly sorted */
    int before = n_sorted;
    for (int i = 0; i < g->n_nodes; i++) {
      const th_node *n = &g->nodes[i];
      if (placed[i] || (!n->dead && !inputs_ready(g, n, ready, placed))) continue;
      placed[i] = true;
      sorted[n_sorted++] = *n;
      for (int o = 0; o < n->n_out && !n->dead; o++) ready[n->out[o]] = true;
    }
    if (n_sorted > before) continue;
    int stuck = 0;
    while (placed[stuck]) stuck++;
    const char *name = g->nodes[stuck].name;
    th_status status = th_fail(TH_ERR_INPUT, "%s: the graph has a cycle, or an input that nothing produces", name);
    th_arena_release(g->arena, mark);
    return status;
  }
  memcpy(g->nodes, sorted, (size_t)g->n_nodes * sizeof *sorted);
  th_arena_release(g->arena, mark);
  return TH_OK;
}

static void mark_used(const th_graph *g, bool *used) {
  for (int i = 0; i < g->n_inputs; i++) used[g->inputs[i]] = true;
  for (int i = 0; i < g->n_outputs; i++) used[g->outputs[i]] = true;
  for (int n = 0; n < g->n_nodes; n++) {
    const th_node *node = &g->nodes[n];
    for (int i = 0; i < node->n_in && !node->dead; i++)
      if (node->in[i] >= 0) used[node->in[i]] = true;
    for (int i = 0; i < node->n_out && !node->dead; i++) used[node->out[i]] = true;
  }
}

static void renumber(int *ids, int n, const int *map) {
  for (int i = 0; i < n; i++)
    if (ids[i] >= 0) ids[i] = map[ids[i]];
}

th_status th_graph_compact(th_graph *g) {
  th_arena_pos mark = th_arena_mark(g->arena);
  bool *used = TH_ARRAY(g->arena, bool, g->n_tensors + 1);
  int *map = TH_ARRAY(g->arena, int, g->n_tensors + 1);
  if (!used || !map) return TH_ERR_RESOURCE;
  mark_used(g, used);
  int n_tensors = 0, n_nodes = 0;
  for (int i = 0; i < g->n_tensors; i++) {
    map[i] = n_tensors;
    if (!used[i]) continue;
    g->tensors[i].dead = false;
    g->tensors[n_tensors++] = g->tensors[i];
  }
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead) g->nodes[n_nodes++] = g->nodes[i];
  g->n_tensors = n_tensors;
  g->n_nodes = n_nodes;
  for (int i = 0; i < n_nodes; i++) {
    renumber(g->nodes[i].in, g->nodes[i].n_in, map);
    renumber(g->nodes[i].out, g->nodes[i].n_out, map);
  }
  renumber(g->inputs, g->n_inputs, map);
  renumber(g->outputs, g->n_outputs, map);
  th_arena_release(g->arena, mark);
  return TH_OK;
}

static th_status copy_tensor(th_graph *to, const th_tensor *t) {
  int id;
  TH_TRY(th_graph_add_tensor(to, t->name, t->dtype, &t->shape, &id));
  if (t->data) TH_TRY(th_graph_set_data(to, id, t->dtype, &t->shape, t->data));
  TH_TRY(th_graph_set_quant(to, id, t->quant.axis, t->quant.count, t->quant.scale, t->quant.zero));
  to->tensors[id].is_variable = t->is_variable;
  if (t->initial && !(to->tensors[id].initial = th_arena_copy(to->arena, t->initial, th_tensor_bytes(t))))
    return TH_ERR_RESOURCE;
  to->tensors[id].dead = t->dead;
  return TH_OK;
}

static th_status copy_node(th_graph *to, const th_node *n) {
  int id;
  TH_TRY(th_graph_add_node(to, to->n_nodes, n->op, n->name, n->in, n->n_in, n->out, n->n_out, &id));
  memcpy(to->nodes[id].attr, n->attr, sizeof n->attr);
  to->nodes[id].dead = n->dead;
  return TH_OK;
}

static th_status copy_all(th_graph *to, const th_graph *from) {
  for (int i = 0; i < from->n_tensors; i++) TH_TRY(copy_tensor(to, &from->tensors[i]));
  for (int i = 0; i < from->n_nodes; i++) TH_TRY(copy_node(to, &from->nodes[i]));
  TH_TRY(th_graph_set_inputs(to, from->inputs, from->n_inputs));
  return th_graph_set_outputs(to, from->outputs, from->n_outputs);
}

th_status th_graph_clone(const th_graph *graph, th_graph **copy) {
  th_graph *g;
  TH_TRY(th_graph_create(&g, graph->name));
  th_status status = copy_all(g, graph);
  if (status == TH_OK)
    *copy = g;
  else
    th_graph_destroy(g);
  return status;
}

/* --- asking --- */

int th_graph_producer(const th_graph *g, int tensor) {
  for (int n = 0; n < g->n_nodes; n++) {
    const th_node *node = &g->nodes[n];
    for (int i = 0; i < node->n_out && !node->dead; i++)
      if (node->out[i] == tensor) return n;
  }
  return -1;
}

/* Counts live uses; *user gets the last node that uses the tensor. */
static int count_uses(const th_graph *g, int tensor, int *user) {
  int uses = 0;
  for (int n = 0; n < g->n_nodes; n++) {
    const th_node *node = &g->nodes[n];
    for (int i = 0; i < node->n_in && !node->dead; i++)
      if (node->in[i] == tensor) uses++, *user = n;
  }
  return uses;
}

int th_graph_uses(const th_graph *g, int tensor) {
  int user, uses = count_uses(g, tensor, &user);
  for (int i = 0; i < g->n_outputs; i++) uses += g->outputs[i] == tensor;
  return uses;
}

int th_graph_only_user(const th_graph *g, int tensor) {
  int user = -1;
  if (count_uses(g, tensor, &user) != 1 || th_graph_is_output(g, tensor)) return -1;
  return user;
}

int th_graph_find_tensor(const th_graph *g, const char *name) {
  for (int i = 0; i < g->n_tensors; i++)
    if (!g->tensors[i].dead && !strcmp(g->tensors[i].name, name)) return i;
  return -1;
}

static bool contains(const int *ids, int n, int id) {
  for (int i = 0; i < n; i++)
    if (ids[i] == id) return true;
  return false;
}

bool th_graph_is_input(const th_graph *g, int tensor) {
  return contains(g->inputs, g->n_inputs, tensor);
}
bool th_graph_is_output(const th_graph *g, int tensor) {
  return contains(g->outputs, g->n_outputs, tensor);
}
