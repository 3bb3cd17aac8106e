/* Planning a net: which nodes run, where batches are cut, which buffers are shared. See net.h for the terms.
 *
 * Values of all tensors are kept for backward, except that flatten and reshape share their input's, in-place operators
 * overwrite it, and what a batch norm and a relu make for one convolution is made again. Where gradients live is
 * decided in net_gradients.c. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "train/net_plan.h"

#define LANE_SAMPLES 32         /* enough rows for a fully connected layer to use each weight it loads well */
#define CHUNK_BYTES (384 << 10) /* activations of one chunk at one node: a part of the L2 cache */
#define MAX_BATCH 65536

th_status th_plan_no_memory(void) {
  return th_error_status() ? th_error_status() : th_fail(TH_ERR_RESOURCE, "out of memory while planning the training");
}

float *th_plan_floats(th_planner *p, int64_t n) {
  return TH_ARRAY(p->net->arena, float, n > 0 ? n : 1);
}

/* --- which nodes --- */

static th_status find_logits(th_planner *p) {
  const th_graph *g = p->g;
  if (g->n_inputs != 1 || g->n_outputs < 1)
    return th_fail(TH_ERR_INPUT, "graph %s: has %d inputs and %d outputs, training needs one input and an output",
                   g->name, g->n_inputs, g->n_outputs);
  th_net *net = p->net;
  net->input = g->inputs[0];
  net->logits = g->outputs[0];
  net->beta = 1.0f;
  int last = th_graph_producer(g, net->logits);
  if (last < 0) return th_fail(TH_ERR_INPUT, "graph %s: no node makes its output", g->name);
  if (g->nodes[last].op == TH_OP_SOFTMAX) {
    net->ends_in_softmax = true;
    net->beta = g->nodes[last].attr[TH_ATTR_BETA].f;
    net->logits = g->nodes[last].in[0];
  }
  return TH_OK;
}

static th_status find_needed(th_planner *p) {
  p->wanted = TH_ARRAY(p->net->arena, bool, p->g->n_tensors);
  p->needed = TH_ARRAY(p->net->arena, bool, p->g->n_nodes);
  if (!p->wanted || !p->needed) return th_plan_no_memory();
  p->wanted[p->net->logits] = true;
  for (int i = p->g->n_nodes - 1; i >= 0; i--) {
    const th_node *n = &p->g->nodes[i];
    for (int o = 0; o < n->n_out && !n->dead; o++) p->needed[i] |= p->wanted[n->out[o]];
    for (int k = 0; k < n->n_in && p->needed[i]; k++)
      if (n->in[k] >= 0) p->wanted[n->in[k]] = true;
  }
  return TH_OK;
}

/* --- tensors and parameters --- */

static bool is_running_input(const th_node *n, int i) {
  return n->op == TH_OP_BATCH_NORM && i >= 3;
}

static bool is_trainable_input(const th_node *n, int i) {
  if (n->op == TH_OP_BATCH_NORM) return i == 1 || i == 2;
  return i == th_op_weight_input(n->op) || i == th_op_bias_input(n->op);
}

static th_status check_float(const th_graph *g, const th_node *n, int i) {
  const th_tensor *t = &g->tensors[n->in[i]];
  bool data_only = t->data && !is_trainable_input(n, i) && !is_running_input(n, i);
  if (t->is_variable)
    return th_fail(TH_ERR_INPUT, "%s (%s): has a state (%s); layers with states cannot be trained", n->name,
                   th_op_name(n->op), t->name);
  if (t->dtype == TH_DTYPE_F32 || data_only) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s (%s): tensor %s is %s, training needs f32", n->name, th_op_name(n->op), t->name,
                 th_dtype_name(t->dtype));
}

static void add_param(th_planner *p, const th_node *n, int i) {
  th_net *net = p->net;
  int t = n->in[i];
  if (net->tensors[t].param >= 0) return;
  net->tensors[t].param = net->n_params;
  net->params[net->n_params++] = (th_param){.tensor = t,
                                            .elems = net->tensors[t].elems,
                                            .at = net->param_elems,
                                            .is_weight = i == th_op_weight_input(n->op),
                                            .direct = true};
  net->param_elems += th_plan_aligned(net->tensors[t].elems);
}

