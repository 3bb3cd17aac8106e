/* What the stages share: the job, and how it trains under constraints. Private to the stage files of lib.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_STAGE_JOB_H
#define TH_LIB_STAGE_JOB_H

#include "lib/data.h"
#include "lib/mixed.h"
#include "lib/settings.h"
#include "lib/training.h"

typedef struct th_stage_job {
  th_graph *g; /* being changed */
  const th_data *data;
  const th_settings *s;
  const th_context *ctx;
  th_training fit;
  float *samples; /* for calibration; NULL until fetched */
  int n_samples;
  th_mixed_layer mixed[TH_MAX_WEIGHTS]; /* types that --mixed has chosen */
  int n_mixed;
  th_weight weights[TH_MAX_WEIGHTS];
  int n_weights;
} th_stage_job;

/* Runs a fit under the constraints that `add` puts on; they end with it. */
th_status th_stage_fit(th_stage_job *j, th_status (*add)(th_stage_job *, th_constraints *));
/* Adds masks that keep the zeros which are there. */
th_status th_stage_keep_zeros(th_stage_job *j, th_constraints *cs);
/* How many values a weight tensor shares on its grid; 0: it has none, or too many to keep. */
int th_stage_shared_values(const th_tensor *t);
/* A codebook that starts from the few values which a weight tensor has on its grid, and keeps their number. */
th_status th_stage_keep_levels(th_stage_job *j, const th_weight *w, int distinct, th_constraints *cs);
/* Puts each activation's grid (its th_quant) on it. */
th_status th_stage_activation_grids(th_stage_job *j, th_range range, th_constraints *cs);
/* Passes on the graph; the list of weights follows. */
th_status th_stage_passes(th_stage_job *j, const char *names);
/* Weights are what runs on the device only once batch norm is folded into them. */
th_status th_stage_fold(th_stage_job *j);

/* stage_layers.c: refuses the name of no layer that can have weights; `option` is what names it. */
th_status th_stage_need_layer(const th_stage_job *j, const char *option, const char *name, size_t length);
/* The setting `layers`, LAYER=VALUE,...: what it says of a layer, into `value`; false when nothing. And whether all its
 * entries name layers with weights, and `check` finds nothing wrong with the values: it says what it expects. */
bool th_stage_of_layer(const char *list, const char *name, char *value, size_t size);
th_status th_stage_check_layers(const th_stage_job *j, th_status (*check)(const char *value, size_t length));
th_status th_stage_check_number(const char *value, size_t length, double least, double most, bool is_whole);
/* The number said of a layer, or `other`. */
double th_stage_number_of_layer(const th_stage_job *j, int node, double other);

/* One file each; `check` says what is wrong with the settings, and needs graph and settings of the job alone. */
th_status th_stage_prune_check(const th_stage_job *j);
th_status th_stage_cluster_check(const th_stage_job *j);
th_status th_stage_quantize_check(const th_stage_job *j);
th_status th_stage_prune(th_stage_job *j);
th_status th_stage_cluster(th_stage_job *j);
th_status th_stage_quantize(th_stage_job *j);
th_status th_stage_sweep(th_stage_job *j);

#endif
