/* Mean over any of the dimensions y, x, c, int16 (TFLite MEAN): the formula of mean_s8.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mean.h"

void thr_mean_s16_ref(const thr_mean_params *p, const int16_t *in, int16_t *out) {
  thr_mean(p, in, out, 2);
}
