/* Average pooling, int8 (TFLite AVERAGE_POOL_2D). n = points of the window inside the image, s = their sum:
 *
 *   mean = s > 0 ? (s + n / 2) / n : (s - n / 2) / n      divisions truncate: nearest, halves away from zero
 *   out  = clamp(mean, lo, hi)
 *
 * Input and output have the same scale and zero. A window without points (no reader lets one through) gives the
 * value 0, clamped. SPDX-License-Identifier: Apache-2.0 */
#include "pool2d.h"

void thr_avg_pool2d_s8_ref(const thr_pool2d_params *p, const int8_t *in, int8_t *out) {
  thr_pool2d(p, in, out, 1, thr_pool_mean);
}
