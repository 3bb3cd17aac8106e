/* The stages: what each command does to a model. See thimble/thimble.h.
 *
 * Every stage is a function from (graph, data, settings) to a changed graph; th_stage_run() measures around it. A new
 * graph is built beside the old one and swapped in at the end, so a failure leaves the model as it was.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/stages.h"

#include "lib/compile.h"
#include "lib/layout.h"
#include "lib/stage_job.h"
#include "lib/unit.h"
#include "op/op.h"
#include "pass/pass.h"

/* --- what stages share --- */

enum { MOST_SHARED = 64 }; /* values of a layer that count as clustered */

static th_status run_fit(th_stage_job *j, th_constraints *cs) {
  th_train_result result;
  j->fit.options.constraints = cs;
  return th_train_run(j->g, j->data->set, &j->fit.options, &result);
}

th_status th_stage_fit(th_stage_job *j, th_status (*add)(th_stage_job *, th_constraints *)) {
  th_constraints *cs;
  TH_TRY(th_constraints_create(j->g, &cs));
  th_status status = add(j, cs);
  if (status == TH_OK) status = run_fit(j, cs);
  th_constraints_destroy(cs);
  return status;
}

th_status th_stage_keep_zeros(th_stage_job *j, th_constraints *cs) {
  for (int i = 0; i < j->n_weights; i++) TH_TRY(th_constrain_zeros(j->g, &j->weights[i], cs));
  return TH_OK;
}

int th_stage_shared_values(const th_tensor *t) {
  const int n = th_weight_levels(t);
  return n <= MOST_SHARED ? n : 0;
}

th_status th_stage_keep_levels(th_stage_job *j, const th_weight *w, int distinct, th_constraints *cs) {
  const th_tensor *t = &j->g->tensors[w->tensor];
  th_codebook_options o = {.clusters = distinct,
                           .init = TH_CENTROID_KEEP,
                           .zero_pinned = w->is_pruned,
                           .lloyd_iterations = 0,
                           .channel_axis = t->quant.axis,
                           .keep_scales = t->quant.scale,
                           .grid_bits = 8};
  th_constraint *c;
  TH_TRY(th_codebook_create(&o, t->data, w->elems, &t->shape, &c));
  return th_constraints_add(cs, w->tensor, c);
}

th_status th_stage_activation_grids(th_stage_job *j, th_range range, th_constraints *cs) {
  for (int id = 0; id < j->g->n_tensors; id++) {
    const th_tensor *t = &j->g->tensors[id];
    if (t->dead || t->data || t->dtype != TH_DTYPE_F32 || t->quant.count != 1) continue;
    float scale = t->quant.scale[0];
    int32_t zero = t->quant.zero[0];
    th_grid_options o = {.bits = 8,
                         .channel_axis = -1,
                         .range = range,
                         .freeze_at = 0.7f,
                         .lo = scale * (float)(-128 - zero),
                         .hi = scale * (float)(127 - zero)};
    th_constraint *c;
    TH_TRY(th_grid_create(&o, NULL, 0, &t->shape, &c));
    TH_TRY(th_constraints_add_activation(cs, id, c));
  }
  return TH_OK;
}

th_status th_stage_passes(th_stage_job *j, const char *names) {
  th_pass_options o = {.ctx = j->ctx, .verify = true};
  TH_TRY(th_pass_run(j->g, names, &o));
  return th_weights_list(j->g, j->weights, &j->n_weights);
}

th_status th_stage_fold(th_stage_job *j) {
  return th_stage_passes(j, "drop_identity,fold_bn,fuse_activation,dead");
}

/* --- train, distill --- */

/* What was pruned stays zero, what was clustered keeps sharing its values. */
static th_status keep_promises(th_stage_job *j, th_constraints *cs) {
  TH_TRY(th_stage_keep_zeros(j, cs));
  for (int i = 0; i < j->n_weights; i++) {
    const int shared = th_stage_shared_values(&j->g->tensors[j->weights[i].tensor]);
    if (shared > 0) TH_TRY(th_stage_keep_levels(j, &j->weights[i], shared, cs));
  }
  return TH_OK;
}

static th_status run_train(th_stage_job *j) {
  return th_stage_fit(j, keep_promises);
}

static th_status check_distill(const th_stage_job *j) {
  if (*th_settings_text(j->s, "teacher")) return TH_OK;
  return th_fail(TH_ERR_USAGE, "no teacher is given (--teacher MODEL, in a recipe teacher: MODEL)");
}

