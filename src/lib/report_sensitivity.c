/* Sensitivity of layers, when no search has measured it: the network as it came in is quantized, without training, with
 * one layer's weights in fewer bits and all others in 8; what that loses on validation samples is the layer's.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "lib/data.h"
#include "lib/measure.h"
#include "lib/report.h"
#include "lib/stages.h"
#include "op/op.h"
#include "report/result.h"

enum { SAMPLES = 1000 };
static const char *const types[] = {"int4", "int2"}; /* of weights, each tried on every layer */

typedef struct probe {
  th_report_job *job;
  th_metric metric;
  double base; /* with 8 bits everywhere */
  th_json *list;
} probe;

static const char *metric_name(th_metric metric) {
  return metric == TH_METRIC_MSE ? "mse" : metric == TH_METRIC_AUC ? "auc" : "accuracy";
}

static th_status quantize(const probe *p, const char *layers, th_model *model) {
  th_settings *s;
  TH_TRY(th_settings_create("quantize", &s));
  th_status status = layers ? th_settings_set(s, "layers", layers) : TH_OK;
  if (status == TH_OK) status = th_stage_apply(model, p->job->data, NULL, s, p->job->ctx);
  th_settings_free(s);
  return status;
}

/* The metric on the validation split of a copy, quantized. `layers` as the setting of that name; NULL: none. */
static th_status value_with(probe *p, const char *layers, double *value) {
  th_model *copy;
  th_measure m = {0};
  TH_TRY(th_model_clone(p->job->before, &copy));
  th_status status = quantize(p, layers, copy);
  if (status == TH_OK) status = th_measure_run(copy, p->job->data, TH_ON_VALIDATION, SAMPLES, p->job->ctx, &m);
  th_model_close(copy);
  p->metric = m.metric;
  *value = m.metric == TH_METRIC_MSE ? m.mse : m.metric == TH_METRIC_AUC ? m.auc : m.accuracy;
  return status;
}

/* Points of accuracy or AUC, percent of a squared error; as `fit` counts them. */
static double drop_of(const probe *p, double value) {
  return p->metric == TH_METRIC_MSE ? 100 * (value / p->base - 1) : 100 * (p->base - value);
}

static th_status try_layer(probe *p, const char *layer, const char *type) {
  double value;
  const char *setting = th_arena_printf(p->job->arena, "%s=%s", layer, type);
  if (!setting) return TH_ERR_RESOURCE;
  TH_TRY(value_with(p, setting, &value));
  th_json *o = th_json_add_object(p->list, NULL);
  th_json_add_string(o, "layer", layer);
  th_json_add_string(o, "technique", "bits");
  th_json_add_string(o, "setting", type);
  th_json_add_number(o, metric_name(p->metric), value);
  th_json_add_number(o, "drop", drop_of(p, value));
  return TH_OK;
}

/* A layer with weights whose name can be said in a list of layers. */
static bool can_be_tried(const th_graph *g, const th_node *n) {
  const int input = th_op_weight_input(n->op);
  const th_tensor *w = n->dead || input < 0 ? NULL : th_node_in(g, n, input);
  return w && w->data && *n->name && !strpbrk(n->name, ",=");
}

static th_status try_layers(probe *p) {
  const th_graph *g = p->job->before->graph;
  for (int i = 0; i < g->n_nodes; i++)
    for (size_t k = 0; k < sizeof types / sizeof *types && can_be_tried(g, &g->nodes[i]); k++)
      TH_TRY(try_layer(p, g->nodes[i].name, types[k]));
  return TH_OK;
}

th_status th_report_sensitivity(th_report_job *j) {
  probe p = {.job = j};
  if (!j->before || !th_graph_is_float(j->before->graph) || !j->data->set->split[TH_SPLIT_VAL].count) return TH_OK;
  TH_TRY(value_with(&p, NULL, &p.base));
  th_json_add_string(j->measured, "metric", metric_name(p.metric));
  p.list = th_json_add_array(j->measured, "sensitivity");
  return try_layers(&p);
}
