/* Convolution, int8, on an 8-bit processor (line.h). Sizes fit 15 bits and weights are raw, as the C writer makes sure.
 * SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

void thr_conv2d_s8_avr(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch) {
  (void)scratch;
  thr_avr_map(p, in, out, (int16_t)(p->in_c / p->groups), (int16_t)(p->out_c / p->groups));
}
