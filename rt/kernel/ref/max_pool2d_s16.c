/* Maximum pooling, int16 (TFLite MAX_POOL_2D): as max_pool2d_s8.c. SPDX-License-Identifier: Apache-2.0 */
#include "pool2d.h"

void thr_max_pool2d_s16_ref(const thr_pool2d_params *p, const int16_t *in, int16_t *out) {
  thr_pool2d(p, in, out, 2, thr_pool_max);
}
