/* Stage quantize: ranges from samples, types of weights, then rounding after training or training that sees it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "base/str.h"
#include "lib/stage_job.h"
#include "pass/calibrate.h"

/* Training samples, evenly spread over the split, so that a file sorted by class is no trap. */
static th_status fetch_samples(th_stage_job *j) {
  const th_dataset *set = j->data->set;
  int n = (int)th_settings_number(j->s, "samples");
  if (n > set->split[TH_SPLIT_TRAIN].count) n = set->split[TH_SPLIT_TRAIN].count;
  int32_t *which = th_alloc((size_t)n * sizeof *which);
  j->samples = th_alloc((size_t)n * (size_t)th_dataset_sample_elems(set) * sizeof *j->samples);
  j->n_samples = n;
  const th_status status = which && j->samples ? TH_OK : TH_ERR_RESOURCE;
  if (status == TH_OK) {
    for (int i = 0; i < n; i++) which[i] = (int32_t)((int64_t)i * set->split[TH_SPLIT_TRAIN].count / n);
    th_dataset_fetch(set, TH_SPLIT_TRAIN, which, n, NULL, 0, 0, j->samples, NULL);
  }
  th_free(which);
  return status;
}

static th_dtype activation_type(const th_stage_job *j) {
  return th_settings_choice(j->s, "activations") == 1 ? TH_DTYPE_S16 : TH_DTYPE_S8;
}

static th_status calibrate(th_stage_job *j) {
  const th_calibrate_options o = {.ctx = j->ctx,
                                  .method = (th_calibration)th_settings_choice(j->s, "calibration"),
                                  .activation = activation_type(j)};
  const float *inputs[] = {j->samples};
  return th_calibrate(j->g, j->n_samples, inputs, &o);
}

/* --- values that another tool has clustered --- */

enum { MOST_SHARED = 64, LEAST_USES = 4 }; /* of a layer's distinct values; of each, on the average */

/* Whether few values make up the weights that are not zero; the largest magnitude. */
static bool shares_values(const th_tensor *t, int64_t n, float *largest) {
  float seen[MOST_SHARED];
  int64_t nonzero = 0;
  int distinct = 0;
  *largest = 0;
  for (int64_t i = 0; i < n; i++) {
    const float v = ((const float *)t->data)[i];
    int k = 0;
    if (v == 0) continue;
    while (k < distinct && seen[k] != v) k++;
    if (k == MOST_SHARED) return false;
    if (k == distinct) seen[distinct++] = v;
    *largest = fmaxf(*largest, fabsf(v));
    nonzero++;
  }
  return distinct > 0 && nonzero >= (int64_t)LEAST_USES * distinct;
}

/* One grid for the layer keeps equal values equal; a step per channel would tell them apart. */
static th_status put_on_grid(th_graph *g, int tensor, int64_t n, float largest) {
  const th_shape shape = g->tensors[tensor].shape;
  const float scale = largest / 127;
  float *w = th_alloc((size_t)n * sizeof *w);
  if (!w) return TH_ERR_RESOURCE;
  for (int64_t i = 0; i < n; i++) w[i] = scale * roundf(((const float *)g->tensors[tensor].data)[i] / scale);
  th_status status = th_graph_set_data(g, tensor, TH_DTYPE_F32, &shape, w);
  th_free(w);
  return status == TH_OK ? th_graph_set_quant(g, tensor, -1, 1, &scale, NULL) : status;
}

static th_status find_shared_values(th_stage_job *j) {
  for (int i = 0; i < j->n_weights; i++) {
    const th_weight *w = &j->weights[i];
    float largest;
    if (j->g->tensors[w->tensor].quant.count || !shares_values(&j->g->tensors[w->tensor], w->elems, &largest)) continue;
    TH_TRY(put_on_grid(j->g, w->tensor, w->elems, largest));
    th_log(j->ctx, TH_LOG_INFO, "quantize: %s keeps its few values", j->g->nodes[w->node].name);
  }
  return TH_OK;
}

/* --- types of weights --- */

static th_weight_type_id weight_type(void *user, const th_graph *g, int node) {
  const th_stage_job *j = user;
  char name[16];
  for (int i = 0; i < j->n_mixed; i++)
    if (th_str_eq(j->mixed[i].name, g->nodes[node].name)) return j->mixed[i].type;
  if (th_stage_of_layer(th_settings_text(j->s, "layers"), g->nodes[node].name, name, sizeof name))
    return th_weight_type_from_name(name);
  return (th_weight_type_id)th_settings_choice(j->s, "weights");
}

