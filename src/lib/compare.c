/* th_compare: two models on the same samples, layer by layer. See thimble/thimble.h.
 *
 * Layers are matched by tensor name, by the name of the node, or, where a file keeps no names, by their order. The
 * error of a layer is that of b's values against a's, both as real numbers: root mean square error relative to the root
 * mean square of a's values, and the same as a signal-to-noise ratio in decibels. The largest jump names the layer to
 * look at. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "lib/data.h"
#include "lib/layout.h"
#include "lib/measure.h"
#include "report/result.h"
#include "report/table.h"

#define BATCH 64

typedef struct pair {
  int a, b; /* tensors */
  const char *name, *op;
  double error, signal; /* sums of squares */
} pair;

static double relative_error(const pair *p) {
  return p->signal > 0 ? sqrt(p->error / p->signal) : 0;
}

typedef struct comparison {
  th_model *model[2];
  th_eval *eval[2];
  pair *pairs;
  const char **unlike; /* layers whose shapes differ */
  int n_pairs, n_unlike;
  int classes;
  int64_t right[2], agree, samples;
  float *real[2]; /* one tensor of a batch, dequantized */
} comparison;

static int node_named(const th_graph *g, const char *name) {
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead && th_str_eq(g->nodes[i].name, name)) return i;
  return -1;
}

static bool same_size(const th_graph *a, int in_a, const th_graph *b, int in_b) {
  if (in_b < 0 || b->tensors[in_b].data) return false;
  return th_shape_elems(&a->tensors[in_a].shape) == th_shape_elems(&b->tensors[in_b].shape);
}

/* What a node computes, seen through the activation, batch norm and dropout that one file keeps apart and another fuses
 * into the layer before. */
typedef struct layer_kind {
  const th_node *root; /* the node that does the work */
  int act;
} layer_kind;

static bool is_fusible(th_op_id op) {
  return op == TH_OP_RELU || op == TH_OP_RELU6 || op == TH_OP_BATCH_NORM || op == TH_OP_DROPOUT;
}

static layer_kind kind_of(const th_graph *g, const th_node *n) {
  layer_kind k = {n, n->attr[TH_ATTR_ACTIVATION].i};
  while (is_fusible(n->op)) {
    if (n->op == TH_OP_RELU) k.act = TH_ACT_RELU;
    if (n->op == TH_OP_RELU6) k.act = TH_ACT_RELU6;
    int before = th_graph_producer(g, n->in[0]);
    if (before < 0) break;
    n = &g->nodes[before];
    k.root = n;
    if (k.act == TH_ACT_NONE) k.act = n->attr[TH_ATTR_ACTIVATION].i;
  }
  return k;
}

/* Half a layer, in a file that keeps its parts apart: the rest follows and tells the same. */
static bool is_half(const th_graph *g, const th_node *n) {
  int user = th_graph_only_user(g, n->out[0]);
  return user >= 0 && is_fusible(g->nodes[user].op);
}

static bool can_stand_for(const th_graph *a, const th_node *node, const th_graph *b, int i) {
  const th_node *other = &b->nodes[i];
  if (other->dead || !same_size(a, node->out[0], b, other->out[0]) || is_half(b, other)) return false;
  layer_kind ka = kind_of(a, node), kb = kind_of(b, other);
  return ka.root->op == kb.root->op && ka.act == kb.act;
}

/* A node of b that has its own partner in a by name, or had one before its size changed. */
static bool is_named_in(const th_graph *a, const th_node *other) {
  const int i = node_named(a, other->name);
  return i >= 0 && !is_half(a, &a->nodes[i]);
}

/* The tensor of b that stands for the output of `node` in a, or -1. Names first; files that keep none are matched in
 * order, by what is computed and its size: *next is where the search in b goes on. */
static int partner(const th_graph *a, const th_graph *b, const th_node *node, int *next) {
  int tensor = node->out[0], id = th_graph_find_tensor(b, a->tensors[tensor].name);
  if (same_size(a, tensor, b, id)) return id;
  int other = node_named(b, node->name);
  if (other >= 0 && can_stand_for(a, node, b, other)) return b->nodes[other].out[0];
  for (int i = *next; i < b->n_nodes; i++) {
    if (!can_stand_for(a, node, b, i) || is_named_in(a, &b->nodes[i])) continue;
    *next = i + 1;
    return b->nodes[i].out[0];
  }
  return -1;
}

/* Whether b has a layer of this name, which then is of another size: channels of it are gone. */
static bool has_namesake(const th_graph *b, const th_graph *a, const th_node *node) {
  const int id = th_graph_find_tensor(b, a->tensors[node->out[0]].name);
  return (id >= 0 && !b->tensors[id].data) || node_named(b, node->name) >= 0;
}

static void add_pair(comparison *c, const th_node *node, int id) {
  const th_node *root = kind_of(c->model[0]->graph, node).root;
  c->pairs[c->n_pairs++] = (pair){.a = node->out[0], .b = id, .name = root->name, .op = th_op_name(root->op)};
}

