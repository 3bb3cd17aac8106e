/* Stage prune: masks that grow while training, or channels that disappear before it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "lib/stage_job.h"
#include "pass/prune_channels.h"

enum { SCOPE_LAYER, SCOPE_GLOBAL, SCOPE_DEVIATION }; /* choices of scope */
enum { CHANNEL = TH_GRANULARITY_N_M + 1, CHOICES };  /* of granularity: those of masks, and what is none */

/* --- what settings say together --- */

/* Settings beside others that leave them nothing to say. N:M says itself how many weights go, at once and in every
 * layer; channels go at once and never come back. */
static th_status check_meaning(const th_stage_job *j) {
  static const char *const without_meaning[CHOICES][8] = {
      [TH_GRANULARITY_ELEMENT] = {"block", "keep"},
      [TH_GRANULARITY_BLOCK] = {"keep", "regrow"},
      [TH_GRANULARITY_N_M] = {"sparsity", "schedule", "grow-until", "regrow", "scope", "layers"},
      [CHANNEL] = {"schedule", "grow-until", "regrow", "depthwise", "block", "keep", "layers"}};
  const char *const *name = without_meaning[th_settings_choice(j->s, "granularity")];
  for (; *name; name++)
    if (!th_settings_is_default(j->s, *name))
      return th_fail(TH_ERR_USAGE, "%s has no meaning with granularity %s", *name,
                     th_settings_text(j->s, "granularity"));
  if (th_settings_choice(j->s, "schedule") == TH_PRUNE_CONSTANT && !th_settings_is_default(j->s, "grow-until"))
    return th_fail(TH_ERR_USAGE, "grow-until has no meaning with schedule constant");
  return TH_OK;
}

static th_status check_skipped(const th_stage_job *j) {
  const char *list = th_settings_text(j->s, "skip"), *part;
  size_t n;
  while ((part = th_str_part(&list, &n)) != NULL) TH_TRY(th_stage_need_layer(j, "skip", part, n));
  return TH_OK;
}

static th_status check_one_sparsity(const char *value, size_t length) {
  return th_stage_check_number(value, length, 0, 0.9999, false);
}

static th_status check_pattern(const th_stage_job *j) {
  const int keep = (int)th_settings_number(j->s, "keep"), of = (int)th_settings_number(j->s, "block");
  if (th_settings_choice(j->s, "granularity") != TH_GRANULARITY_N_M || keep <= of) return TH_OK;
  return th_fail(TH_ERR_USAGE, "keep %d of a block of %d", keep, of);
}

th_status th_stage_prune_check(const th_stage_job *j) {
  TH_TRY(check_meaning(j));
  TH_TRY(check_pattern(j));
  TH_TRY(check_skipped(j));
  return th_stage_check_layers(j, check_one_sparsity);
}

/* --- masks --- */

static th_mask_options mask_options(const th_stage_job *j, const th_weight *w) {
  th_mask_options o = {.sparsity = (float)th_stage_number_of_layer(j, w->node, th_settings_number(j->s, "sparsity")),
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

static bool has_own_sparsity(const th_stage_job *j, const th_weight *w) {
  char number[32];
  return th_stage_of_layer(th_settings_text(j->s, "layers"), j->g->nodes[w->node].name, number, sizeof number);
}

/* One threshold over the layers of a scope would spread what they lose among them: a layer with a sparsity of its own
 * has a threshold of its own. */
static th_status add_masks(th_stage_job *j, th_constraints *cs) {
  th_constraint *in_scope[TH_MAX_WEIGHTS], *mask;
  int n = 0, n_in_scope = 0;
  const char *skip = th_settings_text(j->s, "skip");
  bool depthwise_too = th_settings_flag(j->s, "depthwise");
  for (int i = 0; i < j->n_weights; i++) {
    const th_weight *w = &j->weights[i];
    if (th_str_in_list(skip, j->g->nodes[w->node].name) || (w->is_depthwise && !depthwise_too)) {
      TH_TRY(th_constrain_zeros(j->g, w, cs));
      continue;
    }
    th_mask_options o = mask_options(j, w);
    TH_TRY(th_mask_create(&o, w->elems, &j->g->tensors[w->tensor].shape, &mask));
    TH_TRY(th_constraints_add(cs, w->tensor, mask));
    if (!has_own_sparsity(j, w)) in_scope[n_in_scope++] = mask;
    n++;
  }
  if (n == 0) return th_fail(TH_ERR_INPUT, "no layer is left to prune");
  const int scope = th_settings_choice(j->s, "scope");
  const bool is_counted = th_settings_choice(j->s, "granularity") == TH_GRANULARITY_N_M; /* in every block alike */
  if (scope == SCOPE_LAYER || is_counted) return TH_OK;
  return th_mask_group(in_scope, n_in_scope, scope == SCOPE_DEVIATION);
}

/* --- channels --- */

static th_status remove_channels(th_stage_job *j, bool *skip) {
  const char *names = th_settings_text(j->s, "skip");
  for (int i = 0; i < j->n_weights; i++) {
    int node = j->weights[i].node;
    skip[node] = th_str_in_list(names, j->g->nodes[node].name);
  }
  th_prune_channels_options o = {.sparsity = (float)th_settings_number(j->s, "sparsity"),
                                 .global = th_settings_choice(j->s, "scope") != SCOPE_LAYER,
                                 .skip = skip};
  int removed;
  TH_TRY(th_prune_channels(j->g, &o, &removed));
  th_log(j->ctx, TH_LOG_INFO, "prune: %d channels removed", removed);
  return th_weights_list(j->g, j->weights, &j->n_weights);
}

static th_status prune_whole_channels(th_stage_job *j) {
  bool *skip = th_alloc((size_t)j->g->n_nodes * sizeof *skip);
  th_status status = skip ? remove_channels(j, skip) : TH_ERR_RESOURCE;
  th_free(skip);
  return status == TH_OK ? th_stage_fit(j, th_stage_keep_zeros) : status;
}

th_status th_stage_prune(th_stage_job *j) {
  if (th_settings_choice(j->s, "granularity") == CHANNEL) return prune_whole_channels(j);
  return th_stage_fit(j, add_masks);
}