static th_status check_type(const char *value, size_t n) {
  char type[16] = "";
  if (n < sizeof type) memcpy(type, value, n);
  if (th_weight_type_from_name(type) < TH_WEIGHT_TYPE_COUNT) return TH_OK;
  return th_fail(TH_ERR_INPUT, "expected a type: int8, int4, int3, int2 or ternary");
}

static th_status add_weight_grid(th_stage_job *j, const th_weight *w, th_constraints *cs) {
  const th_tensor *t = &j->g->tensors[w->tensor];
  bool per_channel = w->is_depthwise || th_settings_flag(j->s, w->is_dense ? "dense-channels" : "conv-channels");
  const th_weight_type *type = th_weight_type_of(weight_type(j, j->g, w->node));
  th_grid_options o = {.bits = type->bits,
                       .symmetric = true,
                       .least = type->lo,
                       .channel_axis = per_channel ? w->axis : -1,
                       .range = (th_range)th_settings_choice(j->s, "range"),
                       .rate = (float)th_settings_number(j->s, "rate"),
                       .freeze_at = 0.7f};
  th_constraint *c;
  TH_TRY(th_grid_create(&o, t->data, w->elems, &t->shape, &c));
  return th_constraints_add(cs, w->tensor, c);
}

static th_status add_qat(th_stage_job *j, th_constraints *cs) {
  for (int i = 0; i < j->n_weights; i++) {
    const th_weight *w = &j->weights[i];
    TH_TRY(th_constrain_zeros(j->g, w, cs));
    const int shared = th_stage_shared_values(&j->g->tensors[w->tensor]);
    if (shared > 0)
      TH_TRY(th_stage_keep_levels(j, w, shared, cs));
    else
      TH_TRY(add_weight_grid(j, w, cs));
  }
  if (activation_type(j) != TH_DTYPE_S8) return TH_OK; /* 16 bits round nothing that counts */
  return th_stage_activation_grids(j, (th_range)th_settings_choice(j->s, "range"), cs);
}

/* Checkpoint and resume are not among them: the callers set these for every stage. */
static void warn_of_unused_settings(const th_stage_job *j) {
  static const char *const of_training[] = {
      "range",    "rate",         "epochs",      "batch",       "optimizer",   "lr",          "momentum",
      "nesterov", "weight-decay", "lr-schedule", "warmup",      "step-epochs", "step-factor", "label-smoothing",
      "augment",  "keep-best",    "teacher",     "temperature", "alpha",       "match",       "match-weight"};
  for (size_t i = 0; i < sizeof of_training / sizeof *of_training; i++)
    if (!th_settings_is_default(j->s, of_training[i]))
      th_log(j->ctx, TH_LOG_WARN, "quantize: %s is ignored: method ptq does not train", of_training[i]);
}

static void warn_of_unused_calibration(const th_stage_job *j) {
  if (activation_type(j) == TH_DTYPE_S16 && !th_settings_is_default(j->s, "calibration"))
    th_log(j->ctx, TH_LOG_WARN, "quantize: calibration is ignored: 16 bits hold the whole range");
}

/* Clustered layers: their few values are on a grid of 8 bits already. */
static void warn_of_kept_values(const th_stage_job *j) {
  static const char *const of_weights[] = {"weights", "layers", "mixed", "rounding", "equalize", "conv-channels"};
  int kept = 0;
  for (int i = 0; i < j->n_weights; i++) kept += j->g->tensors[j->weights[i].tensor].quant.count > 0;
  for (size_t i = 0; i < sizeof of_weights / sizeof *of_weights && kept > 0; i++)
    if (!th_settings_is_default(j->s, of_weights[i]))
      th_log(j->ctx, TH_LOG_WARN, "quantize: %s is ignored in %d clustered layers, which keep their values",
             of_weights[i], kept);
}

static bool any_small_type(const th_stage_job *j) {
  return j->n_mixed > 0 || th_settings_choice(j->s, "weights") != TH_WEIGHT_INT8 || *th_settings_text(j->s, "layers");
}

