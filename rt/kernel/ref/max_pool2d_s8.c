/* Maximum pooling, int8 (TFLite MAX_POOL_2D): the largest value of the window's points inside the image, clamped to
 * [lo, hi]. Input and output have the same scale and zero. SPDX-License-Identifier: Apache-2.0 */
#include "pool2d.h"

void thr_max_pool2d_s8_ref(const thr_pool2d_params *p, const int8_t *in, int8_t *out) {
  thr_pool2d(p, in, out, 1, thr_pool_max);
}
