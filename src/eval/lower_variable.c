/* Lowering of read_variable and assign_variable: copies of bytes, of any type.
 *
 * A read costs nothing where its users take the value at once: all of them run before the variable gets a new one. It
 * is a copy where the value, or another shape of it, goes out of the graph or into a variable. SPDX-License-Identifier:
 * Apache-2.0 */
#include "eval/lower_internal.h"

static bool keeps_place(const th_graph *g, const th_node *user) {
  return user->op == TH_OP_ASSIGN_VARIABLE || (user->op != TH_OP_READ_VARIABLE && th_lower_is_alias(g, user));
}

bool th_lower_read_is_alias(const th_graph *g, const th_node *n) {
  if (th_graph_is_output(g, n->out[0])) return false;
  for (int i = 0; i < g->n_nodes; i++)
    for (int k = 0; k < g->nodes[i].n_in && !g->nodes[i].dead; k++)
      if (g->nodes[i].in[k] == n->out[0] && keeps_place(g, &g->nodes[i])) return false;
  return true;
}

th_status th_lower_variable(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *x = th_node_in(l->g, n, 0), *y = th_node_out(l->g, n, 0);
  th_program_step *s;
  TH_TRY(th_lower_check_sides(n, x, y));
  if (!th_runtime_dtype(x->dtype) || th_tensor_bytes(x) != th_tensor_bytes(y))
    return TH_LOWER_FAIL(n, "%s (%s) and %s cannot be copied", x->name, th_dtype_name(x->dtype), y->name);
  TH_TRY(th_lower_step(l, node, THR_KERNEL_STRIDED_COPY_S8, n->in, 1, &s));
  s->step.p.strided_copy = (thr_strided_copy_params){.block = (int32_t)th_tensor_bytes(x), .dim = {1, 1, 1, 1, 1, 1}};
  return TH_OK;
}
