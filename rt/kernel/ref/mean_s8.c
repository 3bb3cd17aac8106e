/* Mean over any of the dimensions y, x, c, int8 (TFLite MEAN). N = count, s = sum of the N elements:
 *
 *   out = clamp(out_zero + scale(s - in_zero * N, mult, shift), lo, hi)
 *
 * The division by N is in mult and shift. Dimensions that stay keep their order. SPDX-License-Identifier: Apache-2.0 */
#include "mean.h"

void thr_mean_s8_ref(const thr_mean_params *p, const int8_t *in, int8_t *out) {
  thr_mean(p, in, out, 1);
}
