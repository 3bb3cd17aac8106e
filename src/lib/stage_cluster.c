/* Stage cluster: a codebook per layer, on weights with batch norm folded in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/stage_job.h"

static th_status add_codebook(th_stage_job *j, const th_weight *w, th_constraints *cs) {
  const th_tensor *t = &j->g->tensors[w->tensor];
  bool per_channel = th_settings_choice(j->s, "scope") == 1 && !w->is_dense;
  th_codebook_options o = {.clusters = (int)th_stage_number_of_layer(j, w->node, th_settings_number(j->s, "clusters")),
                           .init = (th_centroid_init)th_settings_choice(j->s, "init"),
                           .zero_pinned = w->is_pruned,
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

static th_status add_codebooks(th_stage_job *j, th_constraints *cs) {
  for (int i = 0; i < j->n_weights; i++) {
    TH_TRY(th_constrain_zeros(j->g, &j->weights[i], cs));
    TH_TRY(add_codebook(j, &j->weights[i], cs));
  }
  return TH_OK;
}

static th_status check_clusters(const char *value, size_t length) {
  return th_stage_check_number(value, length, 2, 256, true);
}

th_status th_stage_cluster_check(const th_stage_job *j) {
  return th_stage_check_layers(j, check_clusters);
}

th_status th_stage_cluster(th_stage_job *j) {
  TH_TRY(th_stage_fold(j));
  return th_stage_fit(j, add_codebooks);
}
