/* Fully connected layer, int8, on an 8-bit processor: raw rows from program memory. SPDX-License-Identifier: Apache-2.0
 */
#include "../small/narrow.h"
#include "avr.h"

void thr_fully_connected_s8_avr(const thr_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch) {
  const int8_t *w = (const int8_t *)p->weights.data;
  const size_t row = (size_t)p->in_n;
  thr_channel_state channels = {0, 0, 0, 0};
  (void)scratch;
  for (int32_t o = 0; o < p->out_n; o++, w += row) {
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, o);
    thr_narrow scale;
    thr_narrow_begin(&scale, channel.mult, channel.shift, p->out_zero, p->lo, p->hi);
    const int32_t acc = thr_avr_dot(thr_avr_less_zero(channel.bias, w, row, p->in_zero), in, w, row);
    out[o] = thr_narrow_finish(&scale, acc);
  }
}
