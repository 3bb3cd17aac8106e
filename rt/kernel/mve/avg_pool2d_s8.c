/* Average pooling for Armv8.1-M MVE: sums of four channels at a time; divided one by one, as the reference does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mve.h"

/* out[c] for c < n <= 4. `in`: the window's first point; `row`: bytes of an input line. */
static void average(const thr_pool2d_params *p, const int8_t *in, int32_t lines, int32_t columns, int32_t n,
                    int8_t *out) {
  const int32_t row = p->in_x * p->c, points = lines * columns;
  int32_t sum[4];
  thr_q32 acc = thr_q32_all(0);
  for (; lines > 0; lines--, in += row) {
    const int8_t *at = in;
    for (int32_t x = columns; x > 0; x--, at += p->c) acc = thr_q32_add(acc, thr_q32_load_bytes(at, n));
  }
  thr_q32_store(sum, acc);
  for (int32_t c = 0; c < n; c++) {
    const int32_t half = sum[c] > 0 ? points / 2 : -(points / 2);
    out[c] = (int8_t)thr_clamp(points > 0 ? (sum[c] + half) / points : 0, p->lo, p->hi);
  }
}

void thr_avg_pool2d_s8_mve(const thr_pool2d_params *p, const int8_t *in, int8_t *out) {
  for (int32_t y = 0; y < p->out_y; y++) {
    const int32_t y0 = y * p->stride_y - p->pad_y;
    int32_t ky, ky_end;
    thr_window(y0, p->kernel_y, 1, p->in_y, &ky, &ky_end);
    for (int32_t x = 0; x < p->out_x; x++) {
      const int32_t x0 = x * p->stride_x - p->pad_x;
      int32_t kx, kx_end, n;
      thr_window(x0, p->kernel_x, 1, p->in_x, &kx, &kx_end);
      const int32_t columns = kx_end > kx ? kx_end - kx : 0, lines = columns && ky_end > ky ? ky_end - ky : 0;
      const int8_t *first =
          lines == 0 ? in : in + ((size_t)(y0 + ky) * (size_t)p->in_x + (size_t)(x0 + kx)) * (size_t)p->c;
      for (int32_t c = 0; c < p->c; c += 4, out += n) {
        n = p->c - c < 4 ? p->c - c : 4;
        average(p, first + c, lines, columns, n, out);
      }
    }
  }
}
