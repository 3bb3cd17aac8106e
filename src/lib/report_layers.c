/* A report's layers: work, bytes and shape of each, and its weights as histograms before and after.
 *
 * Layers are those of the last network; a layer's weights before are those of the layer of the same name in the network
 * as it came in, batch norm folded in as it is in the last. Zeros are counted apart, so that what was pruned does not
 * hide what is left. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "lib/report.h"
#include "op/op.h"
#include "pass/edit.h"
#include "pass/pass.h"

enum { BINS = 48, MOST_CENTROIDS = 64 };

/* Weights as real numbers. */
typedef struct reals {
  float *v;
  int64_t n;
} reals;

static float real_value(const th_tensor *t, int64_t i, int channel) {
  if (t->dtype == TH_DTYPE_F32) return ((const float *)t->data)[i];
  const int32_t q = t->dtype == TH_DTYPE_U8 ? ((const uint8_t *)t->data)[i] : ((const int8_t *)t->data)[i];
  return t->quant.scale[channel] * (float)(q - t->quant.zero[channel]);
}

static bool has_reals(const th_tensor *t) {
  if (!t || !t->data) return false;
  return t->dtype == TH_DTYPE_F32 || (th_dtype_bytes(t->dtype) == 1 && t->quant.count > 0);
}

static th_status reals_of(const th_tensor *t, th_arena *arena, reals *w) {
  *w = (reals){.n = th_shape_elems(&t->shape)};
  if (!(w->v = TH_ARRAY(arena, float, w->n))) return TH_ERR_RESOURCE;
  const bool per_channel = t->dtype != TH_DTYPE_F32 && t->quant.count > 1;
  const th_slices s = per_channel ? th_slices_of(&t->shape, t->quant.axis) : (th_slices){1, 1, w->n};
  for (int64_t i = 0; i < w->n; i++) w->v[i] = real_value(t, i, (int)(i / s.inner % s.dim));
  return TH_OK;
}

/* --- histograms --- */

typedef struct range {
  double lo, hi;
} range;

static void widen(range *r, const reals *w) {
  for (int64_t i = 0; i < w->n; i++) {
    const double v = (double)w->v[i];
    if (v == 0 || !isfinite(v)) continue;
    r->lo = fmin(r->lo, v);
    r->hi = fmax(r->hi, v);
  }
}

static void write_bins(const reals *w, range r, th_json *o) {
  int64_t bin[BINS] = {0}, zeros = 0;
  for (int64_t i = 0; i < w->n; i++) {
    const double v = (double)w->v[i];
    if (v == 0) {
      zeros++;
    } else if (isfinite(v)) {
      const int at = (int)((v - r.lo) / (r.hi - r.lo) * BINS);
      bin[at < BINS ? at : BINS - 1]++;
    }
  }
  th_json_add_int(o, "weights", w->n);
  th_json_add_int(o, "zeros", zeros);
  th_json *bins = th_json_add_array(o, "bins");
  for (int i = 0; i < BINS; i++) th_json_add_int(bins, NULL, bin[i]);
}

