/* Metrics. See metric.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lib/metric.h"

#include <math.h>
#include <stdlib.h>

#include "base/str.h"

th_status th_metric_parse(const char *text, th_metric *metric) {
  static const char *const names[] = {"auto", "accuracy", "auc", "mse"};
  *metric = TH_METRIC_AUTO;
  for (int i = 0; text && i < 4; i++)
    if (th_str_eq(text, names[i])) {
      *metric = (th_metric)i;
      return TH_OK;
    }
  return text ? th_fail(TH_ERR_USAGE, "metric '%s': expected accuracy, auc, mse or auto", text) : TH_OK;
}

bool th_is_autoencoder(const th_dataset *set, int outputs) {
  return outputs == th_dataset_sample_elems(set) && outputs > set->classes;
}

static bool tells_classes(const th_dataset *set, int outputs) {
  return outputs >= set->classes || (outputs == 1 && set->classes == 2);
}

th_status th_metric_choose(const th_dataset *set, int outputs, th_metric wanted, th_metric *metric) {
  int elems = th_dataset_sample_elems(set);
  *metric = wanted;
  if (wanted == TH_METRIC_AUTO && set->classes)
    *metric = th_is_autoencoder(set, outputs) && set->classes == 2 ? TH_METRIC_AUC : TH_METRIC_ACCURACY;
  else if (wanted == TH_METRIC_AUTO)
    *metric = TH_METRIC_MSE;
  if (*metric != TH_METRIC_MSE && !set->classes)
    return th_fail(TH_ERR_INPUT, "%s: has no classes; the metric can only be mse", set->name);
  if (*metric == TH_METRIC_ACCURACY && !tells_classes(set, outputs))
    return th_fail(TH_ERR_INPUT, "%d outputs, %s has %d classes", outputs, set->name, set->classes);
  if (*metric == TH_METRIC_AUC && th_is_autoencoder(set, outputs) && set->positive < 0)
    return th_fail(TH_ERR_INPUT, "%s: which class is the anomaly? positive=CLASS says it", set->name);
  if (*metric == TH_METRIC_AUC && !th_is_autoencoder(set, outputs) && !tells_classes(set, outputs))
    return th_fail(TH_ERR_INPUT, "%d outputs, %s has %d classes", outputs, set->name, set->classes);
  if (*metric == TH_METRIC_MSE && set->target_elems && outputs != set->target_elems)
    return th_fail(TH_ERR_INPUT, "%d outputs, %s has %d number(s) to predict", outputs, set->name, set->target_elems);
  if (*metric == TH_METRIC_MSE && !set->target_elems && outputs != elems)
    return th_fail(TH_ERR_INPUT, "%d outputs, %s has no labels and samples of %d values: expected an autoencoder",
                   outputs, set->name, elems);
  return TH_OK;
}

int th_argmax(const float *v, int n) {
  int best = 0;
  for (int i = 1; i < n; i++)
    if (v[i] > v[best]) best = i;
  return best;
}

int th_answer(const float *v, int n) {
  return n == 1 ? v[0] >= 0.5f : th_argmax(v, n);
}

typedef struct scored {
  float score;
  uint8_t is_positive;
} scored;

static int by_score(const void *a, const void *b) {
  float x = ((const scored *)a)->score, y = ((const scored *)b)->score;
  return (x > y) - (x < y);
}

th_status th_auc(th_arena *arena, const float *score, const uint8_t *is_positive, int n, double *auc) {
  scored *s = TH_ARRAY(arena, scored, n);
  if (!s) return TH_ERR_RESOURCE;
  for (int i = 0; i < n; i++) s[i] = (scored){score[i], is_positive[i]};
  qsort(s, (size_t)n, sizeof *s, by_score);
  double rank_sum = 0, positives = 0;
  for (int i = 0, end; i < n; i = end) {
    for (end = i + 1; end < n && s[end].score == s[i].score;) end++;
    double midrank = 0.5 * (double)(i + 1 + end); /* ranks i + 1 .. end */
    for (int k = i; k < end; k++)
      if (s[k].is_positive) rank_sum += midrank, positives++;
  }
  double negatives = n - positives;
  *auc = positives && negatives ? (rank_sum - positives * (positives + 1) / 2) / (positives * negatives) : NAN;
  return TH_OK;
}
