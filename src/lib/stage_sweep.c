/* Stage sweep: an integer model gives up bits for as little accuracy as possible.
 *
 * Round by round, the weights whose change costs the answers least (train/fisher.h) move to levels that take fewer bits
 * (sweep.h); the network learns for a while to live with it; then it is coded, by the real coders, and measured. A
 * round that makes it smaller within the allowed drop of the validation accuracy stands, any other is taken back and
 * the next one tries half as much. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "lib/rows.h"
#include "lib/stage_job.h"
#include "lib/sweep.h"
#include "pass/quantize.h"
#include "report/table.h"
#include "train/fisher.h"

#define LEAST_PART 0.004 /* of the bits: smaller steps are not worth a round */

typedef struct state { /* of a model: what counts */
  th_graph *graph;     /* integer */
  double score;        /* on the validation split: accuracy, AUC, or 1 - error / first error */
  int64_t bytes;
} state;

typedef struct sweep {
  th_stage_job *j;
  th_dtype activation;
  double first_error; /* mean squared, of models that are measured so */
  state best;
  double least; /* score */
} sweep;

/* --- measuring --- */

static th_status measure(sweep *s, state *m) {
  th_footprint f;
  th_measure r = {0};
  th_model *model;
  th_graph *copy;
  TH_TRY(th_footprint_of(m->graph, &th_rows_coded, &f));
  TH_TRY(th_graph_clone(m->graph, &copy));
  TH_TRY(th_model_from_graph(copy, "thim", &model));
  const th_status status = th_measure_run(model, s->j->data, TH_ON_VALIDATION, 0, s->j->ctx, &r);
  th_model_close(model);
  TH_TRY(status);
  if (r.metric == TH_METRIC_MSE && !(s->first_error > 0)) s->first_error = r.mse;
  m->bytes = f.bytes;
  m->score = r.metric == TH_METRIC_MSE ? 1 - r.mse / s->first_error : r.metric == TH_METRIC_AUC ? r.auc : r.accuracy;
  return TH_OK;
}

/* --- one round --- */

static int levels_bits(const int8_t *q, int64_t n) {
  int most = 1, bits = 2;
  for (int64_t i = 0; i < n; i++) {
    const int magnitude = q[i] < 0 ? -q[i] : q[i];
    if (magnitude > most) most = magnitude;
  }
  while ((1 << (bits - 1)) - 1 < most && bits < 8) bits++;
  return bits;
}

static float scale_of(const th_tensor *t, int64_t i) {
  int64_t inner = 1;
  if (t->quant.count == 1) return t->quant.scale[0];
  for (int d = t->quant.axis + 1; d < t->shape.rank; d++) inner *= t->shape.dim[d];
  return t->quant.scale[i / inner % t->shape.dim[t->quant.axis]];
}

static void read_levels(const th_tensor *t, int64_t n, int8_t *q) {
  const float *w = t->data;
  for (int64_t i = 0; i < n; i++) q[i] = (int8_t)lrintf(w[i] / scale_of(t, i));
}

/* Values that share few levels keep them; others keep their grid, and move on it. */
static th_status add_weight(th_stage_job *j, const th_weight *w, th_constraints *cs) {
  const th_tensor *t = &j->g->tensors[w->tensor];
  TH_TRY(th_constrain_zeros(j->g, w, cs));
  int8_t *q = th_alloc((size_t)w->elems);
  if (!q) return TH_ERR_RESOURCE;
  read_levels(t, w->elems, q);
  const int bits = levels_bits(q, w->elems), shared = th_stage_shared_values(t);
  th_free(q);
  if (bits > 4 && shared > 0) return th_stage_keep_levels(j, w, shared, cs);
  th_grid_options o = {.bits = bits,
                       .symmetric = true,
                       .channel_axis = t->quant.count > 1 ? t->quant.axis : -1,
                       .range = TH_RANGE_LEARNED,
                       .begin = t->quant.scale,
                       .freeze_at = 0.7f};
  th_constraint *c;
  TH_TRY(th_grid_create(&o, t->data, w->elems, &t->shape, &c));
  return th_constraints_add(cs, w->tensor, c);
}

static th_status add_grids(th_stage_job *j, th_constraints *cs) {
  for (int i = 0; i < j->n_weights; i++) TH_TRY(add_weight(j, &j->weights[i], cs));
  return th_stage_activation_grids(j, TH_RANGE_LEARNED, cs);
}

static th_status find_prices(sweep *s, th_arena *arena, th_sweep_tensor *tensors) {
  th_stage_job *j = s->j;
  th_constraints *cs;
  float **fisher = TH_ARRAY(arena, float *, j->g->n_tensors);
  if (!fisher) return TH_ERR_RESOURCE;
  for (int i = 0; i < j->n_weights; i++) fisher[j->weights[i].tensor] = tensors[i].price;
  th_fisher_options o = {.ctx = j->ctx,
                         .samples = (int)th_settings_number(j->s, "samples"),
                         .temperature = (float)th_settings_number(j->s, "temperature"),
                         .seed = j->fit.options.seed};
  TH_TRY(th_constraints_create(j->g, &cs));
  o.constraints = cs;
  th_status status = th_stage_activation_grids(j, TH_RANGE_LEARNED, cs);
  if (status == TH_OK) status = th_fisher_run(j->g, j->data->set, &o, fisher);
  th_constraints_destroy(cs);
  for (int i = 0; i < j->n_weights && status == TH_OK; i++)
    for (int64_t k = 0; k < tensors[i].n; k++) {
      const float step = scale_of(&j->g->tensors[j->weights[i].tensor], k);
      tensors[i].price[k] *= 0.5f * step * step;
    }
  return status;
}

