/* Levels by error and bits. See rate.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/rate.h"

#include "train/loss.h"
#include "train/vec.h"

static float cost_of(const th_rate *r, float v, float level) {
  const float d = v - level;
  return d * d + r->cost[(int)level - r->lo];
}

float th_rate_level(const th_rate *r, float v) {
  const float lo = (float)r->lo, hi = (float)r->hi;
  float level = th_round(v > lo ? (v < hi ? v : hi) : lo), cost = cost_of(r, v, level);
  const float zero = cost_of(r, v, 0.0f), inwards = level > 0.0f ? -1.0f : 1.0f;
  while (level != 0.0f) {
    const float next = cost_of(r, v, level + inwards);
    if (next >= cost) break;
    level += inwards;
    cost = next;
  }
  return zero < cost ? 0.0f : level;
}

void th_rate_add(const th_rate *r, const float *w, int64_t n, float scale, th_rate_count *count) {
  for (int64_t i = 0; i < n; i++) {
    const float v = w[i] / scale, level = th_rate_level(r, v);
    count->seen[(int)level - r->lo]++;
    if (level == 0.0f) continue;
    count->there++;
    count->squares += (double)v * (double)v;
  }
}

void th_rate_settle(th_rate *r, const th_rate_count *count, int64_t n) {
  const double log_2 = 0.69314718055994530942;
  const double unit = count->there ? (double)r->rate * count->squares / (double)count->there / log_2 : 0.0;
  const int levels = r->hi - r->lo + 1;
  for (int k = 0; k < levels; k++) { /* an unused level stays within reach */
    const double share = ((double)count->seen[k] + 0.5) / ((double)n + 0.5 * levels);
    r->cost[k] = (float)(-unit * th_real_log(share));
  }
}