static th_round_options round_options(th_stage_job *j, const th_quantize_options *quantize) {
  return (th_round_options){.ctx = j->ctx,
                            .quantize = quantize,
                            .type = weight_type,
                            .user = j,
                            .rounding = (th_rounding)th_settings_choice(j->s, "rounding"),
                            .bias_correction = !th_stage_trains(j->s) && th_settings_flag(j->s, "bias-correction"),
                            .seed = j->fit.options.seed};
}

static void tell_types(const th_stage_job *j) {
  for (int i = 0; i < j->n_mixed; i++) {
    const th_mixed_layer *l = &j->mixed[i];
    th_log(j->ctx, TH_LOG_INFO, "mixed: %s %s, %lld bytes instead of %lld, changes the outputs by %.3g", l->name,
           th_weight_type_of(l->type)->name, (long long)l->as[l->type].bytes, (long long)l->as[TH_WEIGHT_INT8].bytes,
           sqrt(l->as[l->type].damage));
  }
}

static th_status check_mixed(const th_stage_job *j) {
  const char *budget = th_settings_text(j->s, "budget");
  const bool mixed = th_settings_flag(j->s, "mixed");
  long long bytes;
  if (!mixed && *budget) return th_fail(TH_ERR_USAGE, "budget has no meaning without mixed");
  if (!mixed) return TH_OK;
  if (any_small_type(j)) return th_fail(TH_ERR_USAGE, "mixed chooses the types; leave out weights and layers");
  if (!*budget) return th_fail(TH_ERR_USAGE, "mixed needs a budget, as --budget 12K");
  if (!th_str_size(budget, &bytes)) return th_fail(TH_ERR_USAGE, "budget: \"%s\" is no number of bytes", budget);
  return TH_OK;
}

static long long budget_of(const th_stage_job *j) {
  long long bytes = 0;
  th_str_size(th_settings_text(j->s, "budget"), &bytes); /* see check_mixed */
  return bytes;
}

/* The types are chosen by what each does after training, so that quantization-aware training begins with them. */
static th_status choose_types(th_stage_job *j, const th_quantize_options *quantize) {
  if (!th_settings_flag(j->s, "mixed")) return TH_OK;
  const th_round_options round = round_options(j, quantize);
  const th_mixed_options o = {.round = &round, .budget = budget_of(j)};
  const float *inputs[] = {j->samples};
  int n;
  int64_t bytes;
  TH_TRY(th_mixed_choose(j->g, j->n_samples, inputs, &o, j->mixed, &n, &bytes));
  j->n_mixed = n;
  tell_types(j);
  th_log(j->ctx, TH_LOG_INFO, "mixed: about %lld bytes once compiled, of %lld", (long long)bytes, o.budget);
  return TH_OK;
}

/* Training moves weights to values that may take longer codes than those which the choice has seen. */
static th_status warn_above_budget(const th_stage_job *j) {
  const th_encode_options coders = {0};
  const long long budget = budget_of(j);
  int64_t bytes;
  if (!th_settings_flag(j->s, "mixed")) return TH_OK;
  TH_TRY(th_mixed_bytes(j->g, &coders, &bytes));
  if (bytes > budget)
    th_log(j->ctx, TH_LOG_WARN, "mixed: %lld bytes once compiled, %lld more than the budget; try a budget of %lld",
           (long long)bytes, (long long)bytes - budget, budget - ((long long)bytes - budget));
  return TH_OK;
}

/* What quantization-aware training has settled stays; there is nothing to do for int8 to the nearest. */
static th_status round_weights(th_stage_job *j, const th_quantize_options *quantize) {
  const th_round_options o = round_options(j, quantize);
  if (o.rounding == TH_ROUNDING_NEAREST && !o.bias_correction && !any_small_type(j)) return TH_OK;
  const float *inputs[] = {j->samples};
  return th_round_weights(j->g, j->n_samples, inputs, &o);
}

/* Training may begin at the integers of least output error. They lose their grid, which it finds again and moves;
 * layers that came with one keep it. */
static th_status begin_rounded(th_stage_job *j, const th_quantize_options *quantize) {
  th_round_options o = round_options(j, quantize);
  bool had_grid[TH_MAX_WEIGHTS];
  const float *inputs[] = {j->samples};
  if (o.rounding == TH_ROUNDING_NEAREST) return TH_OK;
  o.bias_correction = th_settings_flag(j->s, "bias-correction");
  for (int i = 0; i < j->n_weights; i++) had_grid[i] = j->g->tensors[j->weights[i].tensor].quant.count > 0;
  TH_TRY(th_round_weights(j->g, j->n_samples, inputs, &o));
  for (int i = 0; i < j->n_weights; i++)
    if (!had_grid[i]) TH_TRY(th_graph_set_quant(j->g, j->weights[i].tensor, -1, 0, NULL, NULL));
  return th_weights_list(j->g, j->weights, &j->n_weights);
}

