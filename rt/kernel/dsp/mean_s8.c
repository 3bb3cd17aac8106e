/* Mean over y, x or both, int8, for cores with DSP instructions: kernel/ref/mean_s8.c, bit for bit, four channels at a
 * time. Means over channels, and channels beyond a multiple of four, take the reference's way.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../ref/mean.h"
#include "requantize.h"
#include "sum4.h"

static void mean4(const thr_mean_params *p, const thr_window4 *w, const int8_t *in, int8_t *out) {
  const int32_t start = (int32_t)(0u - (uint32_t)p->in_zero * (uint32_t)p->count);
  int32_t sum[4] = {start, start, start, start};
  thr_sum4(w, in, sum);
  for (int i = 0; i < 4; i++) {
    out[i] = thr_finish(thr_scale_dsp(sum[i], p->mult, p->shift), p->out_zero, p->lo, p->hi);
  }
}

void thr_mean_s8_dsp(const thr_mean_params *p, const int8_t *in, int8_t *out) {
  const int32_t line = p->x * p->c, y_end = p->over_y ? 1 : p->y, x_end = p->over_x ? 1 : p->x;
  const thr_window4 w = {p->over_y ? p->y : 1, p->over_x ? p->x : 1, line, p->c};
  if (p->over_c) {
    thr_mean(p, in, out, 1);
    return;
  }
  for (int32_t y = 0; y < y_end; y++) {
    for (int32_t x = 0; x < x_end; x++, out += p->c) {
      int32_t c = 0;
      for (; c + 4 <= p->c; c += 4) mean4(p, &w, in + y * line + x * p->c + c, out + c);
      for (; c < p->c; c++) out[c] = (int8_t)thr_mean_from(p, in, 1, y, x, c);
    }
  }
}
