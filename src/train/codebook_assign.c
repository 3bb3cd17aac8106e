/* How weights choose their cluster: the nearest mean, and with a rate the entropy term of codebook.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "train/codebook.h"
#include "train/loss.h"

/* Nearest of the means that are not pinned; `cost` (may be NULL) is added, by cluster. */
static int nearest(const th_codebook *b, float x, const float *cost) {
  int best = b->first;
  float least = INFINITY;
  for (int i = b->first; i < b->k; i++) {
    float d = (x - b->mean[i]) * (x - b->mean[i]) + (cost ? cost[i] : 0.0f);
    if (d >= least) continue;
    least = d;
    best = i;
  }
  return best;
}

/* Means ascend: then a binary search finds the nearest. */
static bool ascending(const th_codebook *b) {
  for (int i = b->first + 1; i < b->k; i++)
    if (b->mean[i] < b->mean[i - 1]) return false;
  return true;
}

static int nearest_sorted(const th_codebook *b, float x) {
  int lo = b->first, hi = b->k - 1; /* the last cluster whose lower border is <= x */
  while (lo < hi) {
    int mid = (lo + hi + 1) / 2;
    if (x >= 0.5f * (b->mean[mid - 1] + b->mean[mid]))
      lo = mid;
    else
      hi = mid - 1;
  }
  return lo;
}

static void assign(th_codebook *b, const float *in, const float *cost_by_cluster) {
  b->members = -1;
  bool sorted = ascending(b);
  float cost[cost_by_cluster ? b->k : 1];
  for (int64_t s = 0; s < th_codebook_span_count(b); s++) {
    float scale = th_codebook_span_scale(b, s);
    for (int i = 0; i < b->k && cost_by_cluster; i++) cost[i] = cost_by_cluster[i] / (scale * scale);
    for (int64_t i = s * th_codebook_span_elems(b); i < (s + 1) * th_codebook_span_elems(b); i++) {
      float x = in[i] / scale;
      b->index[i] = (uint16_t)(th_codebook_is_pinned(b, in[i]) ? 0
                               : cost_by_cluster               ? nearest(b, x, cost)
                               : sorted                        ? nearest_sorted(b, x)
                                                               : nearest(b, x, NULL));
    }
  }
}

/* Means of the shadows in each cluster, weighted by scale^2: the error that counts is that of the weight. An empty
 * cluster keeps its mean. */
void th_codebook_follow(th_codebook *b, const float *in) {
  double *weight = th_alloc((size_t)b->k * 2 * sizeof *weight);
  if (!weight) { /* the means stay where they are, which is a valid assignment too */
    th_error_clear();
    return;
  }
  double *total = weight + b->k;
  memset(b->count, 0, (size_t)b->k * sizeof *b->count);
  for (int64_t s = 0; s < th_codebook_span_count(b); s++) {
    double scale = (double)th_codebook_span_scale(b, s);
    for (int64_t i = s * th_codebook_span_elems(b); i < (s + 1) * th_codebook_span_elems(b); i++) {
      weight[b->index[i]] += scale * scale;
      total[b->index[i]] += scale * (double)in[i];
      b->count[b->index[i]]++;
    }
  }
  for (int i = b->first; i < b->k; i++)
    if (b->count[i]) b->mean[i] = (float)(total[i] / weight[i]);
  th_free(weight);
}

static double mean_square(const th_codebook *b, const float *in) {
  double sum = 0.0;
  int64_t count = 0;
  for (int64_t i = 0; i < b->n; i++) {
    sum += (double)in[i] * (double)in[i];
    count += in[i] != 0.0f;
  }
  return count ? sum / (double)count : 0.0;
}

/* One round of assignment and, with a rate term, -lambda log2 P(cluster) added to the error. */
void th_codebook_reassign(th_codebook *b, const float *in) {
  float cost[b->k];
  if (b->o.rate_lambda > 0.0f) {
    double unit = (double)b->o.rate_lambda * mean_square(b, in) / 0.69314718055994530942;
    for (int i = 0; i < b->k; i++) {
      double p = ((double)b->count[i] + 0.5) / ((double)b->n + 0.5 * b->k); /* an empty one stays reachable */
      cost[i] = (float)(-unit * th_real_log(p));
    }
  }
  assign(b, in, b->o.rate_lambda > 0.0f ? cost : NULL);
  th_codebook_follow(b, in);
}

void th_codebook_assign(th_codebook *b, const float *in) {
  assign(b, in, NULL);
}

void th_codebook_follow_zeros(th_codebook *b, const float *in) {
  b->members = -1;
  for (int64_t s = 0; s < th_codebook_span_count(b); s++) {
    float scale = th_codebook_span_scale(b, s);
    for (int64_t i = s * th_codebook_span_elems(b); i < (s + 1) * th_codebook_span_elems(b); i++) {
      if (in[i] == 0.0f)
        b->index[i] = 0;
      else if (b->index[i] == 0)
        b->index[i] = (uint16_t)nearest(b, in[i] / scale, NULL);
    }
  }
}
