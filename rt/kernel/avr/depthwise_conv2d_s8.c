/* Depthwise convolution, int8, on an 8-bit processor (line.h). SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

void thr_depthwise_conv2d_s8_avr(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch) {
  (void)scratch;
  thr_avr_map(p, in, out, 1, (int16_t)(p->out_c / p->in_c));
}
