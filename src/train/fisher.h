/* How much each weight matters: the diagonal of the Fisher information of a network's answers.
 *
 * Moving the weights by d changes the distribution of the answers by a Kullback-Leibler divergence of 1/2 sum F_ij d_i
 * d_j to second order; the diagonal F_ii is the mean square of the derivative of log p(answer) when answers are drawn
 * from what the network itself says (Amari 1998; as a price of changing weights: LeCun et al. 1990). No labels are
 * needed. A network without softmax answers with unit variance.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_FISHER_H
#define TH_TRAIN_FISHER_H

#include "base/log.h"
#include "data/dataset.h"
#include "ir/graph.h"
#include "train/constraint.h"

typedef struct th_fisher_options {
  const th_context *ctx;
  const th_constraints *constraints; /* activation grids; NULL: none */
  int samples;                       /* of the training split, spread over it */
  float temperature;                 /* of the softmax: above 1 the unlikely answers count for more */
  uint64_t seed;                     /* of the drawn answers */
} th_fisher_options;

/* fisher[t]: room for the elements of constant t, or NULL when they are not asked for. */
th_status th_fisher_run(const th_graph *g, const th_dataset *data, const th_fisher_options *o, float *const *fisher);

#endif
