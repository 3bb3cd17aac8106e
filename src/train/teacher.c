/* The teacher of distillation. See teacher.h. SPDX-License-Identifier: Apache-2.0 */
#include "train/teacher.h"

#include <string.h>

#include "eval/eval.h"
#include "train/net.h"

struct th_teacher {
  th_net *net;   /* float graphs */
  th_eval *eval; /* the others */
  const th_graph *graph;
  int tensor; /* the logits of an integer graph */
  float *logits;
  int outputs;
  int64_t input_elems;
};

static bool is_float(const th_graph *g) {
  for (int i = 0; i < g->n_nodes; i++) {
    const th_node *n = &g->nodes[i];
    for (int o = 0; o < n->n_out && !n->dead; o++)
      if (g->tensors[n->out[o]].dtype != TH_DTYPE_F32) return false;
  }
  return true;
}

/* What goes into the last softmax, or the output itself. */
static int find_logits(const th_graph *g) {
  int t = g->outputs[0];
  for (int n = th_graph_producer(g, t); n >= 0; n = th_graph_producer(g, t)) {
    th_op_id op = g->nodes[n].op;
    t = g->nodes[n].in[0];
    if (op == TH_OP_SOFTMAX) return t;
    if (op != TH_OP_QUANTIZE && op != TH_OP_DEQUANTIZE && op != TH_OP_RESHAPE) break;
  }
  return g->outputs[0];
}

static th_status check(const th_graph *g, int64_t input_elems, int outputs) {
  if (g->n_inputs != 1 || g->n_outputs != 1)
    return th_fail(TH_ERR_INPUT, "teacher %s: has %d inputs and %d outputs, expected one of each", g->name, g->n_inputs,
                   g->n_outputs);
  int64_t in = th_shape_elems(&g->tensors[g->inputs[0]].shape), out = th_shape_elems(&g->tensors[g->outputs[0]].shape);
  if (in != input_elems || out != outputs)
    return th_fail(TH_ERR_INPUT, "teacher %s: maps %lld values to %lld, the student %lld to %d", g->name, (long long)in,
                   (long long)out, (long long)input_elems, outputs);
  return TH_OK;
}

static th_status open_teacher(th_teacher *t, const th_graph *g, int batch) {
  if (is_float(g)) return th_net_create(g, NULL, batch, false, &t->net);
  t->tensor = find_logits(g);
  t->logits = th_alloc((size_t)batch * (size_t)t->outputs * sizeof *t->logits);
  if (!t->logits) return TH_ERR_RESOURCE;
  return th_eval_open(g, true, &t->eval);
}

th_status th_teacher_create(const th_graph *graph, int64_t input_elems, int outputs, int batch, th_teacher **teacher) {
  *teacher = NULL;
  TH_TRY(check(graph, input_elems, outputs));
  th_teacher *t = th_alloc(sizeof *t);
  if (!t) return TH_ERR_RESOURCE;
  t->graph = graph;
  t->outputs = outputs;
  t->input_elems = input_elems;
  th_status status = open_teacher(t, graph, batch);
  if (status != TH_OK) {
    th_teacher_destroy(t);
    return status;
  }
  *teacher = t;
  return TH_OK;
}

void th_teacher_destroy(th_teacher *t) {
  if (!t) return;
  th_net_destroy(t->net);
  th_eval_close(t->eval);
  th_free(t->logits);
  th_free(t);
}

th_status th_teacher_run(th_teacher *t, const float *x, int samples, const float **logits) {
  if (t->net) {
    memcpy(th_net_input(t->net), x, (size_t)samples * (size_t)t->input_elems * sizeof *x);
    TH_TRY(th_net_forward(t->net, samples, false, 0, 0));
    *logits = th_net_logits(t->net);
    return TH_OK;
  }
  TH_TRY(th_eval_run_f32(t->eval, samples, &x, &t->logits));
  const th_tensor *z = &t->graph->tensors[t->tensor];
  const void *values = th_eval_tensor(t->eval, t->tensor);
  int64_t n = (int64_t)samples * t->outputs;
  if (values && z->dtype == TH_DTYPE_F32)
    memcpy(t->logits, values, (size_t)n * sizeof *t->logits);
  else if (values && z->quant.count == 1)
    th_dequantize(values, z->dtype, n, z->quant.scale[0], z->quant.zero[0], t->logits);
  *logits = t->logits;
  return TH_OK;
}