/* --- compile --- */

static th_status check_compile(const th_stage_job *j) {
  return th_compile_check(j->s);
}

static th_status run_compile(th_stage_job *j) {
  (void)j;
  return th_fail(TH_ERR_USAGE, "compile: use th_compile()");
}

/* --- all --- */

static const struct {
  th_status (*check)(const th_stage_job *);
  th_status (*run)(th_stage_job *);
} stages[TH_STAGE_COUNT] = {
#define TH_STAGE(id, name, letter, check, run) {check, run},
#include "lib/stages.def"
#undef TH_STAGE
};

/* 1 where nothing is trained, or where the model or a teacher does more with its input than multiply it by weights. */
static float unit_of(const th_stage_job *j) {
  if (!th_stage_trains(j->s) || !th_unit_can(j->g)) return 1;
  for (int i = 0; i < j->fit.options.teachers; i++)
    if (!th_unit_can(j->fit.teacher[i]->graph)) return 1;
  return th_unit_of(j->data->set);
}

static th_status check_stage(const th_stage_job *j) {
  const th_stage_id id = th_settings_stage(j->s);
  return stages[id].check ? stages[id].check(j) : TH_OK;
}

th_status th_stage_check(const th_settings *settings, const th_graph *g) {
  th_stage_job *j = th_alloc(sizeof *j);
  if (!j) return TH_ERR_RESOURCE;
  j->s = settings;
  th_status status = th_graph_clone(g, &j->g);
  if (status == TH_OK) status = check_stage(j);
  th_graph_destroy(j->g);
  th_free(j);
  return status;
}

static th_status run_stage(th_stage_job *j) {
  TH_TRY(check_stage(j));
  TH_TRY(th_weights_list(j->g, j->weights, &j->n_weights));
  return stages[th_settings_stage(j->s)].run(j);
}

/* First weights that are yet to be drawn are drawn in the unit. */
static th_status run_in_unit(th_stage_job *j, bool untrained, float unit) {
  th_dataset set = th_unit_view(j->data->set, unit);
  const th_data view = {.set = &set}, *whole = j->data;
  for (int i = 0; i < j->fit.options.teachers; i++) TH_TRY(th_unit_apply(j->fit.teacher[i]->graph, unit));
  if (!untrained) TH_TRY(th_unit_apply(j->g, unit));
  j->data = &view;
  const th_status status = run_stage(j);
  j->data = whole;
  if (status == TH_OK || status == TH_ERR_INTERRUPTED) TH_TRY(th_unit_apply(j->g, 1 / unit));
  return status;
}

static th_status run_job(th_stage_job *j, bool untrained) {
  const float unit = unit_of(j);
  return unit == 1 ? run_stage(j) : run_in_unit(j, untrained, unit);
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
  return th_teaches_itself(s) ? th_model_need_trained(m, "a teacher of itself") : TH_OK;
}

th_status th_stage_apply(th_model *model, const th_data *data, const th_graph *self, const th_settings *settings,
                         const th_context *ctx) {
  const char *name = th_stage_name((int)th_settings_stage(settings));
  if (th_settings_stage(settings) == TH_STAGE_SWEEP)
    TH_TRY(th_model_need_integer(model, name));
  else
    TH_TRY(th_model_need_float(model, name));
  TH_TRY(check_trained(model, settings));
  TH_TRY(check_data(model, data));
  const th_port out = th_model_output(model, 0);
  th_layout_tell_few(ctx, data->set, (int)th_model_port_elems(&out));
  th_stage_job *j = th_alloc(sizeof *j);
  if (!j) return TH_ERR_RESOURCE;
  *j = (th_stage_job){.data = data, .s = settings, .ctx = ctx};
  th_status status = th_graph_clone(model->graph, &j->g);
  if (status == TH_OK && model->untrained) status = th_train_init(j->g, (uint64_t)th_settings_number(settings, "seed"));
  const th_own_teachers own = {.self = self ? self : model->graph, .before = model->graph};
  if (status == TH_OK) status = th_training_prepare(settings, data, &own, ctx, &j->fit);
  if (status == TH_OK) status = run_job(j, model->untrained);
  th_training_free(&j->fit);
  th_free(j->samples);
  if (status == TH_OK || status == TH_ERR_INTERRUPTED) {
    model->untrained = false;
    th_model_replace_graph(model, j->g);
  } else {
    th_graph_destroy(j->g);
  }
  th_free(j);
  return status;
}
