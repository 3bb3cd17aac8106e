/* The loss at the logits: softmax and cross entropy in one, distillation, or the squared error of an autoencoder.
 *
 * Labels: L = -sum_k t_k log p_k with t = (1 - s) onehot + s / K (label smoothing, Szegedy et al. 2016, section 7) and
 * p = softmax(beta z). Teacher: (1 - alpha) L + alpha T^2 KL(softmax(u / T) || softmax(z / T)) (Hinton et al. 2015,
 * section 2; the factor T^2 keeps both gradients of the same size). No labels: the mean of (z - x)^2.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_LOSS_H
#define TH_TRAIN_LOSS_H

#include <stdint.h>

#include "train/match.h"

typedef struct th_loss {
  int outputs;           /* K; values per sample */
  const int32_t *labels; /* whole batch; NULL: squared error against `target` */
  const float *target;   /* whole batch, outputs per sample */
  const float *teacher;  /* teacher's logits u, whole batch; NULL: none */
  const th_match *match; /* of what lies inside, added while walking back; NULL: none */
  float smoothing, beta; /* beta: of the softmax that ends the network */
  float temperature, alpha;
} th_loss;

typedef struct th_loss_sum { /* over samples, added to */
  double loss;
  int64_t right; /* samples whose largest logit is the label's */
} th_loss_sum;

/* Samples [begin, end) of a batch of `batch`: adds to `sum`; d_logits (may be NULL) = gradient of the batch's mean. */
void th_loss_eval(const th_loss *l, const float *logits, float *d_logits, int begin, int end, int batch,
                  th_loss_sum *sum);

/* Natural exponential and logarithm by basic arithmetic, relative error below 1e-13: the same bits on every machine. */
double th_real_exp(double x);
double th_real_log(double x); /* x > 0, normal */

#endif
