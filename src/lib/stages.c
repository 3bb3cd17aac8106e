/* The stages: what each command does to a model. See thimble/thimble.h.
 *
 * Every stage is a function from (graph, data, settings) to a changed graph; th_stage_run() measures around it. A new
 * graph is built beside the old one and swapped in at the end, so a failure leaves the model as it was.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/stages.h"

#include <string.h>

#include "base/str.h"
#include "lib/data.h"
#include "lib/fit.h"
#include "lib/layout.h"
#include "op/op.h"
#include "pass/calibrate.h"
#include "pass/pass.h"
#include "pass/prune_channels.h"
#include "pass/quantize.h"

typedef struct job {
  th_graph *g; /* being changed */
  const th_data *data;
  const th_settings *s;
  const th_context *ctx;
  th_fit fit;
  th_weight weights[TH_MAX_WEIGHTS];
  int n_weights;
} job;

static th_status run_fit(job *j, th_constraints *cs) {
  th_train_result result;
  j->fit.options.constraints = cs;
  return th_train_run(j->g, j->data->set, &j->fit.options, &result);
}

/* Runs a fit under constraints that `add` puts on; they end with it. */
static th_status run_constrained(job *j, th_status (*add)(job *, th_constraints *)) {
  th_constraints *cs;
  TH_TRY(th_constraints_create(j->g, &cs));
  th_status status = add(j, cs);
  if (status == TH_OK) status = run_fit(j, cs);
  th_constraints_destroy(cs);
  return status;
}

/* --- train, distill --- */

static th_status keep_zeros(job *j, th_constraints *cs) {
  for (int i = 0; i < j->n_weights; i++) TH_TRY(th_constrain_zeros(j->g, &j->weights[i], cs));
  return TH_OK;
}

static th_status stage_train(job *j) {
  return run_fit(j, NULL);
}

static th_status stage_distill(job *j) {
  if (!j->fit.teacher)
    return th_fail(TH_ERR_USAGE, "distill: no teacher is given (--teacher MODEL, in a recipe teacher: MODEL)");
  return run_constrained(j, keep_zeros);
}

/* --- prune --- */

/* Is `name` one of the comma-separated names? */
static bool in_list(const char *list, const char *name) {
  size_t n = strlen(name);
  while (*list) {
    size_t m = strcspn(list, ",");
    if (m == n && !memcmp(list, name, n)) return true;
    list += m + (list[m] == ',');
  }
  return false;
}

static th_status check_skip_list(const job *j, const char *list) {
  char name[128];
  while (*list) {
    size_t m = strcspn(list, ",");
    if (m >= sizeof name) return th_fail(TH_ERR_INPUT, "skip: the name %.40s... is too long", list);
    memcpy(name, list, m);
    name[m] = '\0';
    bool found = false;
    for (int i = 0; i < j->n_weights; i++) found = found || th_str_eq(j->g->nodes[j->weights[i].node].name, name);
    if (!found) return th_fail(TH_ERR_INPUT, "skip: the model has no layer \"%s\" with weights", name);
    list += m + (list[m] == ',');
  }
  return TH_OK;
}

static th_mask_options mask_options(const job *j, const th_weight *w) {
  th_mask_options o = {.sparsity = (float)th_settings_number(j->s, "sparsity"),
                       .schedule = (th_prune_schedule)th_settings_choice(j->s, "schedule"),
                       .begin = 0,
                       .end = (float)th_settings_number(j->s, "grow-until"),
                       .granularity = (th_granularity)th_settings_choice(j->s, "granularity"),
                       .block = (int)th_settings_number(j->s, "block"),
                       .channel_axis = w->axis,
                       .regrow = th_settings_flag(j->s, "regrow")};
  if (o.granularity == TH_GRANULARITY_N_M) {
    o.keep_of = o.block;
    o.block = (int)th_settings_number(j->s, "keep");
  }
  return o;
}

static th_status add_masks(job *j, th_constraints *cs) {
  th_constraint *masks[TH_MAX_WEIGHTS];
  int n = 0;
  const char *skip = th_settings_text(j->s, "skip");
  bool depthwise_too = th_settings_flag(j->s, "depthwise");
  for (int i = 0; i < j->n_weights; i++) {
    const th_weight *w = &j->weights[i];
    if (in_list(skip, j->g->nodes[w->node].name) || (w->is_depthwise && !depthwise_too)) {
      TH_TRY(th_constrain_zeros(j->g, w, cs));
      continue;
    }
    th_mask_options o = mask_options(j, w);
    TH_TRY(th_mask_create(&o, w->elems, &j->g->tensors[w->tensor].shape, &masks[n]));
    TH_TRY(th_constraints_add(cs, w->tensor, masks[n]));
    n++;
  }
  if (n == 0) return th_fail(TH_ERR_INPUT, "prune: no layer is left to prune");
  return th_settings_choice(j->s, "scope") == 1 ? th_mask_group(masks, n) : TH_OK;
}