static th_status write_levels(th_stage_job *j, th_arena *arena, const th_weight *w, const int8_t *q) {
  const th_tensor t = j->g->tensors[w->tensor];
  float *v = TH_ARRAY(arena, float, w->elems);
  if (!v) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < w->elems; i++) v[i] = scale_of(&t, i) * (float)q[i];
  return th_graph_set_data(j->g, w->tensor, TH_DTYPE_F32, &t.shape, v); /* the grid stays */
}

/* How the coder will see the tensor; unknown where the program stores it in another order. */
static th_weight_form form_of(const th_tensor *t, const th_weight *w) {
  const th_shape *s = &t->shape;
  if (w->axis != 0) return (th_weight_form){0};
  th_weight_form form = {.row = (uint32_t)(w->elems / s->dim[0])};
  if (s->rank == 4) {
    form.line = (uint32_t)s->dim[2];
    form.depth = (uint32_t)s->dim[3];
  }
  return form;
}

static th_status change_levels(sweep *s, double part, th_sweep_outcome *outcome) {
  th_stage_job *j = s->j;
  th_arena *arena = th_arena_create();
  th_sweep_tensor *tensors = arena ? TH_ARRAY(arena, th_sweep_tensor, j->n_weights + 1) : NULL;
  th_status status = tensors ? TH_OK : TH_ERR_RESOURCE;
  for (int i = 0; i < j->n_weights && status == TH_OK; i++) {
    const th_weight *w = &j->weights[i];
    tensors[i] = (th_sweep_tensor){.n = w->elems, .form = form_of(&j->g->tensors[w->tensor], w)};
    tensors[i].q = TH_ARRAY(arena, int8_t, w->elems);
    tensors[i].price = TH_ARRAY(arena, float, w->elems);
    if (!tensors[i].q || !tensors[i].price) status = TH_ERR_RESOURCE;
    if (status == TH_OK) read_levels(&j->g->tensors[w->tensor], w->elems, tensors[i].q);
  }
  if (status == TH_OK) status = find_prices(s, arena, tensors);
  if (status == TH_OK) status = th_sweep_choose(tensors, j->n_weights, part, outcome);
  for (int i = 0; i < j->n_weights && status == TH_OK; i++)
    status = write_levels(j, arena, &j->weights[i], tensors[i].q);
  th_arena_destroy(arena);
  return status;
}

/* The best so far, as floats, into the job. */
static th_status begin_round(sweep *s) {
  th_graph_destroy(s->j->g);
  s->j->g = NULL;
  TH_TRY(th_graph_clone(s->best.graph, &s->j->g));
  return th_stage_passes(s->j, "unquantize");
}

static th_status to_integers(sweep *s, th_graph **graph) {
  const th_quantize_options o = {.activation = s->activation,
                                 .weight_range = TH_WEIGHT_RANGE_MSE,
                                 .bias_error = (float)th_settings_number(s->j->s, "bias-error"),
                                 .coded_biases = true};
  TH_TRY(th_stage_passes(s->j, "dead"));
  TH_TRY(th_graph_clone(s->j->g, graph));
  return th_quantize(*graph, &o);
}

static th_status run_round(sweep *s, double part, state *trial, th_sweep_outcome *outcome) {
  TH_TRY(begin_round(s));
  TH_TRY(change_levels(s, part, outcome));
  if (s->j->fit.options.epochs > 0) TH_TRY(th_stage_fit(s->j, add_grids));
  TH_TRY(to_integers(s, &trial->graph));
  return measure(s, trial);
}

/* --- all rounds --- */

static void tell(const sweep *s, int round, const state *trial, const th_sweep_outcome *o, bool kept) {
  char bytes[32];
  th_log(s->j->ctx, TH_LOG_INFO, "sweep round %d: %lld weights change, %s bytes, validation %.2f %%%s", round,
         (long long)o->changed, th_thousands(bytes, trial->bytes), 100 * trial->score, kept ? "" : ", not kept");
}

static th_status next_round(sweep *s, int round, double *part) {
  state trial = {0};
  th_sweep_outcome outcome;
  const th_status status = run_round(s, *part, &trial, &outcome);
  const bool kept = status == TH_OK && trial.score >= s->least && trial.bytes < s->best.bytes;
  if (status == TH_OK) tell(s, round, &trial, &outcome, kept);
  if (!kept) *part *= 0.5;
  if (kept) {
    th_graph_destroy(s->best.graph);
    s->best = trial;
  } else {
    th_graph_destroy(trial.graph);
  }
  return status;
}

static th_status run_rounds(sweep *s) {
  const int rounds = (int)th_settings_number(s->j->s, "rounds");
  double part = th_settings_number(s->j->s, "step");
  TH_TRY(measure(s, &s->best));
  s->least = s->best.score - th_settings_number(s->j->s, "max-drop") / 100;
  for (int i = 0; i < rounds && part >= LEAST_PART; i++) TH_TRY(next_round(s, i + 1, &part));
  return TH_OK;
}

static th_dtype activations_of(const th_graph *g) {
  for (int t = 0; t < g->n_tensors; t++)
    if (!g->tensors[t].data && g->tensors[t].dtype == TH_DTYPE_S16) return TH_DTYPE_S16;
  return TH_DTYPE_S8;
}

th_status th_stage_sweep(th_stage_job *j) {
  sweep s = {.j = j, .activation = activations_of(j->g)};
  if (!j->data->set->split[TH_SPLIT_VAL].count)
    return th_fail(TH_ERR_INPUT, "%s: has no validation samples, by which sweep decides; give val=0.1",
                   j->data->set->name);
  s.best.graph = j->g;
  j->g = NULL;
  const th_status status = run_rounds(&s);
  th_graph_destroy(j->g);
  j->g = s.best.graph;
  return status;
}
