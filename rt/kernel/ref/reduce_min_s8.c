/* The smallest element over any of the dimensions y, x, c, int8 (TFLite REDUCE_MIN). Input and output have the same
 * quantization. SPDX-License-Identifier: Apache-2.0 */
#include "reduce.h"

void thr_reduce_min_s8_ref(const thr_mean_params *p, const int8_t *in, int8_t *out) {
  thr_reduce(p, in, out, -1);
}
