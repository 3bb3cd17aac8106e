/* Average pooling, int8, for cores with DSP instructions: kernel/ref/avg_pool2d_s8.c, bit for bit, four channels at a
 * time; channels beyond a multiple of four take the reference's way. SPDX-License-Identifier: Apache-2.0 */
#include "../ref/pool2d.h"
#include "sum4.h"

static void mean4(const thr_pool2d_params *p, const thr_window4 *w, int32_t n, const int8_t *in, int8_t *out) {
  int32_t sum[4] = {0, 0, 0, 0};
  if (n > 0) thr_sum4(w, in, sum);
  for (int i = 0; i < 4; i++) {
    const int32_t half = sum[i] > 0 ? n / 2 : -(n / 2);
    out[i] = (int8_t)thr_clamp(n > 0 ? (sum[i] + half) / n : 0, p->lo, p->hi);
  }
}

static void point(const thr_pool2d_params *p, thr_pool_window *w, const int8_t *in, int8_t *out) {
  const int32_t rows = w->y_end - w->y, columns = w->x_end - w->x;
  const int32_t n = rows > 0 && columns > 0 ? rows * columns : 0;
  const thr_window4 all = {rows, columns, p->in_x * p->c, p->c};
  const size_t first = n > 0 ? ((size_t)w->y * (size_t)p->in_x + (size_t)w->x) * (size_t)p->c : 0;
  int32_t c = 0;
  for (; c + 4 <= p->c; c += 4) mean4(p, &all, n, in + first + c, out + c);
  for (w->c = c; w->c < p->c; w->c++) out[w->c] = (int8_t)thr_clamp(thr_pool_mean(w, 1), p->lo, p->hi);
}

void thr_avg_pool2d_s8_dsp(const thr_pool2d_params *p, const int8_t *in, int8_t *out) {
  thr_pool_window w = {in, 0, 0, 0, 0, p->in_x, p->c, 0};
  for (int32_t y = 0; y < p->out_y; y++) {
    thr_pool_span(y * p->stride_y - p->pad_y, p->kernel_y, p->in_y, &w.y, &w.y_end);
    for (int32_t x = 0; x < p->out_x; x++, out += p->c) {
      thr_pool_span(x * p->stride_x - p->pad_x, p->kernel_x, p->in_x, &w.x, &w.x_end);
      point(p, &w, in, out);
    }
  }
}