/* --- float16: nothing but rounding --- */

static bool wants_halves(const th_stage_job *j) {
  return th_settings_choice(j->s, "weights") == TH_WEIGHT_TYPE_COUNT; /* the choice behind the types of integers */
}

static th_status check_halves(const th_stage_job *j) {
  const bool is_float = th_settings_choice(j->s, "activations") == 2;
  if (!wants_halves(j) && is_float) return th_fail(TH_ERR_USAGE, "activations float go with weights float16 alone");
  if (!wants_halves(j)) return TH_OK;
  if (!is_float && !th_settings_is_default(j->s, "activations"))
    return th_fail(TH_ERR_USAGE, "weights float16 go with activations float alone");
  static const char *const of_integers[] = {"layers", "mixed", "rounding", "method", "equalize", "bias-correction"};
  for (size_t i = 0; i < sizeof of_integers / sizeof *of_integers; i++)
    if (!th_settings_is_default(j->s, of_integers[i]))
      return th_fail(TH_ERR_USAGE, "%s has no meaning with weights float16", of_integers[i]);
  return TH_OK;
}

static th_status halve(th_stage_job *j, const th_weight *w) {
  const th_tensor t = j->g->tensors[w->tensor];
  const float *from = t.data;
  float *to = th_alloc((size_t)w->elems * sizeof *to);
  th_status status = to ? TH_OK : TH_ERR_RESOURCE;
  for (int64_t i = 0; i < w->elems && status == TH_OK; i++) {
    to[i] = th_half_to_float(th_half_from_float(from[i]));
    if (!(fabsf(to[i]) <= TH_HALF_MOST))
      status = th_fail(TH_ERR_INPUT, "%s: a weight is %g, float16 goes to %g", t.name, (double)from[i],
                       (double)TH_HALF_MOST);
  }
  if (status == TH_OK) status = th_graph_set_data(j->g, w->tensor, TH_DTYPE_F32, &t.shape, to);
  j->g->tensors[w->tensor].quant = (th_quant){.axis = -1};
  th_free(to);
  return status;
}

static th_status halve_all(th_stage_job *j) {
  warn_of_unused_settings(j);
  TH_TRY(th_stage_fold(j));
  for (int i = 0; i < j->n_weights; i++) TH_TRY(halve(j, &j->weights[i]));
  return TH_OK;
}

th_status th_stage_quantize_check(const th_stage_job *j) {
  TH_TRY(check_halves(j));
  TH_TRY(th_stage_check_layers(j, check_type));
  return check_mixed(j);
}

th_status th_stage_quantize(th_stage_job *j) {
  if (wants_halves(j)) return halve_all(j);
  const bool trains = th_stage_trains(j->s);
  if (!trains) warn_of_unused_settings(j);
  TH_TRY(th_stage_fold(j));
  TH_TRY(find_shared_values(j));
  warn_of_unused_calibration(j);
  warn_of_kept_values(j);
  if (th_settings_flag(j->s, "equalize")) TH_TRY(th_stage_passes(j, "equalize"));
  TH_TRY(fetch_samples(j));
  const bool wide = activation_type(j) == TH_DTYPE_S16;
  const th_quantize_options o = {.activation = activation_type(j),
                                 .weight_range = TH_WEIGHT_RANGE_MSE,
                                 .per_layer_conv = !th_settings_flag(j->s, "conv-channels"),
                                 .per_channel_fc = th_settings_flag(j->s, "dense-channels"),
                                 .bias_error = (float)th_settings_number(j->s, "bias-error"),
                                 .few_scales = th_settings_flag(j->s, "few-scales")};
  if (!(trains && wide)) TH_TRY(calibrate(j));
  TH_TRY(choose_types(j, &o));
  if (trains) TH_TRY(begin_rounded(j, &o));
  if (trains) TH_TRY(th_stage_fit(j, add_qat));
  if (trains && wide) TH_TRY(calibrate(j)); /* its ranges are not trained, so they follow the weights */
  TH_TRY(round_weights(j, &o));
  TH_TRY(th_quantize(j->g, &o));
  return warn_above_budget(j);
}
