/* The ONNX file: opset, constants, inputs, nodes in order, outputs. See onnx.h and onnx_internal.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "read/onnx.h"

#include <onnx.pb-c.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "format/protobuf.h"
#include "op/op.h"
#include "read/onnx_internal.h"

enum { MOST_NODES = 20000, OLDEST_OPSET = 6, MOST_WORK = 1 << 27 };

/* --- operators --- */

static const onnx_row rows[] = {
#define ONNX_OP(name, function, integer, lo, hi, op) {#name, th_onnx_op_##function, integer, lo, hi, TH_OP_##op},
#include "read/onnx_ops.def"
#undef ONNX_OP
};

const onnx_row *th_onnx_row_find(const char *name) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (th_str_eq(rows[i].name, name)) return &rows[i];
  return NULL;
}

/* What could be done about an operator that is not supported. */
static const char *const hints[][2] = {
    {"DynamicQuantizeLinear", "; its scales depend on the data: quantize the model statically (QDQ) instead"},
    {"ConvInteger", "; it belongs to dynamic quantization: quantize the model statically (QDQ) instead"},
    {"MatMulInteger", "; it belongs to dynamic quantization: quantize the model statically (QDQ) instead"},
    {"GRU", "; export the network unrolled"},
    {"RNN", "; export the network unrolled"},
    {"If", "; control flow cannot run on the device: export the model with the branch decided"},
    {"Loop", "; control flow cannot run on the device: export the model unrolled"},
    {"Scan", "; control flow cannot run on the device: export the model unrolled"},
};

static const char *hint_for(const char *name) {
  for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
    if (th_str_eq(hints[i][0], name)) return hints[i][1];
  return "";
}

static bool is_known_domain(const char *domain) {
  return !domain || !*domain || th_str_eq(domain, "ai.onnx") || th_str_eq(domain, "com.microsoft");
}

/* --- nodes --- */

static th_status collect(onnx_reader *r, onnx_node *n) {
  const Onnx__NodeProto *p = n->proto;
  if (p->n_input > ONNX_MAX_IN || p->n_output > ONNX_MAX_OUT)
    return th_onnx_fail(r, n, "has %zu inputs and %zu outputs, at most %d and %d are supported", p->n_input,
                        p->n_output, ONNX_MAX_IN, ONNX_MAX_OUT);
  for (size_t i = 0; i < p->n_input; i++) {
    if (!*p->input[i]) continue;
    n->in[i] = th_onnx_value(r, p->input[i]);
    if (!n->in[i]) return TH_ERR_RESOURCE;
    if (n->in[i]->kind == ONNX_UNSET)
      return th_onnx_fail(r, n, "input %.80s is made by no node before it", n->in[i]->name);
    n->n_in = (int)i + 1; /* absent ones at the end do not count */
  }
  for (size_t i = 0; i < p->n_output; i++) {
    onnx_value *v = *p->output[i] ? th_onnx_value(r, p->output[i]) : NULL;
    if (v && v->kind != ONNX_UNSET) return th_onnx_fail(r, n, "its output %.80s has been made before", v->name);
    n->out[i] = v && (v->uses > 0 || i == 0) ? v : NULL;
  }
  n->n_out = (int)p->n_output;
  return TH_OK;
}

static th_status read_node(onnx_reader *r, int index) {
  onnx_node n = {.proto = r->model->graph->node[index], .index = index};
  bool finished;
  if (r->done[index]) return TH_OK;
  if (!is_known_domain(n.proto->domain))
    return th_onnx_fail(r, &n, "operators of domain %.80s are not supported", n.proto->domain);
  TH_TRY(collect(r, &n));
  TH_TRY(th_onnx_fold(r, &n, &finished));
  if (finished) return TH_OK;
  n.row = th_onnx_row_find(n.proto->op_type);
  if (!n.row)
    return th_onnx_fail(r, &n, "operator %.60s is not supported%s", n.proto->op_type, hint_for(n.proto->op_type));
  if (n.n_in < n.row->min_in || n.n_in > n.row->max_in)
    return th_onnx_fail(r, &n, "has %d inputs, expected %d to %d", n.n_in, n.row->min_in, n.row->max_in);
  for (int i = 0; i < n.row->min_in; i++)
    if (!n.in[i] && n.row->integer != ONNX_FLOAT) return th_onnx_fail(r, &n, "input %d is absent", i);
  TH_TRY(th_onnx_try_integer(r, &n, &finished));
  return finished ? TH_OK : n.row->read(r, &n);
}

/* --- the graph --- */

static th_status read_opset(onnx_reader *r) {
  const Onnx__ModelProto *m = r->model;
  for (size_t i = 0; i < m->n_opset_import; i++) {
    const Onnx__OperatorSetIdProto *o = m->opset_import[i];
    if (!o->domain || !*o->domain || th_str_eq(o->domain, "ai.onnx")) r->opset = o->version;
  }
  if (r->opset >= OLDEST_OPSET) return TH_OK;
  return th_fail(TH_ERR_INPUT, "%s: opset %lld; opsets %d and later are supported: convert the model to a newer one",
                 r->what, (long long)r->opset, OLDEST_OPSET);
}

