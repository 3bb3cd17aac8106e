/* How good answers are: what is counted, and how.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_METRIC_H
#define TH_LIB_METRIC_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "data/dataset.h"

typedef enum th_metric { TH_METRIC_AUTO, TH_METRIC_ACCURACY, TH_METRIC_AUC, TH_METRIC_MSE } th_metric;

/* "accuracy", "auc", "mse"; NULL or "auto": by the data set's answers. TH_ERR_USAGE otherwise. */
th_status th_metric_parse(const char *text, th_metric *metric);

/* What `wanted` means for a set and a model with `outputs` outputs: classes give the accuracy, except that a network
 * whose output is as large as its input, on two classes, is taken for an autoencoder and gives the AUC of its error;
 * numbers and nothing to predict give the mean squared error. TH_ERR_INPUT when it cannot be had. */
th_status th_metric_choose(const th_dataset *set, int outputs, th_metric wanted, th_metric *metric);

/* The output is as large as a sample, and larger than the number of classes. */
bool th_is_autoencoder(const th_dataset *set, int outputs);

/* Position of the first of the largest values, as TFLite's argmax; n >= 1. */
int th_argmax(const float *v, int n);
/* The class that n outputs stand for: argmax, or whether a single one of two classes is at least 0.5. */
int th_answer(const float *v, int n);

/* Area under the ROC curve: the probability that a positive has a higher score than a negative, ties counting half
 * (Mann-Whitney U / (positives * negatives), by midranks). NaN when there are only positives or only negatives. */
th_status th_auc(th_arena *arena, const float *score, const uint8_t *is_positive, int n, double *auc);

#endif
