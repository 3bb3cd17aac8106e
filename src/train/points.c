/* One-dimensional clustering; see points.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "train/points.h"

typedef struct point {
  float x, weight;
} point;

static int by_value(const void *a, const void *b) {
  const point *p = a, *q = b;
  if (p->x != q->x) return p->x < q->x ? -1 : 1;
  return (p->weight > q->weight) - (p->weight < q->weight); /* total order: the same sums whatever qsort does */
}

static int centroid_order(const void *a, const void *b) {
  float p = *(const float *)a, q = *(const float *)b;
  return (p > q) - (p < q);
}

void th_points_destroy(th_points *p) {
  th_free(p->x);
  th_free(p->weight);
  th_free(p->sum);
}

th_status th_points_create(const float *x, const float *weight, int64_t n, th_points *p) {
  *p = (th_points){.n = n,
                   .x = th_alloc((size_t)n * sizeof(float)),
                   .weight = th_alloc((size_t)(n + 1) * sizeof(double)),
                   .sum = th_alloc((size_t)(n + 1) * sizeof(double))};
  point *points = th_alloc((size_t)n * sizeof *points);
  if (!p->x || !p->weight || !p->sum || !points) {
    th_points_destroy(p);
    th_free(points);
    return TH_ERR_RESOURCE;
  }
  for (int64_t i = 0; i < n; i++) points[i] = (point){x[i], weight ? weight[i] : 1.0f};
  qsort(points, (size_t)n, sizeof *points, by_value);
  for (int64_t i = 0; i < n; i++) {
    p->x[i] = points[i].x;
    p->weight[i + 1] = p->weight[i] + (double)points[i].weight;
    p->sum[i + 1] = p->sum[i] + (double)points[i].weight * (double)points[i].x;
  }
  th_free(points);
  return TH_OK;
}

/* Number of points below `limit`. */
static int64_t count_below(const th_points *p, double limit) {
  int64_t lo = 0, hi = p->n;
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    if ((double)p->x[mid] < limit)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* Han et al. 2016, section 3.2: equal steps from the smallest to the largest value. */
static void init_linear(const th_points *p, float *centroid, int k) {
  float lo = p->x[0], hi = p->x[p->n - 1];
  for (int i = 0; i < k; i++) centroid[i] = k > 1 ? lo + (hi - lo) * (float)i / (float)(k - 1) : 0.5f * (lo + hi);
}

/* Equal steps of the cumulative distribution. */
static void init_density(const th_points *p, float *centroid, int k) {
  for (int i = 0; i < k; i++) centroid[i] = p->x[(int64_t)(((double)i + 0.5) / k * (double)p->n)];
}

static void init_random(const th_points *p, th_rng *rng, float *centroid, int k) {
  for (int i = 0; i < k; i++) centroid[i] = p->x[th_rng_u64(rng) % (uint64_t)p->n];
}

static double weight_of(const th_points *p, int64_t i) {
  return p->weight[i + 1] - p->weight[i];
}

/* k-means++ (Arthur & Vassilvitskii 2007): each next centroid is a point drawn with probability proportional to its
 * squared distance from the nearest one so far. */
static th_status init_plusplus(const th_points *p, th_rng *rng, float *centroid, int k) {
  double *distance = th_alloc((size_t)p->n * sizeof *distance);
  if (!distance) return TH_ERR_RESOURCE;
  centroid[0] = p->x[th_rng_u64(rng) % (uint64_t)p->n];
  for (int c = 1; c <= k; c++) {
    double total = 0.0;
    for (int64_t i = 0; i < p->n; i++) {
      double d = (double)p->x[i] - (double)centroid[c - 1];
      d *= d * weight_of(p, i);
      if (c == 1 || d < distance[i]) distance[i] = d;
      total += distance[i];
    }
    if (c == k) break;
    double drawn = (double)(th_rng_u64(rng) >> 11) * 0x1p-53 * total;
    int64_t i = 0;
    while (i < p->n - 1 && (drawn -= distance[i]) >= 0.0) i++;
    centroid[c] = p->x[i];
  }
  th_free(distance);
  return TH_OK;
}

th_status th_points_init(const th_points *p, th_centroid_init init, uint64_t seed, float *centroid, int k) {
  th_rng rng = th_rng_init(seed, 0x636f6465); /* "code" */
  switch (init) {
    case TH_CENTROID_DENSITY:
      init_density(p, centroid, k);
      break;
    case TH_CENTROID_RANDOM:
      init_random(p, &rng, centroid, k);
      break;
    case TH_CENTROID_KMEANSPP:
      TH_TRY(init_plusplus(p, &rng, centroid, k));
      break;
    default:
      init_linear(p, centroid, k);
      break;
  }
  qsort(centroid, (size_t)k, sizeof *centroid, centroid_order);
  return TH_OK;
}

void th_points_lloyd(const th_points *p, int iterations, float *centroid, int k) {
  bool moved = true;
  for (int it = 0; it < iterations && moved; it++) {
    int64_t begin = 0;
    float left = centroid[0];
    moved = false;
    for (int c = 0; c < k; c++) {
      float here = c ? left : centroid[0], next = c + 1 < k ? centroid[c + 1] : 0.0f;
      int64_t end = c + 1 < k ? count_below(p, 0.5 * ((double)here + (double)next)) : p->n;
      double weight = end > begin ? p->weight[end] - p->weight[begin] : 0.0;
      if (weight > 0.0) {
        float mean = (float)((p->sum[end] - p->sum[begin]) / weight);
        moved |= mean != centroid[c];
        centroid[c] = mean;
      }
      begin = end > begin ? end : begin;
      left = next; /* boundaries use the centroids of before this iteration */
    }
  }
}
