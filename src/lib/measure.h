/* Measuring a model: accuracy on a split, bytes it takes in flash, what its weights look like.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_MEASURE_H
#define TH_LIB_MEASURE_H

#include "data/dataset.h"
#include "lib/deploy.h"
#include "lib/metric.h"
#include "lib/model.h"

typedef struct th_measure {
  th_metric metric; /* in: what is wanted; out: what was chosen */
  int samples;
  double accuracy;    /* 0..1; NaN unless the metric */
  double mse, mae;    /* against the numbers to predict, or the input (autoencoders); NaN unless the metric */
  double auc;         /* NaN unless the metric, and when only one kind of sample is there */
  int recordings;     /* AUC: how many scores; pieces of one recording share one, the mean */
  int64_t *confusion; /* classes x (classes + 1), row = label, last: answers that are no class; NULL: not wanted */
} th_measure;

/* Runs the first `limit` (0: all) samples of a split through the model's own arithmetic. */
th_status th_measure_run(th_model *model, const th_data *data, th_split_name split, int limit, const th_context *ctx,
                         th_measure *measure);

/* One input that takes a sample of the set, one output; or TH_ERR_INPUT. *outputs: elements of the output. Integer data
 * without a scale are from here on in the quantization of this model's input. */
th_status th_measure_check(const th_model *model, th_dataset *set, int *outputs);

typedef struct th_footprint {
  int64_t params;      /* weights and biases, batch norm folded into them */
  int64_t weights;     /* elements of the main weight tensors */
  int64_t weight_bits; /* what those take, tables included */
  int64_t macs;
  int64_t bytes;   /* all that inference needs in flash, code excluded */
  double sparsity; /* zeros among the weights */
} th_footprint;

extern const th_encode_options th_packed_only; /* nothing but integers in as few bits as they need */

/* Float graphs: 4 bytes per parameter, 2 where a whole weight tensor is exact in half precision; a tensor with zeros
 * counts as the smaller of that and a bitmap with its survivors; a tensor whose values lie on an int8 grid (clustered)
 * counts as the best coder makes it, scales included. Integer graphs: the .thim program, its weights coded as `coders`
 * says (NULL: the smallest of each tensor). */
th_status th_footprint_of(const th_graph *g, const th_encode_options *coders, th_footprint *footprint);

/* The same of an integer graph that has been deployed already. */
th_status th_footprint_of_deployed(const th_graph *g, const th_deployed *deployed, th_footprint *footprint);

#endif
