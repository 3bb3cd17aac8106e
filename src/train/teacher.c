/* The teacher of distillation. See teacher.h. SPDX-License-Identifier: Apache-2.0 */
#include "train/teacher.h"

#include <string.h>

#include "eval/eval.h"
#include "train/net.h"
#include "train/train.h"

typedef struct member {
  th_net *net;   /* float graphs */
  th_eval *eval; /* the others */
  const th_graph *graph;
  int tensor;    /* the logits of an integer graph */
  float *logits; /* of an integer graph */
} member;

struct th_teacher {
  member m[TH_MOST_TEACHERS];
  int count, outputs, batch;
  float *mean;             /* of several */
  float *memory, *answers; /* by sample, of a batch; NULL: nothing is remembered */
  bool *knows;             /* by sample */
  int64_t input_elems;
};

bool th_teacher_is_float(const th_graph *g) {
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

th_status th_teacher_check(const th_graph *g, int64_t input_elems, int outputs) {
  if (g->n_inputs != 1 || g->n_outputs != 1)
    return th_fail(TH_ERR_INPUT, "teacher %s: has %d inputs and %d outputs, expected one of each", g->name, g->n_inputs,
                   g->n_outputs);
  int64_t in = th_shape_elems(&g->tensors[g->inputs[0]].shape), out = th_shape_elems(&g->tensors[g->outputs[0]].shape);
  if (in != input_elems || out != outputs)
    return th_fail(TH_ERR_INPUT, "teacher %s: maps %lld values to %lld, the student %lld to %d", g->name, (long long)in,
                   (long long)out, (long long)input_elems, outputs);
  return TH_OK;
}

static th_status open_net(const th_graph *g, int batch, const th_match *match, th_net **net) {
  bool *kept = match ? th_alloc((size_t)g->n_tensors * sizeof *kept) : NULL;
  if (match && !kept) return TH_ERR_RESOURCE;
  for (int i = 0; match && i < match->n; i++) kept[match->pair[i].teacher] = true;
  const th_status status = th_net_create_keeping(g, NULL, batch, false, kept, net);
  th_free(kept);
  return status;
}

static th_status open_member(const th_teacher *t, member *m, const th_graph *g, int batch, const th_match *match) {
  TH_TRY(th_teacher_check(g, t->input_elems, t->outputs));
  m->graph = g;
  if (th_teacher_is_float(g)) return open_net(g, batch, match, &m->net);
  m->tensor = find_logits(g);
  m->logits = th_alloc((size_t)batch * (size_t)t->outputs * sizeof *m->logits);
  if (!m->logits) return TH_ERR_RESOURCE;
  return th_eval_open(g, true, &m->eval);
}

static th_status open_all(th_teacher *t, const th_graph *const *graphs, int batch, const th_match *match) {
  for (int i = 0; i < t->count; i++) TH_TRY(open_member(t, &t->m[i], graphs[i], batch, match));
  if (t->count > 1) t->mean = th_alloc((size_t)batch * (size_t)t->outputs * sizeof *t->mean);
  return t->count == 1 || t->mean ? TH_OK : TH_ERR_RESOURCE;
}

th_status th_teacher_create(const th_graph *const *graphs, int count, int64_t input_elems, int outputs, int batch,
                            const th_match *match, th_teacher **teacher) {
  *teacher = NULL;
  if (count > TH_MOST_TEACHERS) return th_fail(TH_ERR_USAGE, "%d teachers, at most %d can be", count, TH_MOST_TEACHERS);
  th_teacher *t = th_alloc(sizeof *t);
  if (!t) return TH_ERR_RESOURCE;
  t->outputs = outputs;
  t->batch = batch;
  t->input_elems = input_elems;
  t->count = count;
  th_status status = open_all(t, graphs, batch, match);
  if (status != TH_OK) {
    th_teacher_destroy(t);
    return status;
  }
  *teacher = t;
  return TH_OK;
}

void th_teacher_destroy(th_teacher *t) {
  if (!t) return;
  for (int i = 0; i < t->count; i++) {
    th_net_destroy(t->m[i].net);
    th_eval_close(t->m[i].eval);
    th_free(t->m[i].logits);
  }
  th_free(t->mean);
  th_free(t->memory);
  th_free(t->answers);
  th_free(t->knows);
  th_free(t);
}

static th_status run_member(const th_teacher *t, member *m, const float *x, int samples, const float **logits) {
  if (m->net) {
    memcpy(th_net_input(m->net), x, (size_t)samples * (size_t)t->input_elems * sizeof *x);
    TH_TRY(th_net_forward(m->net, samples, false, 0, 0));
    *logits = th_net_logits(m->net);
    return TH_OK;
  }
  TH_TRY(th_eval_run_f32(m->eval, samples, &x, &m->logits));
  const th_tensor *z = &m->graph->tensors[m->tensor];
  const void *values = th_eval_tensor(m->eval, m->tensor);
  int64_t n = (int64_t)samples * t->outputs;
  if (values && z->dtype == TH_DTYPE_F32)
    memcpy(m->logits, values, (size_t)n * sizeof *m->logits);
  else if (values && z->quant.count == 1)
    th_dequantize(values, z->dtype, n, z->quant.scale[0], z->quant.zero[0], m->logits);
  *logits = m->logits;
  return TH_OK;
}

th_status th_teacher_run(th_teacher *t, const float *x, int samples, const float **logits) {
  if (t->count == 1) return run_member(t, &t->m[0], x, samples, logits);
  const int64_t n = (int64_t)samples * t->outputs;
  memset(t->mean, 0, (size_t)n * sizeof *t->mean);
  for (int i = 0; i < t->count; i++) {
    const float *z;
    TH_TRY(run_member(t, &t->m[i], x, samples, &z));
    for (int64_t k = 0; k < n; k++) t->mean[k] += z[k] / (float)t->count;
  }
  *logits = t->mean;
  return TH_OK;
}

th_status th_teacher_remember(th_teacher *t, int samples) {
  const size_t outputs = (size_t)t->outputs;
  t->memory = th_alloc((size_t)samples * outputs * sizeof *t->memory);
  t->answers = th_alloc((size_t)t->batch * outputs * sizeof *t->answers);
  t->knows = th_alloc((size_t)samples * sizeof *t->knows);
  return t->memory && t->answers && t->knows ? TH_OK : TH_ERR_RESOURCE;
}

static bool knows_all(const th_teacher *t, const int32_t *which, int samples) {
  bool all = true;
  for (int i = 0; i < samples; i++) all &= t->knows[which[i]];
  return all;
}

th_status th_teacher_answer(th_teacher *t, const int32_t *which, const float *x, int samples, const float **logits) {
  const size_t outputs = (size_t)t->outputs, bytes = outputs * sizeof(float);
  if (!t->memory) return th_teacher_run(t, x, samples, logits);
  if (knows_all(t, which, samples)) {
    for (int i = 0; i < samples; i++)
      memcpy(t->answers + (size_t)i * outputs, t->memory + (size_t)which[i] * outputs, bytes);
    *logits = t->answers;
    return TH_OK;
  }
  TH_TRY(th_teacher_run(t, x, samples, logits));
  for (int i = 0; i < samples; i++) {
    memcpy(t->memory + (size_t)which[i] * outputs, *logits + (size_t)i * outputs, bytes);
    t->knows[which[i]] = true;
  }
  return TH_OK;
}

void th_teacher_aim(const th_teacher *t, th_match *match) {
  for (int i = 0; i < match->n; i++) match->pair[i].target = t->m[0].net->tensors[match->pair[i].teacher].seen;
}