static th_status read_constants(onnx_reader *r) {
  const Onnx__GraphProto *g = r->model->graph;
  if (g->n_sparse_initializer) return th_fail(TH_ERR_INPUT, "%s: sparse constants are not supported", r->what);
  for (size_t i = 0; i < g->n_initializer; i++) {
    const Onnx__TensorProto *t = g->initializer[i];
    if (!t->name || !*t->name) return th_fail(TH_ERR_INPUT, "%s: constant %zu has no name", r->what, i);
    onnx_value *v = th_onnx_value(r, t->name);
    if (!v) return TH_ERR_RESOURCE;
    if (v->kind != ONNX_UNSET) return th_fail(TH_ERR_INPUT, "%s: constant %.80s occurs twice", r->what, t->name);
    TH_TRY(th_onnx_tensor_read(r, t, t->name, v));
  }
  return TH_OK;
}

/* Names that must be there, and who reads what. */
static th_status look_through(onnx_reader *r) {
  const Onnx__GraphProto *g = r->model->graph;
  if (g->n_node > MOST_NODES || g->n_initializer > MOST_NODES || g->n_input > MOST_NODES)
    return th_fail(TH_ERR_INPUT, "%s: has %zu nodes and %zu constants, at most %d are supported", r->what, g->n_node,
                   g->n_initializer, MOST_NODES);
  for (size_t i = 0; i < g->n_node; i++) {
    const Onnx__NodeProto *p = g->node[i];
    if (!p->op_type) return th_fail(TH_ERR_INPUT, "%s: node %zu has no operator", r->what, i);
    for (size_t k = 0; k < p->n_attribute; k++)
      if (!p->attribute[k]->name)
        return th_fail(TH_ERR_INPUT, "%s: node %zu: attribute %zu has no name", r->what, i, k);
    for (size_t k = 0; k < p->n_input && k < ONNX_MAX_IN; k++) {
      onnx_value *v = *p->input[k] ? th_onnx_value(r, p->input[k]) : NULL;
      if (!v) continue;
      v->uses++;
      v->reader = (int)i;
    }
  }
  for (size_t i = 0; i < g->n_output; i++) {
    if (!g->output[i]->name) return th_fail(TH_ERR_INPUT, "%s: output %zu has no name", r->what, i);
    onnx_value *v = th_onnx_value(r, g->output[i]->name);
    if (!v) return TH_ERR_RESOURCE;
    v->uses++;
  }
  return TH_OK;
}

/* Nodes whose results nobody reads: exporters leave some, and views that turned out not to be needed are others. */
static th_status drop_unused(onnx_reader *r) {
  th_graph *g = r->g;
  int *uses = TH_ARRAY(r->arena, int, g->n_tensors + 1);
  if (!uses) return TH_ERR_RESOURCE;
  for (int i = 0; i < g->n_outputs; i++) uses[g->outputs[i]]++;
  for (int i = g->n_nodes - 1; i >= 0; i--) {
    th_node *n = &g->nodes[i];
    n->dead = uses[n->out[0]] == 0;
    for (int k = 0; k < n->n_in && !n->dead; k++)
      if (n->in[k] >= 0) uses[n->in[k]]++;
  }
  return th_graph_compact(g);
}

static th_status read_graph(onnx_reader *r) {
  const Onnx__GraphProto *g = r->model->graph;
  if (!g) return th_fail(TH_ERR_INPUT, "%s: holds no graph", r->what);
  TH_TRY(read_opset(r));
  TH_TRY(look_through(r));
  TH_TRY(read_constants(r));
  TH_TRY(th_onnx_inputs(r));
  r->done = TH_ARRAY(r->arena, bool, g->n_node + 1);
  if (!r->done) return TH_ERR_RESOURCE;
  for (size_t i = 0; i < g->n_node; i++) TH_TRY(read_node(r, (int)i));
  TH_TRY(th_onnx_outputs(r));
  TH_TRY(drop_unused(r));
  th_status status = th_graph_verify(r->g);
  if (status == TH_OK) status = th_op_infer_all(r->g);
  return status == TH_OK ? TH_OK : th_fail_in(status, "%s", r->what);
}

/* --- the file --- */

enum { FIELD_GRAPH = 7 }; /* of ModelProto */

bool th_read_onnx_probe(const uint8_t *data, size_t size) {
  return th_protobuf_probe(&onnx__model_proto__descriptor, data, size, FIELD_GRAPH);
}

static th_status read_model(onnx_reader *r, const uint8_t *data, size_t size) {
  void *model;
  TH_TRY(th_protobuf_unpack(&onnx__model_proto__descriptor, data, size, r->what, r->arena, &model));
  r->model = model;
  char *name = th_arena_strdup(r->arena, th_path_base(r->what));
  if (!name) return TH_ERR_RESOURCE;
  char *dot = strrchr(name, '.');
  if (dot && dot != name) *dot = 0;
  TH_TRY(th_graph_create(&r->g, name));
  return read_graph(r);
}

th_status th_read_onnx_bytes(const uint8_t *data, size_t size, const char *what, th_graph **graph) {
  onnx_reader r = {.what = what, .arena = th_arena_create(), .work = MOST_WORK};
  *graph = NULL;
  if (!r.arena) return TH_ERR_RESOURCE;
  const th_status status = read_model(&r, data, size);
  th_arena_destroy(r.arena);
  if (status == TH_OK)
    *graph = r.g;
  else
    th_graph_destroy(r.g);
  return status;
}