static th_status match_layers(comparison *c, th_arena *arena) {
  const th_graph *a = c->model[0]->graph, *b = c->model[1]->graph;
  c->pairs = TH_ARRAY(arena, pair, a->n_nodes + 1);
  c->unlike = TH_ARRAY(arena, const char *, a->n_nodes + 1);
  if (!c->pairs || !c->unlike) return TH_ERR_RESOURCE;
  int64_t largest = 1;
  int next = 0;
  for (int i = 0; i < a->n_nodes; i++) {
    const th_node *n = &a->nodes[i];
    if (n->dead || is_half(a, n)) continue;
    const int id = partner(a, b, n, &next);
    if (id >= 0) add_pair(c, n, id);
    if (id < 0 && has_namesake(b, a, n)) c->unlike[c->n_unlike++] = kind_of(a, n).root->name;
    if (id < 0) continue;
    int64_t elems = th_shape_elems(&a->tensors[n->out[0]].shape);
    if (elems > largest) largest = elems;
  }
  for (int m = 0; m < 2; m++)
    if (!(c->real[m] = TH_ARRAY(arena, float, BATCH *largest))) return TH_ERR_RESOURCE;
  return TH_OK;
}

/* A tensor's values of the last run as real numbers; NULL when the run did not keep it. */
static const float *real_values(comparison *c, int m, int tensor, int samples) {
  const th_tensor *t = &c->model[m]->graph->tensors[tensor];
  const void *v = th_eval_tensor(c->eval[m], tensor);
  if (!v || t->dtype == TH_DTYPE_F32) return v;
  if (t->quant.count != 1) return NULL;
  th_dequantize(v, t->dtype, samples * th_shape_elems(&t->shape), t->quant.scale[0], t->quant.zero[0], c->real[m]);
  return c->real[m];
}

static void add_errors(comparison *c, int samples) {
  for (int p = 0; p < c->n_pairs; p++) {
    pair *q = &c->pairs[p];
    const float *a = real_values(c, 0, q->a, samples), *b = real_values(c, 1, q->b, samples);
    if (!a || !b) continue;
    int64_t n = samples * th_shape_elems(&c->model[0]->graph->tensors[q->a].shape);
    for (int64_t i = 0; i < n; i++) {
      double d = (double)b[i] - (double)a[i];
      q->error += d * d;
      q->signal += (double)a[i] * (double)a[i];
    }
  }
}

static void add_answers(comparison *c, int samples, const float *ya, const float *yb, const int32_t *label) {
  for (int i = 0; i < samples; i++) {
    int a = th_answer(ya + i * c->classes, c->classes), b = th_answer(yb + i * c->classes, c->classes);
    c->agree += a == b;
    c->right[0] += label && a == label[i];
    c->right[1] += label && b == label[i];
  }
  c->samples += samples;
}

static th_status run_all(comparison *c, const th_dataset *set, int count, const th_context *ctx, th_arena *arena) {
  int elems = th_dataset_sample_elems(set);
  float *x = TH_ARRAY(arena, float, BATCH *elems), *y[2];
  for (int m = 0; m < 2; m++)
    if (!(y[m] = TH_ARRAY(arena, float, BATCH * c->classes))) return TH_ERR_RESOURCE;
  int32_t *which = TH_ARRAY(arena, int32_t, BATCH), *label = TH_ARRAY(arena, int32_t, BATCH);
  if (!x || !which || !label) return TH_ERR_RESOURCE;
  for (int at = 0; at < count; at += BATCH) {
    int n = count - at < BATCH ? count - at : BATCH;
    for (int i = 0; i < n; i++) which[i] = at + i;
    th_dataset_fetch(set, TH_SPLIT_TEST, which, n, NULL, 0, 0, x, label);
    const float *in[] = {x};
    for (int m = 0; m < 2; m++) {
      float *out[] = {y[m]};
      TH_TRY(th_eval_run_f32(c->eval[m], n, in, out));
    }
    add_errors(c, n);
    add_answers(c, n, y[0], y[1], set->classes ? label : NULL);
    th_progress p = {.stage = "compare",
                     .done = at + n,
                     .total = count,
                     .unit = "samples",
                     .loss = NAN,
                     .accuracy = NAN,
                     .end = at + n == count};
    if (!th_progress_report(ctx, &p)) return th_fail(TH_ERR_INTERRUPTED, "interrupted after %d samples", at + n);
  }
  return TH_OK;
}

