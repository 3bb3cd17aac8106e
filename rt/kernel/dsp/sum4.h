/* Sums over a window of four neighbouring channels at a time, for pools and means: a load and two additions of two
 * int16 lanes each take in four values. A lane holds 255 int8 values; then it is added to a sum of 32 bits.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_SUM4_H
#define THR_DSP_SUM4_H

#include "dsp.h"

enum { THR_SUM4_LANE = 255 };

typedef struct thr_window4 { /* points of the input: lines of columns, and the bytes from one to the next */
  int32_t lines, columns, line_step, column_step;
} thr_window4;

static inline void thr_sum4_flush(int32_t sum[4], uint32_t even, uint32_t odd) {
  sum[0] = (int32_t)((uint32_t)sum[0] + (uint32_t)thr_low16(even));
  sum[1] = (int32_t)((uint32_t)sum[1] + (uint32_t)thr_low16(odd));
  sum[2] = (int32_t)((uint32_t)sum[2] + (uint32_t)thr_high16(even));
  sum[3] = (int32_t)((uint32_t)sum[3] + (uint32_t)thr_high16(odd));
}

static inline void thr_sum4(const thr_window4 *w, const int8_t *in, int32_t sum[4]) {
  uint32_t even = 0, odd = 0;
  int32_t room = THR_SUM4_LANE;
  for (int32_t y = 0; y < w->lines; y++, in += w->line_step) {
    const int8_t *x = in;
    for (int32_t left = w->columns; left > 0;) {
      const int32_t n = left < room ? left : room;
      for (const int8_t *end = x + n * w->column_step; x != end; x += w->column_step) {
        const uint32_t v = thr_load4(x);
        even = thr_sxtab16(even, v);
        odd = thr_sxtab16_ror8(odd, v);
      }
      left -= n;
      room -= n;
      if (room > 0) continue;
      thr_sum4_flush(sum, even, odd);
      even = odd = 0;
      room = THR_SUM4_LANE;
    }
  }
  thr_sum4_flush(sum, even, odd);
}

#endif
