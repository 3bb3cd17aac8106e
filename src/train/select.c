/* Quickselect with the median of three as pivot (Hoare 1961, "Find"), three-way so that many equal scores are fast.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/select.h"

static void swap(float *a, float *b) {
  float t = *a;
  *a = *b;
  *b = t;
}

static float median(float a, float b, float c) {
  if (a > b) swap(&a, &b);
  if (b > c) swap(&b, &c);
  return a > b ? a : b;
}

float th_select_kth(float *values, int64_t n, int64_t k) {
  int64_t lo = 0, hi = n - 1;
  while (lo < hi) {
    float pivot = median(values[lo], values[lo + (hi - lo) / 2], values[hi]);
    int64_t less = lo, at = lo, more = hi; /* [lo, less) < pivot, [less, at) = pivot, (more, hi] > pivot */
    while (at <= more) {
      if (values[at] < pivot)
        swap(&values[at++], &values[less++]);
      else if (values[at] > pivot)
        swap(&values[at], &values[more--]);
      else
        at++;
    }
    if (k < less)
      hi = less - 1;
    else if (k > more)
      lo = more + 1;
    else
      return pivot;
  }
  return values[k];
}
