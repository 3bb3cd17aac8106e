/* One-dimensional clustering, the numeric part of the codebook constraint.
 *
 * Points are sorted once; then a cluster is an interval and its mean a difference of prefix sums, so that one Lloyd
 * iteration costs K binary searches, however many points there are.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_POINTS_H
#define TH_TRAIN_POINTS_H

#include <stdint.h>

#include "base/rng.h"
#include "train/constraint.h"

typedef struct th_points {
  int64_t n;
  float *x;       /* ascending */
  double *weight; /* n + 1 prefix sums of the weights ... */
  double *sum;    /* ... and of weight * x */
} th_points;

/* Takes n values and their weights (NULL: all 1). */
th_status th_points_create(const float *x, const float *weight, int64_t n, th_points *p);
void th_points_destroy(th_points *p);
/* First centroids, ascending. */
th_status th_points_init(const th_points *p, th_centroid_init init, uint64_t seed, float *centroid, int k);
/* Lloyd's iterations (Lloyd 1982) until nothing changes; a cluster that runs empty keeps its centroid. */
void th_points_lloyd(const th_points *p, int iterations, float *centroid, int k);

#endif