static void add_running(th_planner *p, int t) {
  th_net *net = p->net;
  for (int i = 0; i < net->n_running; i++)
    if (net->running[i].tensor == t) return;
  net->running[net->n_running++] = (th_running){t, net->tensors[t].elems, net->running_elems};
  net->running_elems += th_plan_aligned(net->tensors[t].elems);
}

static th_status find_tensors(th_planner *p) {
  th_net *net = p->net;
  const th_graph *g = p->g;
  net->tensors = TH_ARRAY(net->arena, th_net_tensor, g->n_tensors);
  net->params = TH_ARRAY(net->arena, th_param, g->n_tensors);
  net->running = TH_ARRAY(net->arena, th_running, g->n_tensors);
  net->grids = TH_ARRAY(net->arena, int, g->n_tensors);
  if (!net->tensors || !net->params || !net->running || !net->grids) return th_plan_no_memory();
  for (int t = 0; t < g->n_tensors; t++) {
    th_net_tensor *nt = &net->tensors[t];
    nt->elems = th_shape_elems(&g->tensors[t].shape);
    nt->param = -1;
    nt->root = t;
    nt->data = g->tensors[t].data;
    nt->seen = (float *)(uintptr_t)nt->data; /* read only; params and running statistics are redirected below */
    if (!nt->data && p->cs) nt->grid = th_constraints_activation(p->cs, t);
  }
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    for (int k = 0; k < n->n_in && p->needed[i]; k++) {
      if (n->in[k] < 0) continue;
      TH_TRY(check_float(g, n, k));
      if (!p->training || !net->tensors[n->in[k]].data) continue;
      if (is_trainable_input(n, k)) add_param(p, n, k);
      if (is_running_input(n, k)) add_running(p, n->in[k]);
    }
  }
  return TH_OK;
}

/* A parameter of fully connected layers alone needs no private gradients; one used by both kinds cannot be summed. */
static th_status find_direct(th_planner *p) {
  th_net *net = p->net;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < p->g->n_nodes; i++) {
      const th_node *n = &p->g->nodes[i];
      bool direct = th_op_get(n->op)->backward_weights != NULL;
      for (int k = 0; k < n->n_in && p->needed[i]; k++) {
        th_param *param =
            n->in[k] < 0 || net->tensors[n->in[k]].param < 0 ? NULL : &net->params[net->tensors[n->in[k]].param];
        if (param && pass == 0 && !direct) param->direct = false;
        if (param && pass == 1 && direct && !param->direct)
          return th_fail(TH_ERR_INPUT,
                         "%s (%s): shares its tensor %s with another kind of layer, which training cannot do", n->name,
                         th_op_name(n->op), p->g->tensors[param->tensor].name);
      }
    }
  for (int i = 0; i < net->n_params; i++) {
    th_param *param = &net->params[i];
    if (param->direct) continue;
    param->lane_at = net->lane_elems;
    net->lane_elems += th_plan_aligned(param->elems);
  }
  return TH_OK;
}

static th_status fill_params(th_planner *p) {
  th_net *net = p->net;
  net->shadow = th_plan_floats(p, net->param_elems);
  net->gradient = th_plan_floats(p, net->param_elems);
  net->running_values = th_plan_floats(p, net->running_elems);
  if (!net->shadow || !net->gradient || !net->running_values) return th_plan_no_memory();
  for (int i = 0; i < net->n_params; i++) {
    th_param *param = &net->params[i];
    float *shadow = net->shadow + param->at;
    memcpy(shadow, net->tensors[param->tensor].data, (size_t)param->elems * sizeof(float));
    param->value = p->cs && th_constraints_depth(p->cs, param->tensor) ? th_plan_floats(p, param->elems) : shadow;
    if (!param->value) return th_plan_no_memory();
    if (param->value != shadow) memcpy(param->value, shadow, (size_t)param->elems * sizeof(float));
    net->tensors[param->tensor].seen = param->value;
  }
  for (int i = 0; i < net->n_running; i++) {
    const th_running *r = &net->running[i];
    net->tensors[r->tensor].seen = net->running_values + r->at;
    memcpy(net->running_values + r->at, net->tensors[r->tensor].data, (size_t)r->elems * sizeof(float));
  }
  return TH_OK;
}

