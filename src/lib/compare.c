/* th_compare: two models on the same samples, layer by layer. See thimble/thimble.h.
 *
 * Which layers are the same is found in pairing.c. The error of a layer is that of b's values against a's, both as real
 * numbers: root mean square error relative to the root mean square of a's values, and the same as a signal-to-noise
 * ratio in decibels. The largest jump names the layer to look at. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "lib/data.h"
#include "lib/layout.h"
#include "lib/measure.h"
#include "lib/pairing.h"
#include "report/result.h"
#include "report/table.h"

#define BATCH 64

typedef struct pair {
  th_pair layers;
  double error, signal; /* sums of squares */
} pair;

static double relative_error(const pair *p) {
  return p->signal > 0 ? sqrt(p->error / p->signal) : 0;
}

typedef struct comparison {
  th_model *model[2];
  th_eval *eval[2];
  pair *pairs;
  th_pair *apart; /* layers that are not compared */
  int n_pairs, n_apart;
  int classes;
  int64_t right[2], agree, samples;
  float *real[2]; /* one tensor of a batch, dequantized */
} comparison;

static th_status match_layers(comparison *c, th_arena *arena) {
  const th_graph *a = c->model[0]->graph;
  int64_t largest = 1;
  int n;
  th_pair *found;
  TH_TRY(th_pair_layers(a, c->model[1]->graph, arena, &found, &n));
  c->pairs = TH_ARRAY(arena, pair, n + 1);
  c->apart = TH_ARRAY(arena, th_pair, n + 1);
  if (!c->pairs || !c->apart) return TH_ERR_RESOURCE;
  for (int i = 0; i < n; i++) {
    const int64_t elems = th_shape_elems(&a->tensors[found[i].a].shape);
    if (found[i].kind != TH_PAIR_SAME) {
      c->apart[c->n_apart++] = found[i];
      continue;
    }
    c->pairs[c->n_pairs++] = (pair){.layers = found[i]};
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
    const float *a = real_values(c, 0, q->layers.a, samples), *b = real_values(c, 1, q->layers.b, samples);
    if (!a || !b) continue;
    int64_t n = samples * th_shape_elems(&c->model[0]->graph->tensors[q->layers.a].shape);
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
    th_json_add_string(o, "name", q->layers.node->name);
    th_json_add_string(o, "op", th_op_name(q->layers.node->op));
    th_json_add_number(o, "relative_error", e);
    th_json_add_number(o, "snr_db", snr);
    th_table_cell(t, "%s", q->layers.node->name);
    th_table_cell(t, "%s", th_op_name(q->layers.node->op));
    th_table_cell(t, "%.4f", e);
    if (q->error > 0)
      th_table_cell(t, "%.1f", snr);
    else
      th_table_cell(t, "equal");
    th_table_cell(t, "%s", p == worst ? "<- largest step" : "");
  }
  th_table_print(t, &r->text);
  if (worst >= 0) th_json_add_string(r->json, "worst_layer", c->pairs[worst].layers.node->name);
}

static void write_names(const comparison *c, th_pair_kind kind, const char *why, th_result *r) {
  int n = 0;
  for (int i = 0; i < c->n_apart; i++)
    if (c->apart[i].kind == kind) {
      th_buf_printf(&r->text, "%s %s", n ? "," : why, c->apart[i].node->name);
      n++;
    }
  if (n) th_buf_printf(&r->text, "\n");
}

static void write_apart(const comparison *c, th_result *r) {
  th_json *names = th_json_add_array(r->json, "not_compared");
  for (int i = 0; i < c->n_apart; i++) th_json_add_string(names, NULL, c->apart[i].node->name);
  write_names(c, TH_PAIR_UNLIKE, "not compared, their shapes differ:", r);
  write_names(c, TH_PAIR_NONE, "not compared, no layer of the second model is surely the same:", r);
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
  write_apart(c, r);
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
