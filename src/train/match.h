/* Matching what lies inside student and teacher, beside their answers.
 *
 * Layers are paired by size: of each size that both have, the last activation. Attention (Zagoruyko & Komodakis 2017,
 * section 3.1): at each position the sum of the squares over channels, as a map of length 1; sizes are heights and
 * widths, channels may differ. Features (after Romero et al. 2015): the values themselves; sizes are whole shapes. A
 * sample's loss is
 *   weight * sum over pairs of |Qs / |Qs| - Qt / |Qt||^2      or      weight * sum over pairs of |s - t|^2 / |t|^2
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_MATCH_H
#define TH_TRAIN_MATCH_H

#include "ir/graph.h"

#define TH_MOST_PAIRS 16

typedef enum th_match_kind { TH_MATCH_NONE, TH_MATCH_ATTENTION, TH_MATCH_FEATURES } th_match_kind;

typedef struct th_match_pair {
  int student, teacher; /* tensors */
  int positions, channels, teacher_channels;
  const float *target; /* the teacher's values, whole batch; set before each step */
} th_match_pair;

typedef struct th_match {
  th_match_kind kind;
  float weight;
  int n;
  th_match_pair pair[TH_MOST_PAIRS];
} th_match;

/* Pairs of two graphs; TH_ERR_INPUT when there are none. Where there are too many, the last ones count. */
th_status th_match_find(th_match_kind kind, float weight, const th_graph *student, const th_graph *teacher,
                        th_match *match);
/* Samples [begin, end) of a batch of `batch`: adds to d the gradient of the batch's mean, returns the sum of losses. x:
 * the student's tensor of pair `i`, whole batch as d. */
double th_match_eval(const th_match *match, int i, const float *x, float *d, int begin, int end, int batch);
int th_match_of(const th_match *match, int student); /* the pair of a tensor, or -1 */

#endif
