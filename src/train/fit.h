/* The state of one fit, shared by the epochs (fit.c), the checkpoints (checkpoint.c) and the steps (step.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_FIT_H
#define TH_TRAIN_FIT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "train/net.h"
#include "train/teacher.h"
#include "train/train.h"

typedef struct th_fit {
  th_arena *arena;
  th_graph *graph;
  const th_dataset *data;
  const th_train_options *o;
  th_net *net;
  th_teacher *teacher;
  th_loss loss;
  th_match match;
  th_optimizer optimizer;
  th_schedule schedule;
  int batch;
  long steps_per_epoch;

  /* everything that a checkpoint holds, besides net->shadow, net->running_values and the constraints */
  float *m, *v, *ema; /* blocks like net->shadow; v, ema may be NULL */
  long step;          /* done so far */
  int epoch;          /* of the next step */
  th_loss_sum sum;    /* of the epoch so far */
  double train_loss;  /* of the last whole epoch */
  th_buf best;        /* what was kept (th_fit_save_kept); empty: nothing yet */
  int best_epoch;
  double best_loss, best_accuracy, last_accuracy;
  bool has_gradient; /* dv below is of the last step */

  uint64_t fingerprint; /* of the run, for the checkpoint; made when first needed */
  bool has_fingerprint;

  /* by tensor, for the constraints: shadow, projected value, gradient of the value in the last step */
  float **shadows, **values, **dv;
  int32_t *order, *labels;
  float *targets; /* of a batch, when the data set has numbers to predict */
  double began;   /* clock */
  long began_step;
} th_fit;

/* step.c */
th_status th_fit_step(th_fit *f);                                                        /* one batch */
th_status th_fit_evaluate(th_fit *f, th_split_id split, double *loss, double *accuracy); /* by the values as they are */
void th_fit_shuffle(th_fit *f);                                                          /* the order of f->epoch */

/* checkpoint.c */
void th_fit_save_kept(const th_fit *f, const float *weights, th_buf *b);
th_status th_fit_load_kept(th_fit *f);
th_status th_fit_write(th_fit *f);               /* to o->checkpoint, when there is one */
th_status th_fit_resume(th_fit *f, bool *found); /* when asked; refuses that of another run */

#endif