/* Channels go at once and never come back, so the settings of growing masks would be ignored. */
static th_status check_channel_settings(const job *j) {
  static const char *const of_masks[] = {"schedule", "grow-until", "regrow", "depthwise", "block", "keep"};
  for (size_t i = 0; i < sizeof of_masks / sizeof *of_masks; i++)
    if (!th_settings_is_default(j->s, of_masks[i]))
      return th_fail(TH_ERR_USAGE, "prune: %s has no meaning with granularity channel", of_masks[i]);
  return TH_OK;
}

static th_status remove_channels(job *j, bool *skip) {
  const char *names = th_settings_text(j->s, "skip");
  for (int i = 0; i < j->n_weights; i++) {
    int node = j->weights[i].node;
    skip[node] = in_list(names, j->g->nodes[node].name);
  }
  th_prune_channels_options o = {.sparsity = (float)th_settings_number(j->s, "sparsity"),
                                 .global = th_settings_choice(j->s, "scope") == 1,
                                 .norm = TH_CHANNEL_L1,
                                 .min_channels = 1,
                                 .skip = skip};
  int removed;
  TH_TRY(th_prune_channels(j->g, &o, &removed));
  th_log(j->ctx, TH_LOG_INFO, "prune: %d channels removed", removed);
  return th_weights_list(j->g, j->weights, &j->n_weights);
}

static th_status prune_whole_channels(job *j) {
  TH_TRY(check_channel_settings(j));
  bool *skip = th_alloc((size_t)j->g->n_nodes * sizeof *skip);
  th_status status = skip ? remove_channels(j, skip) : TH_ERR_RESOURCE;
  th_free(skip);
  return status == TH_OK ? run_constrained(j, keep_zeros) : status;
}

static th_status stage_prune(job *j) {
  TH_TRY(check_skip_list(j, th_settings_text(j->s, "skip")));
  if (th_settings_choice(j->s, "granularity") == TH_GRANULARITY_CHANNEL) return prune_whole_channels(j);
  return run_constrained(j, add_masks);
}

/* --- cluster --- */

/* Weights are what runs on the device only once batch norm is folded into them. */
static th_status fold(job *j) {
  th_pass_options o = {.ctx = j->ctx, .verify = true};
  TH_TRY(th_pass_run(j->g, "drop_identity,fold_bn,fuse_activation,dead", &o));
  return th_weights_list(j->g, j->weights, &j->n_weights);
}

static th_status add_codebook(job *j, const th_weight *w, th_constraints *cs) {
  const th_tensor *t = &j->g->tensors[w->tensor];
  bool per_channel = th_settings_choice(j->s, "scope") == 1 && !w->is_dense;
  th_codebook_options o = {.clusters = (int)th_settings_number(j->s, "clusters"),
                           .init = (th_centroid_init)th_settings_choice(j->s, "init"),
                           .zero_pinned = w->sparsity >= 0.02,
                           .lloyd_iterations = 30,
                           .rate_lambda = (float)th_settings_number(j->s, "rate"),
                           .channel_axis = per_channel ? w->axis : -1,
                           .power_scales = true,
                           .grid_bits = 8,
                           .seed = j->fit.options.seed + (uint64_t)w->tensor};
  th_constraint *c;
  TH_TRY(th_codebook_create(&o, t->data, w->elems, &t->shape, &c));
  return th_constraints_add(cs, w->tensor, c);
}

static th_status add_codebooks(job *j, th_constraints *cs) {
  for (int i = 0; i < j->n_weights; i++) {
    TH_TRY(th_constrain_zeros(j->g, &j->weights[i], cs));
    TH_TRY(add_codebook(j, &j->weights[i], cs));
  }
  return TH_OK;
}

static th_status stage_cluster(job *j) {
  TH_TRY(fold(j));
  return run_constrained(j, add_codebooks);
}

/* --- quantize --- */