/* --- values --- */

/* Whether backward of the node that makes a tensor does without it, so that the next one may overwrite it. */
static bool may_be_overwritten(const th_graph *g, int tensor) {
  int producer = th_graph_producer(g, tensor);
  if (producer < 0) return false;
  const th_node *n = &g->nodes[producer];
  if (n->attr[TH_ATTR_ACTIVATION].i != TH_ACT_NONE) return false;
  switch (n->op) {
    case TH_OP_CONV2D:
    case TH_OP_DEPTHWISE_CONV2D:
    case TH_OP_FULLY_CONNECTED:
    case TH_OP_BATCH_NORM:
    case TH_OP_ADD:
    case TH_OP_SUB:
    case TH_OP_AVG_POOL2D:
    case TH_OP_GLOBAL_AVG_POOL:
    case TH_OP_CONCAT:
      return true;
    default:
      return false;
  }
}

static bool shares_value(const th_planner *p, int node) {
  const th_node *n = &p->g->nodes[node];
  const th_net_tensor *in = n->n_in ? &p->net->tensors[n->in[0]] : NULL;
  return th_op_get(n->op)->in_place && in && !in->data && !in->grid && th_graph_only_user(p->g, n->in[0]) == node &&
         may_be_overwritten(p->g, n->in[0]);
}

bool th_plan_takes_relu(const th_planner *p, int node) {
  const th_node *n = &p->g->nodes[node];
  int user = n->op == TH_OP_BATCH_NORM ? th_graph_only_user(p->g, n->out[0]) : -1;
  return user >= 0 && p->needed[user] && p->g->nodes[user].op == TH_OP_RELU && shares_value(p, user);
}

bool th_plan_is_taken_relu(const th_planner *p, int node) {
  const th_node *n = &p->g->nodes[node];
  int producer = n->op == TH_OP_RELU ? th_graph_producer(p->g, n->in[0]) : -1;
  return producer >= 0 && th_plan_takes_relu(p, producer);
}

int64_t th_plan_sample_bytes(const th_planner *p, const th_node *n) {
  int64_t elems = 0;
  for (int k = 0; k < n->n_in; k++)
    if (n->in[k] >= 0 && !p->net->tensors[n->in[k]].data) elems += p->net->tensors[n->in[k]].elems;
  for (int o = 0; o < n->n_out; o++) elems += p->net->tensors[n->out[o]].elems;
  return elems * (int64_t)sizeof(float);
}

bool th_plan_is_kept(const th_planner *p, int tensor) {
  return p->kept && p->kept[tensor];
}

/* Whether what a batch norm and its relu make goes to one convolution alone, the next node to run: then it is kept for
 * a chunk only and made again on the way back, which costs less than its way to memory and back. */
static bool makes_passing(const th_planner *p, int node) {
  const th_graph *g = p->g;
  if (!th_plan_takes_relu(p, node)) return false;
  int relu = th_graph_only_user(g, g->nodes[node].out[0]), made = g->nodes[relu].out[0];
  int user = th_graph_only_user(g, made);
  if (user < 0 || !p->needed[user] || p->net->tensors[made].grid || th_plan_is_kept(p, made)) return false;
  for (int i = node + 1; i < user; i++)
    if (i != relu && p->needed[i]) return false;
  const th_node *n = &g->nodes[user];
  return (n->op == TH_OP_CONV2D || n->op == TH_OP_DEPTHWISE_CONV2D) && n->in[0] == made &&
         th_plan_sample_bytes(p, &g->nodes[node]) > TH_PLAN_NEUTRAL_BYTES &&
         th_plan_sample_bytes(p, n) > TH_PLAN_NEUTRAL_BYTES;
}

