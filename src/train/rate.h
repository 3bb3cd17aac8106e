/* Levels by what they take: which integer a weight v (in steps) takes when bits count too.
 *
 *   (v - k)^2 - rate * mean v^2 * log2 P(k)      (entropy-constrained quantization, Chou et al. 1989)
 *
 * over the levels k from the nearest one towards zero; P are the shares at the last count, the mean is over what is not
 * zero. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_RATE_H
#define TH_TRAIN_RATE_H

#include <stdint.h>

#define TH_RATE_LEVELS 256

typedef struct th_rate {
  float rate;
  int lo, hi;                 /* levels */
  float cost[TH_RATE_LEVELS]; /* by level, less lo, in squares of steps; all 0: the nearest is taken */
} th_rate;

float th_rate_level(const th_rate *r, float v);

typedef struct th_rate_count { /* begins as zeros */
  int64_t seen[TH_RATE_LEVELS], there;
  double squares;
} th_rate_count;

/* Counts w[0..n) / scale by the levels that they take; settling makes new costs of a count. */
void th_rate_add(const th_rate *r, const float *w, int64_t n, float scale, th_rate_count *count);
void th_rate_settle(th_rate *r, const th_rate_count *count, int64_t n);

#endif