static th_status calibrate(job *j) {
  const th_dataset *set = j->data->set;
  int n = (int)th_settings_number(j->s, "samples");
  if (n > set->split[TH_SPLIT_TRAIN].count) n = set->split[TH_SPLIT_TRAIN].count;
  size_t elems = (size_t)th_dataset_sample_elems(set);
  float *x = th_alloc((size_t)n * elems * sizeof *x);
  int32_t *which = th_alloc((size_t)n * sizeof *which);
  th_status status = x && which ? TH_OK : TH_ERR_RESOURCE;
  if (status == TH_OK) {
    /* evenly spread over the split, so that a file sorted by class is no trap */
    for (int i = 0; i < n; i++) which[i] = (int32_t)((int64_t)i * set->split[TH_SPLIT_TRAIN].count / n);
    th_dataset_fetch(set, TH_SPLIT_TRAIN, which, n, NULL, 0, 0, x, NULL);
    th_calibrate_options o = {.ctx = j->ctx, .method = (th_calibration)th_settings_choice(j->s, "calibration")};
    const float *inputs[] = {x};
    status = th_calibrate(j->g, n, inputs, &o);
  }
  th_free(x);
  th_free(which);
  return status;
}

static th_status add_weight_grid(job *j, const th_weight *w, th_constraints *cs) {
  const th_tensor *t = &j->g->tensors[w->tensor];
  bool per_channel = !w->is_dense || th_settings_flag(j->s, "dense-channels");
  th_grid_options o = {.bits = 8,
                       .symmetric = true,
                       .channel_axis = per_channel ? w->axis : -1,
                       .range = (th_range)th_settings_choice(j->s, "range"),
                       .freeze_at = 0.7f};
  th_constraint *c;
  TH_TRY(th_grid_create(&o, t->data, w->elems, &t->shape, &c));
  return th_constraints_add(cs, w->tensor, c);
}

/* Clustered weights keep their number of values: a codebook that starts from them, on its own integer grid. */
static th_status add_kept_codebook(job *j, const th_weight *w, int distinct, th_constraints *cs) {
  const th_tensor *t = &j->g->tensors[w->tensor];
  th_codebook_options o = {.clusters = distinct,
                           .init = TH_CENTROID_KEEP,
                           .zero_pinned = w->sparsity >= 0.02,
                           .lloyd_iterations = 0,
                           .channel_axis = t->quant.axis,
                           .keep_scales = t->quant.scale,
                           .grid_bits = 8};
  th_constraint *c;
  TH_TRY(th_codebook_create(&o, t->data, w->elems, &t->shape, &c));
  return th_constraints_add(cs, w->tensor, c);
}

static th_status add_activation_grids(job *j, th_constraints *cs) {
  for (int id = 0; id < j->g->n_tensors; id++) {
    const th_tensor *t = &j->g->tensors[id];
    if (t->dead || t->data || t->dtype != TH_DTYPE_F32 || t->quant.count != 1) continue;
    float scale = t->quant.scale[0];
    int32_t zero = t->quant.zero[0];
    th_grid_options o = {.bits = 8,
                         .channel_axis = -1,
                         .range = (th_range)th_settings_choice(j->s, "range"),
                         .freeze_at = 0.7f,
                         .lo = scale * (float)(-128 - zero),
                         .hi = scale * (float)(127 - zero)};
    th_constraint *c;
    TH_TRY(th_grid_create(&o, NULL, 0, &t->shape, &c));
    TH_TRY(th_constraints_add_activation(cs, id, c));
  }
  return TH_OK;
}

static th_status add_qat(job *j, th_constraints *cs) {
  for (int i = 0; i < j->n_weights; i++) {
    const th_weight *w = &j->weights[i];
    TH_TRY(th_constrain_zeros(j->g, w, cs));
    int distinct = th_weight_levels(&j->g->tensors[w->tensor]);
    if (distinct > 0 && distinct <= 64)
      TH_TRY(add_kept_codebook(j, w, distinct, cs));
    else
      TH_TRY(add_weight_grid(j, w, cs));
  }
  return add_activation_grids(j, cs);
}

/* Checkpoint and resume are not among them: the callers set these for every stage. */
static void warn_of_unused_settings(const job *j) {
  static const char *const of_training[] = {
      "range",           "epochs",       "batch",       "optimizer", "lr",          "momentum",
      "nesterov",        "weight-decay", "lr-schedule", "warmup",    "step-epochs", "step-factor",
      "label-smoothing", "augment",      "keep-best",   "teacher",   "temperature", "alpha"};
  for (size_t i = 0; i < sizeof of_training / sizeof *of_training; i++)
    if (!th_settings_is_default(j->s, of_training[i]))
      th_log(j->ctx, TH_LOG_WARN, "quantize: %s is ignored: method ptq does not train", of_training[i]);
}

