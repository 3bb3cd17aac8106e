/* The steps of a net, forward and backward, cut into runs and segments. See net.h for the terms.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/net_plan.h"

static void push(th_net_sweep *s, th_net_kind kind, int node, int tensor, const th_op *op, bool wide) {
  s->steps[s->n_steps++] = (th_net_step){.kind = kind, .wide = wide, .node = node, .tensor = tensor, .op = op};
}

static void push_matches(th_planner *p, th_net_sweep *s, const th_node *n) {
  for (int o = 0; o < n->n_out; o++)
    if (th_plan_is_kept(p, n->out[o]) && p->net->tensors[n->out[o]].wants_grad)
      push(s, TH_STEP_MATCH, -1, n->out[o], NULL, s->steps[s->n_steps - 1].wide);
}

static void push_grids(th_planner *p, th_net_sweep *s, const th_node *n) {
  for (int o = 0; o < n->n_out; o++)
    if (p->net->tensors[n->out[o]].grid)
      push(s, TH_STEP_GRID, -1, n->out[o], NULL, s->steps[s->n_steps ? s->n_steps - 1 : 0].wide);
}

static bool step_is_wide(const th_planner *p, const th_net_sweep *s, int node) {
  const th_node *n = &p->g->nodes[node];
  if (n->op == TH_OP_FULLY_CONNECTED) return true;
  if (th_plan_sample_bytes(p, n) <= TH_PLAN_NEUTRAL_BYTES && s->n_steps) return s->steps[s->n_steps - 1].wide;
  return false;
}

/* The first layers of LeNet-300-100 are large, which gained from it; the classifiers behind convolutions are not. What
 * lies between was not measured. */
#define LARGE_WEIGHTS_BYTES (64 << 10)

static th_net_kind node_kind(const th_planner *p, const th_net_sweep *s, int node) {
  const th_node *n = &p->g->nodes[node];
  if (s != &p->net->forward || !th_op_get(n->op)->forward_outputs) return TH_STEP_NODE;
  int64_t elems = p->net->tensors[n->in[th_op_weight_input(n->op)]].elems;
  return elems * (int64_t)sizeof(float) >= LARGE_WEIGHTS_BYTES ? TH_STEP_OUTPUTS : TH_STEP_NODE;
}

static void push_node(th_planner *p, th_net_sweep *s, int node) {
  const th_op *op = th_op_get(p->g->nodes[node].op);
  bool relu = th_plan_takes_relu(p, node);
  if (th_plan_is_taken_relu(p, node)) return;
  if (p->training && op->gather) {
    push(s, TH_STEP_GATHER, node, -1, op, false);
    s->steps[s->n_steps - 1].relu = relu;
  }
  push(s, node_kind(p, s, node), node, -1, op, step_is_wide(p, s, node));
  s->steps[s->n_steps - 1].relu = relu;
}

static void list_forward(th_planner *p) {
  th_net_sweep *s = &p->net->forward;
  if (p->net->tensors[p->net->input].grid) push(s, TH_STEP_GRID, -1, p->net->input, NULL, false);
  for (int i = 0; i < p->g->n_nodes; i++) {
    if (!p->needed[i] || p->alias[i]) continue;
    push_node(p, s, i);
    push_grids(p, s, &p->g->nodes[i]);
  }
}

static void push_remake(th_planner *p, th_net_sweep *s, int node) {
  const th_net_tensor *in = &p->net->tensors[p->g->nodes[node].in[0]];
  if (!in->passing || th_plan_is_taken_relu(p, node)) return;
  int maker = th_graph_producer(p->g, in->root);
  push(s, TH_STEP_REMAKE, maker, -1, th_op_get(p->g->nodes[maker].op), false);
  s->steps[s->n_steps - 1].relu = true;
}

static bool passes_gradient(const th_planner *p, const th_node *n) {
  bool wants = false;
  for (int o = 0; o < n->n_out; o++) wants |= p->net->tensors[n->out[o]].wants_grad;
  return wants;
}

static th_status list_backward(th_planner *p) {
  th_net_sweep *s = &p->net->backward;
  push(s, TH_STEP_LOSS, -1, p->net->logits, NULL, true);
  for (int i = p->g->n_nodes - 1; i >= 0; i--) {
    const th_node *n = &p->g->nodes[i];
    if (!p->needed[i] || p->alias[i] || !passes_gradient(p, n)) continue;
    const th_op *op = th_op_get(n->op);
    if (!op->backward) return th_fail(TH_ERR_INPUT, "%s (%s): cannot be trained through", n->name, th_op_name(n->op));
    push_matches(p, s, n);
    push_grids(p, s, n);
    push_remake(p, s, i);
    push_node(p, s, i);
  }
  return TH_OK;
}

static void cut_runs(th_net_sweep *s) {
  for (int i = 0; i < s->n_steps; i++) {
    const th_net_step *step = &s->steps[i], *before = i ? step - 1 : NULL;
    bool new_segment = !before || before->kind == TH_STEP_GATHER || before->kind == TH_STEP_OUTPUTS;
    bool new_run = new_segment || step->wide != before->wide;
    if (new_segment) s->segments[s->n_segments++] = (th_net_segment){s->n_runs, s->n_runs, -1, -1};
    th_net_segment *segment = &s->segments[s->n_segments - 1];
    if (step->kind == TH_STEP_OUTPUTS) {
      segment->outputs = i;
      continue;
    }
    if (new_run) s->runs[s->n_runs++] = (th_net_run){i, i, step->wide};
    s->runs[s->n_runs - 1].last = i + 1;
    segment->last = s->n_runs;
    segment->settle = step->kind == TH_STEP_GATHER ? i : -1;
  }
}

static th_status alloc_sweep(th_planner *p, th_net_sweep *s) {
  int most = 4 * p->g->n_nodes + TH_MAX_OUTPUTS + 2;
  s->steps = TH_ARRAY(p->net->arena, th_net_step, most);
  s->runs = TH_ARRAY(p->net->arena, th_net_run, most);
  s->segments = TH_ARRAY(p->net->arena, th_net_segment, most);
  return s->steps && s->runs && s->segments ? TH_OK : th_plan_no_memory();
}

th_status th_plan_steps(th_planner *p) {
  TH_TRY(alloc_sweep(p, &p->net->forward));
  list_forward(p);
  cut_runs(&p->net->forward);
  if (!p->training) return TH_OK;
  TH_TRY(alloc_sweep(p, &p->net->backward));
  TH_TRY(list_backward(p));
  cut_runs(&p->net->backward);
  return TH_OK;
}
