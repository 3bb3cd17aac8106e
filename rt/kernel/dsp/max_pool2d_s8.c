/* Maximum pooling, int8, for cores with DSP instructions: kernel/ref/max_pool2d_s8.c, bit for bit, four channels at a
 * time; channels beyond a multiple of four take the reference's way. SPDX-License-Identifier: Apache-2.0 */
#include "../ref/pool2d.h"
#include "clamp.h"

static uint32_t max4(const thr_pool2d_params *p, const thr_pool_window *w, int32_t c) {
  uint32_t best = 0x80808080u;
  for (int32_t y = w->y; y < w->y_end; y++) {
    const int8_t *in = (const int8_t *)w->in + ((size_t)y * (size_t)p->in_x + (size_t)w->x) * (size_t)p->c + c;
    for (int32_t n = w->x_end - w->x; n > 0; n--, in += p->c) best = thr_max8(best, thr_load4(in));
  }
  return best;
}

void thr_max_pool2d_s8_dsp(const thr_pool2d_params *p, const int8_t *in, int8_t *out) {
  thr_pool_window w = {in, 0, 0, 0, 0, p->in_x, p->c, 0};
  int8_t *to = out;
  for (int32_t y = 0; y < p->out_y; y++) {
    thr_pool_span(y * p->stride_y - p->pad_y, p->kernel_y, p->in_y, &w.y, &w.y_end);
    for (int32_t x = 0; x < p->out_x; x++, to += p->c) {
      thr_pool_span(x * p->stride_x - p->pad_x, p->kernel_x, p->in_x, &w.x, &w.x_end);
      int32_t c = 0;
      for (; c + 4 <= p->c; c += 4) thr_store4(to + c, max4(p, &w, c));
      for (w.c = c; w.c < p->c; w.c++) to[w.c] = (int8_t)thr_pool_max(&w, 1);
    }
  }
  thr_clamp_map(out, (uint32_t)(p->out_y * p->out_x * p->c), p->lo, p->hi);
}