static th_status stage_quantize(job *j) {
  bool trains = th_settings_choice(j->s, "method") == 1;
  if (!trains) warn_of_unused_settings(j);
  TH_TRY(fold(j));
  TH_TRY(calibrate(j));
  if (trains) TH_TRY(run_constrained(j, add_qat));
  th_quantize_options o = {.weight_range = TH_WEIGHT_RANGE_MSE,
                           .per_channel_fc = th_settings_flag(j->s, "dense-channels"),
                           .bias_error = (float)th_settings_number(j->s, "bias-error"),
                           .few_scales = th_settings_flag(j->s, "few-scales")};
  return th_quantize(j->g, &o);
}

/* --- all --- */

static th_status run_job(job *j) {
  TH_TRY(th_weights_list(j->g, j->weights, &j->n_weights));
  switch (th_settings_stage(j->s)) {
    case TH_STAGE_TRAIN:
      return stage_train(j);
    case TH_STAGE_PRUNE:
      return stage_prune(j);
    case TH_STAGE_DISTILL:
      return stage_distill(j);
    case TH_STAGE_CLUSTER:
      return stage_cluster(j);
    case TH_STAGE_QUANTIZE:
      return stage_quantize(j);
    default:
      return th_fail(TH_ERR_USAGE, "compile: use th_compile()");
  }
}

static th_status check_data(const th_model *m, const th_data *data) {
  th_port in = th_model_input(m, 0);
  const th_tensor *t = &m->graph->tensors[m->graph->inputs[0]];
  if (m->graph->n_inputs != 1)
    return th_fail(TH_ERR_INPUT, "%s: %d inputs; training and calibration need a model with one", m->path,
                   m->graph->n_inputs);
  if (data->set->own)
    return th_fail(
        TH_ERR_INPUT,
        "%s: holds integers without scale=; to train or calibrate a float model give scale= and zero= of the "
        "data (scale=1: plain numbers)",
        data->set->name);
  if (!data->set->split[TH_SPLIT_TRAIN].count)
    return th_fail(TH_ERR_INPUT, "%s: has no training samples; test=0.2 keeps a part for tests and trains on the rest",
                   data->set->name);
  if (th_shape_elems(&t->shape) == th_dataset_sample_elems(data->set)) return th_layout_check(m, data->set);
  char shape[TH_SHAPE_TEXT];
  return th_fail(TH_ERR_INPUT, "%s: input %s is %s, samples of %s are %s", m->path, in.name, in.shape, data->set->name,
                 th_shape_text(&data->set->shape, shape));
}

/* An architecture text can be trained or taught, nothing else; and it cannot teach itself. */
static th_status check_trained(const th_model *m, const th_settings *s) {
  th_stage_id stage = th_settings_stage(s);
  if (!m->untrained) return TH_OK;
  if (stage != TH_STAGE_TRAIN && stage != TH_STAGE_DISTILL) return th_model_need_trained(m, th_stage_name((int)stage));
  return th_str_eq(th_settings_text(s, "teacher"), "self") ? th_model_need_trained(m, "teacher self") : TH_OK;
}

th_status th_stage_apply(th_model *model, const th_data *data, const th_graph *self, const th_settings *settings,
                         const th_context *ctx) {
  const char *name = th_stage_name((int)th_settings_stage(settings));
  TH_TRY(th_model_need_float(model, name));
  TH_TRY(check_trained(model, settings));
  TH_TRY(check_data(model, data));
  const th_port out = th_model_output(model, 0);
  th_layout_tell_few(ctx, data->set, (int)th_model_port_elems(&out));
  job *j = th_alloc(sizeof *j);
  if (!j) return TH_ERR_RESOURCE;
  *j = (job){.data = data, .s = settings, .ctx = ctx};
  th_status status = th_graph_clone(model->graph, &j->g);
  if (status == TH_OK && model->untrained) status = th_train_init(j->g, (uint64_t)th_settings_number(settings, "seed"));
  if (status == TH_OK) status = th_fit_prepare(settings, data, self ? self : model->graph, ctx, &j->fit);
  if (status == TH_OK) status = run_job(j);
  th_fit_free(&j->fit);
  if (status == TH_OK || status == TH_ERR_INTERRUPTED) {
    model->untrained = false;
    th_model_replace_graph(model, j->g);
  } else {
    th_graph_destroy(j->g);
  }
  th_free(j);
  return status;
}