static void write_answers(const comparison *c, const th_dataset *set, th_result *r) {
  double n = (double)c->samples;
  th_json_add_int(r->json, "samples", c->samples);
  th_json_add_number(r->json, "agreement", (double)c->agree / n);
  th_buf_printf(&r->text, "%lld test samples, same answer on %.2f %%", (long long)c->samples,
                100 * (double)c->agree / n);
  if (set->classes) {
    double a = (double)c->right[0] / n, b = (double)c->right[1] / n;
    th_json_add_number(r->json, "accuracy_a", a);
    th_json_add_number(r->json, "accuracy_b", b);
    th_buf_printf(&r->text, "; accuracy %.2f %% and %.2f %% (%+.2f points)", 100 * a, 100 * b, 100 * (b - a));
  }
  th_buf_printf(&r->text, "\n\n");
}

/* The layer at which the relative error grows most. */
static int worst_jump(const comparison *c) {
  int worst = -1;
  double before = 0, largest = 0;
  for (int p = 0; p < c->n_pairs; p++) {
    double e = relative_error(&c->pairs[p]);
    if (e - before > largest) largest = e - before, worst = p;
    before = e;
  }
  return worst;
}

static void write_layers(const comparison *c, th_result *r) {
  th_table *t = th_table_create(r->arena, "<layer|<operator|relative error|SNR dB|");
  th_json *layers = th_json_add_array(r->json, "layers");
  int worst = worst_jump(c);
  for (int p = 0; p < c->n_pairs; p++) {
    const pair *q = &c->pairs[p];
    double e = relative_error(q), snr = q->error > 0 ? -20 * log10(e) : NAN;
    th_json *o = th_json_add_object(layers, NULL);
    th_json_add_string(o, "name", q->name);
    th_json_add_string(o, "op", q->op);
    th_json_add_number(o, "relative_error", e);
    th_json_add_number(o, "snr_db", snr);
    th_table_cell(t, "%s", q->name);
    th_table_cell(t, "%s", q->op);
    th_table_cell(t, "%.4f", e);
    if (q->error > 0)
      th_table_cell(t, "%.1f", snr);
    else
      th_table_cell(t, "equal");
    th_table_cell(t, "%s", p == worst ? "<- largest step" : "");
  }
  th_table_print(t, &r->text);
  if (worst >= 0) th_json_add_string(r->json, "worst_layer", c->pairs[worst].name);
}

static void write_unlike(const comparison *c, th_result *r) {
  th_json *names = th_json_add_array(r->json, "not_compared");
  if (c->n_unlike) th_buf_printf(&r->text, "not compared, their shapes differ:");
  for (int i = 0; i < c->n_unlike; i++) {
    th_json_add_string(names, NULL, c->unlike[i]);
    th_buf_printf(&r->text, "%s %s", i ? "," : "", c->unlike[i]);
  }
  if (c->n_unlike) th_buf_printf(&r->text, "\n");
}

/* Integers in a model's own quantization: of b when a does not take them. */
static th_status check_both(comparison *c, th_dataset *set) {
  bool own = set->own;
  set->own = false;
  for (int m = 0; m < 2; m++) TH_TRY(th_measure_check(c->model[m], set, &c->classes));
  set->own = own;
  if (!own) return TH_OK;
  th_port a = th_model_input(c->model[0], 0);
  int taker = th_dtype_from_name(a.dtype) == set->store[0].dtype ? 0 : 1;
  return th_measure_check(c->model[taker], set, &c->classes);
}

static th_status compare_into(comparison *c, th_dataset *set, int limit, const th_context *ctx, th_result *r) {
  int count = set->split[TH_SPLIT_TEST].count;
  if (limit > 0 && limit < count) count = limit;
  TH_TRY(check_both(c, set));
  th_layout_tell_few(ctx, set, c->classes);
  for (int m = 0; m < 2; m++) TH_TRY(th_eval_open(c->model[m]->graph, true, &c->eval[m]));
  th_port a = th_model_output(c->model[0], 0), b = th_model_output(c->model[1], 0);
  c->classes = (int)th_model_port_elems(&a);
  if (th_model_port_elems(&b) != c->classes)
    return th_fail(TH_ERR_INPUT, "outputs differ: %s of %s, %s of %s", a.shape, c->model[0]->path, b.shape,
                   c->model[1]->path);
  TH_TRY(match_layers(c, r->arena));
  TH_TRY(run_all(c, set, count, ctx, r->arena));
  write_answers(c, set, r);
  write_layers(c, r);
  write_unlike(c, r);
  return th_result_finish(r);
}

th_status th_compare(th_model *a, th_model *b, const th_data *data, int limit, const th_context *ctx,
                     th_result **result) {
  TH_TRY(th_model_need_graph(a, "compare"));
  TH_TRY(th_model_need_graph(b, "compare"));
  TH_TRY(th_model_need_trained(a, "compare"));
  TH_TRY(th_model_need_trained(b, "compare"));
  th_result *r;
  TH_TRY(th_result_create(&r));
  comparison c = {.model = {a, b}};
  th_status status = compare_into(&c, data->set, limit, ctx, r);
  th_eval_close(c.eval[0]);
  th_eval_close(c.eval[1]);
  return th_result_give(status, r, result);
}