static bool is_alias(const th_planner *p, const th_node *n) {
  bool same = n->op == TH_OP_FLATTEN || n->op == TH_OP_RESHAPE || (n->op == TH_OP_DROPOUT && !p->training);
  return same && !p->net->tensors[n->in[0]].data && !p->net->tensors[n->out[0]].grid;
}

static th_status new_value(th_planner *p, int t, float *shared) {
  th_net_tensor *nt = &p->net->tensors[t];
  nt->value = shared ? shared : th_plan_floats(p, nt->elems * p->net->batch);
  nt->seen = nt->grid ? th_plan_floats(p, nt->elems * p->net->batch) : nt->value;
  if (nt->grid) {
    nt->grid_slot = p->net->n_grids;
    p->net->grids[p->net->n_grids++] = t;
  }
  return nt->value && nt->seen ? TH_OK : th_plan_no_memory();
}

static th_status place_values(th_planner *p) {
  th_net *net = p->net;
  p->alias = TH_ARRAY(net->arena, bool, p->g->n_nodes);
  if (!p->alias) return th_plan_no_memory();
  TH_TRY(new_value(p, net->input, NULL));
  for (int i = 0; i < p->g->n_nodes; i++) {
    const th_node *n = &p->g->nodes[i];
    if (!p->needed[i]) continue;
    th_net_tensor *in = n->n_in && n->in[0] >= 0 ? &net->tensors[n->in[0]] : NULL;
    bool grads = false;
    for (int k = 0; k < n->n_in; k++)
      grads |= n->in[k] >= 0 && (net->tensors[n->in[k]].param >= 0 || net->tensors[n->in[k]].wants_grad);
    p->alias[i] = is_alias(p, n);
    bool shared = p->alias[i] || shares_value(p, i);
    for (int o = 0; o < n->n_out; o++) {
      th_net_tensor *out = &net->tensors[n->out[o]];
      out->wants_grad = grads && p->wanted[n->out[o]];
      if (shared) out->root = in->root;
      out->passing = makes_passing(p, i) || (shared && in->passing);
      if (out->passing) continue;
      if (p->alias[i]) {
        out->value = in->value;
        out->seen = in->seen;
      } else {
        TH_TRY(new_value(p, n->out[o], shared ? in->value : NULL));
      }
    }
  }
  return TH_OK;
}

static void choose_chunks(th_planner *p) {
  th_net *net = p->net;
  int lanes = net->batch / LANE_SAMPLES;
  net->lanes = lanes < 1 ? 1 : lanes > TH_NET_MAX_LANES ? TH_NET_MAX_LANES : lanes;
  p->lane_max = (net->batch + net->lanes - 1) / net->lanes;
  int64_t most = 1;
  for (int i = 0; i < net->forward.n_steps; i++) {
    const th_net_step *s = &net->forward.steps[i];
    int64_t bytes = s->wide || s->node < 0 ? 0 : th_plan_sample_bytes(p, &p->g->nodes[s->node]);
    most = bytes > most ? bytes : most;
  }
  int64_t chunk = CHUNK_BYTES / most;
  int lane_min = net->batch / net->lanes, slots = TH_OP_MAX_CHUNKS / net->lanes;
  int64_t per_lane = chunk < 1 ? lane_min : (p->lane_max + chunk - 1) / chunk;
  if (per_lane > slots) per_lane = slots;
  if (per_lane > lane_min) per_lane = lane_min;
  net->chunks_per_lane = per_lane < 1 ? 1 : (int)per_lane;
  p->chunk_max = (p->lane_max + net->chunks_per_lane - 1) / net->chunks_per_lane;
}

/* --- what operators ask for --- */

static th_status give_states(th_planner *p, th_net_sweep *s) {
  for (int i = 0; i < s->n_steps; i++) {
    th_net_step *st = &s->steps[i];
    if (st->node < 0 || !st->op->state_bytes) continue;
    void **state = &p->states[st->node];
    if (!*state)
      *state = th_arena_alloc(p->net->arena, st->op->state_bytes(p->g, &p->g->nodes[st->node], p->net->batch));
    if (!(st->state = *state)) return th_plan_no_memory();
  }
  return TH_OK;
}