static int compare_floats(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* The values that the weights share, with how many have each; nothing when there are too many to be such. Sorts. */
static void write_centroids(const reals *w, th_json *o) {
  int64_t distinct = 0;
  qsort(w->v, (size_t)w->n, sizeof *w->v, compare_floats);
  for (int64_t i = 0; i < w->n; i++) distinct += i == 0 || w->v[i] != w->v[i - 1];
  if (distinct > MOST_CENTROIDS) return;
  th_json *list = th_json_add_array(o, "centroids");
  for (int64_t i = 0, k; i < w->n; i = k) {
    for (k = i; k < w->n && w->v[k] == w->v[i]; k++) continue;
    th_json *pair = th_json_add_array(list, NULL);
    th_json_add_number(pair, NULL, (double)w->v[i]);
    th_json_add_int(pair, NULL, k - i);
  }
}

static void write_histogram(const reals *before, const reals *after, th_json *layer) {
  range r = {INFINITY, -INFINITY};
  if (before->v) widen(&r, before);
  widen(&r, after);
  if (!(r.lo < r.hi)) r = isfinite(r.lo) ? (range){r.lo - 0.5, r.lo + 0.5} : (range){-1, 1};
  th_json *h = th_json_add_object(layer, "histogram");
  th_json_add_number(h, "lo", r.lo);
  th_json_add_number(h, "hi", r.hi);
  if (before->v) write_bins(before, r, th_json_add_object(h, "before"));
  write_bins(after, r, th_json_add_object(h, "after"));
  write_centroids(after, h);
}

/* --- what a step makes of a layer --- */

static void write_levels(const th_program_step *s, th_json *layer) {
  int64_t count[256] = {0};
  for (uint32_t i = 0; i < s->weight_count; i++) count[s->weights[i] + 128]++;
  th_json *levels = th_json_add_array(layer, "levels");
  for (int v = 0; v < 256; v++) {
    if (!count[v]) continue;
    th_json *pair = th_json_add_array(levels, NULL);
    th_json_add_int(pair, NULL, v - 128);
    th_json_add_int(pair, NULL, count[v]);
  }
}

static th_status write_step(const th_report_job *j, int i, th_json *layer) {
  const th_program_step *s = &j->blob.program->steps[i];
  const th_thim_step_bytes *b = &j->sections.steps[i];
  th_json_add_string(layer, "kernel", th_kernel_name(s->step.kernel));
  th_json_add_int(layer, "bytes", (int64_t)b->weights + b->table + b->bias + b->requant + b->constants + b->head);
  if (!s->weights) return TH_OK;
  th_json_add_string(layer, "coder", th_coder_name(b->coder));
  th_json_add_int(layer, "weight_bytes", b->weights);
  th_json_add_int(layer, "table_bytes", b->table);
  th_json_add_number(layer, "bits_per_weight", 8.0 * ((double)b->weights + b->table) / s->weight_count);
  write_levels(s, layer);
  return th_report_codes(layer, s, b->coder);
}

static int step_of_node(const th_report_job *j, int node) {
  for (int i = 0; j->deployed && i < j->blob.program->n_steps; i++)
    if (j->blob.program->steps[i].node == node) return i;
  return -1;
}

/* --- layers --- */

static const th_tensor *weights_of(const th_graph *g, const th_node *n) {
  const int input = th_op_weight_input(n->op);
  const th_tensor *t = input < 0 ? NULL : th_node_in(g, n, input);
  return has_reals(t) ? t : NULL;
}

static const th_tensor *weights_named(const th_graph *g, const char *layer) {
  for (int i = 0; g && i < g->n_nodes; i++)
    if (!g->nodes[i].dead && th_str_eq(g->nodes[i].name, layer) && weights_of(g, &g->nodes[i]))
      return weights_of(g, &g->nodes[i]);
  return NULL;
}

static th_status write_weights(th_report_job *j, const th_graph *before, const th_node *n, th_json *layer) {
  const th_tensor *now = weights_of(j->after->graph, n), *then = weights_named(before, n->name);
  reals a = {0}, b = {0};
  if (!now) return TH_OK;
  const th_arena_pos mark = th_arena_mark(j->arena);
  th_status status = reals_of(now, j->arena, &a);
  if (status == TH_OK && then) status = reals_of(then, j->arena, &b);
  if (status == TH_OK) {
    int64_t zeros = 0;
    for (int64_t i = 0; i < a.n; i++) zeros += a.v[i] == 0;
    th_json_add_int(layer, "weights", a.n);
    th_json_add_number(layer, "sparsity", a.n ? (double)zeros / (double)a.n : 0);
    write_histogram(&b, &a, layer);
  }
  th_arena_release(j->arena, mark);
  return status;
}

static th_status write_layer(th_report_job *j, const th_graph *before, int node, th_json *layers) {
  const th_graph *g = j->after->graph;
  const th_node *n = &g->nodes[node];
  const th_op_cost cost = th_op_get(n->op)->cost(g, n);
  const int step = step_of_node(j, node);
  char shape[TH_SHAPE_TEXT];
  th_json *layer = th_json_add_object(layers, NULL);
  th_json_add_string(layer, "name", n->name);
  th_json_add_string(layer, "op", th_op_name(n->op));
  th_json_add_string(layer, "shape", th_shape_text(&th_node_out(g, n, 0)->shape, shape));
  th_json_add_int(layer, "params", cost.params);
  th_json_add_int(layer, "macs", cost.macs);
  TH_TRY(write_weights(j, before, n, layer));
  return step >= 0 ? write_step(j, step, layer) : TH_OK;
}

/* A copy of the network as it came in, in the form that its layers have at the end. */
static th_status fold_before(const th_report_job *j, th_graph **graph) {
  static const th_pass_options options = {0};
  if (!j->before) return TH_OK;
  TH_TRY(th_graph_clone(j->before->graph, graph));
  return th_graph_is_float(*graph) ? th_pass_run(*graph, "drop_identity,fold_bn", &options) : TH_OK;
}

th_status th_report_layers(th_report_job *j) {
  th_graph *before = NULL;
  th_json *layers = th_json_add_array(j->page, "layers");
  th_status status = fold_before(j, &before);
  for (int i = 0; i < j->after->graph->n_nodes && status == TH_OK; i++)
    if (!j->after->graph->nodes[i].dead) status = write_layer(j, before, i, layers);
  th_graph_destroy(before);
  return status;
}
