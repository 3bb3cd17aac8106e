/* One output line of depthwise_conv2d_s8 on an 8-bit processor (line.h). SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

void thr_depthwise_conv2d_s8_row_avr(const void *params, const int8_t *weights, const int8_t *const *line,
                                     int8_t *out) {
  (void)weights; /* raw: writing for AVR refuses others */
  thr_avr_row_of(params, line, out, 1);
}
