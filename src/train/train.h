/* Fitting a float graph to data, under constraints.
 *
 * th_train_run() runs epochs of forward, loss, backward, update over a data set. Each weight tensor may carry a stack
 * of constraints (train/constraint.h) that decides which value forward uses; the optimizer moves the float shadow. A
 * teacher adds the distillation term. The best epoch on the validation split is kept when asked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_TRAIN_H
#define TH_TRAIN_TRAIN_H

#include "base/log.h"
#include "data/dataset.h"
#include "ir/graph.h"
#include "train/constraint.h"
#include "train/match.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#define TH_MOST_TEACHERS 8

typedef struct th_train_options {
  const th_context *ctx;
  const char *stage; /* for progress: "train", "prune", ... */
  int epochs;        /* 0: nothing is trained, constraints still tick once and finish */
  int batch;         /* default 64 */
  th_optimizer_id optimizer;
  float lr;       /* peak */
  float momentum; /* SGD; Nesterov when `nesterov` */
  bool nesterov;
  float weight_decay; /* on weights only, not on biases and batch norm */
  th_schedule_id schedule;
  float warmup;    /* fraction of all steps, linear from 0 */
  int step_epochs; /* step schedule: times step_factor every so many epochs */
  float step_factor;
  float label_smoothing;
  float ema;      /* decay of the moving average of weights, 0: off; the average is what is kept */
  bool keep_best; /* keep the epoch with the best validation accuracy (lowest loss on ties) */
  const th_augment *augment;
  uint64_t seed;
  const char *checkpoint; /* file written after each epoch and on interruption; NULL: none */
  bool resume;            /* start from it when it exists; it must fit (same graph, options, data, settings) */
  uint64_t settings;      /* hash of all else that the caller decides by, constraints above all; only compared */
  /* distillation: alpha * T^2 * KL(teacher || student at T) + (1 - alpha) * cross entropy (Hinton et al. 2015, eq. 2-4)
   */
  const th_graph *teacher[TH_MOST_TEACHERS]; /* float or integer graphs with the same number of outputs; the mean of
                                              * their logits teaches */
  int teachers;                              /* 0: none */
  float temperature, alpha;
  th_match_kind match; /* beside the answers; needs one float teacher */
  float match_weight;
  th_constraints *constraints; /* NULL: none */
} th_train_options;

typedef struct th_train_result {
  int epochs;                                /* run, incl. resumed */
  double train_loss, val_loss, val_accuracy; /* of what was kept; fractions 0..1 */
  int best_epoch;
  double seconds;
} th_train_result;

void th_train_defaults(th_train_options *options);
/* Whether `match` of the options can be, with its pairs (train/match.h). A NULL student: its shapes are not known yet,
 * and pairs are not looked for. */
th_status th_train_match(const th_train_options *options, const th_graph *student, th_match *match);

/* Progress is reported after every step (whoever draws it throttles) and once an epoch with the validation accuracy.
 * Batches are full ones: the samples left over at the end of an epoch wait for the next shuffle.
 * The graph's weights are replaced on success; after TH_ERR_INTERRUPTED they hold the best so far. The last node must
 * be a softmax or linear: loss is cross entropy on the logits (or MSE when the data set has no labels: autoencoder). */
th_status th_train_run(th_graph *graph, const th_dataset *data, const th_train_options *options,
                       th_train_result *result);
/* Fills weights by He-normal before rectifiers and Glorot-normal elsewhere, biases 0, gamma 1. */
th_status th_train_init(th_graph *graph, uint64_t seed);

#endif