static size_t scratch_need(const th_planner *p, const th_net_sweep *s) {
  size_t most = 0;
  for (int i = 0; i < s->n_steps; i++) {
    const th_net_step *st = &s->steps[i];
    if (st->node < 0 || !st->op->scratch_elems) continue;
    bool all = st->op->backward_weights || st->op->gather;
    size_t need = st->op->scratch_elems(p->g, &p->g->nodes[st->node],
                                        all        ? p->net->batch
                                        : st->wide ? p->lane_max
                                                   : p->chunk_max);
    most = need > most ? need : most;
  }
  return most;
}

static th_status give_lanes(th_planner *p) {
  th_net *net = p->net;
  size_t a = scratch_need(p, &net->forward), b = scratch_need(p, &net->backward);
  int64_t passing = 0;
  for (int t = 0; t < p->g->n_tensors; t++)
    if (net->tensors[t].passing && net->tensors[t].elems * p->chunk_max > passing)
      passing = net->tensors[t].elems * p->chunk_max;
  for (int l = 0; l < net->lanes; l++) {
    net->lane_scratch[l] = th_plan_floats(p, (int64_t)(a > b ? a : b));
    net->lane_value[l] = th_plan_floats(p, passing);
    net->lane_gradient[l] = th_plan_floats(p, l ? net->lane_elems : 0); /* lane 0 adds to the common gradient */
    if (!net->lane_value[l] || !net->lane_scratch[l] || !net->lane_gradient[l]) return th_plan_no_memory();
  }
  int parts = net->n_grids * net->lanes;
  net->grid_parts = TH_ARRAY(net->arena, th_grid_part, parts ? parts : 1);
  if (!net->grid_parts) return th_plan_no_memory();
  for (int i = 0; i < parts; i++) net->grid_parts[i] = th_grid_part_empty();
  return TH_OK;
}

static th_status plan(th_planner *p) {
  TH_TRY(find_logits(p));
  TH_TRY(find_needed(p));
  TH_TRY(find_tensors(p));
  TH_TRY(find_direct(p));
  if (p->training) TH_TRY(fill_params(p));
  TH_TRY(place_values(p));
  TH_TRY(th_plan_steps(p));
  choose_chunks(p);
  if (p->training) {
    TH_TRY(th_plan_gradients(p));
    TH_TRY(th_plan_accumulation(p));
  }
  p->states = TH_ARRAY(p->net->arena, void *, p->g->n_nodes);
  if (!p->states) return th_plan_no_memory();
  TH_TRY(give_states(p, &p->net->forward));
  TH_TRY(give_states(p, &p->net->backward));
  return give_lanes(p);
}

th_status th_net_create(const th_graph *graph, const th_constraints *cs, int batch, bool training, th_net **net) {
  return th_net_create_keeping(graph, cs, batch, training, NULL, net);
}

th_status th_net_create_keeping(const th_graph *graph, const th_constraints *cs, int batch, bool training,
                                const bool *kept, th_net **net) {
  *net = NULL;
  if (batch < 1 || batch > MAX_BATCH) return th_fail(TH_ERR_USAGE, "batch is %d, expected 1 to %d", batch, MAX_BATCH);
  th_arena *arena = th_arena_create();
  th_net *made = arena ? TH_NEW(arena, th_net) : NULL;
  if (!made) {
    th_arena_destroy(arena);
    return th_plan_no_memory();
  }
  made->arena = arena;
  made->graph = graph;
  made->batch = batch;
  th_planner p = {.net = made, .g = graph, .cs = cs, .training = training, .kept = kept};
  th_status status = plan(&p);
  if (status != TH_OK) {
    th_net_destroy(made);
    return status;
  }
  *net = made;
  return TH_OK;
}

void th_net_destroy(th_net *net) {
  if (net) th_arena_destroy(net->arena);
}
