/* Index of the largest element along one dimension, or of the smallest; the first of equal ones, or the last. int8 ->
 * int32 (TFLite ARG_MAX, ARG_MIN). The input is (outer, depth, inner). SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static int32_t best_of(const thr_argmax_params *p, const int8_t *in) {
  int32_t best = 0, top = in[0];
  for (int32_t i = 1; i < p->depth; i++) {
    const int32_t v = in[(size_t)i * (size_t)p->inner];
    if ((p->smallest ? v < top : v > top) || (p->last && v == top)) {
      best = i;
      top = v;
    }
  }
  return best;
}

void thr_argmax_s8_ref(const thr_argmax_params *p, const int8_t *in, int32_t *out) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      *out++ = best_of(p, in + (size_t)o * (size_t)p->depth * (size_t)p->inner + (size_t)i);
    }
  }
}
