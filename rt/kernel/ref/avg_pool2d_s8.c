/* Average pooling, int8 (TFLite AVERAGE_POOL_2D). n = points of the window inside the image, s = their sum:
 *
 *   mean = s > 0 ? (s + n / 2) / n : (s - n / 2) / n      divisions truncate: nearest, halves away from zero
 *   out  = clamp(mean, lo, hi)
 *
 * Input and output have the same scale and zero. A window without points (no reader lets one through) gives the
 * value 0, clamped. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static int32_t mean_of(int32_t sum, int32_t n) {
  if (n <= 0) return 0;
  return sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n;
}

void thr_avg_pool2d_s8_ref(const thr_pool2d_params *p, const int8_t *in, int8_t *out) {
  for (int32_t y = 0; y < p->out_y; y++) {
    const int32_t y0 = y * p->stride_y - p->pad_y;
    int32_t ky_begin, ky_end;
    thr_window(y0, p->kernel_y, 1, p->in_y, &ky_begin, &ky_end);
    for (int32_t x = 0; x < p->out_x; x++) {
      const int32_t x0 = x * p->stride_x - p->pad_x;
      int32_t kx_begin, kx_end;
      thr_window(x0, p->kernel_x, 1, p->in_x, &kx_begin, &kx_end);
      const int32_t n = ky_end > ky_begin && kx_end > kx_begin ? (ky_end - ky_begin) * (kx_end - kx_begin) : 0;
      for (int32_t c = 0; c < p->c; c++) {
        int32_t sum = 0;
        for (int32_t ky = ky_begin; ky < ky_end; ky++) {
          for (int32_t kx = kx_begin; kx < kx_end; kx++) {
            sum += in[((size_t)(y0 + ky) * (size_t)p->in_x + (size_t)(x0 + kx)) * (size_t)p->c + (size_t)c];
          }
        }
        *out++ = (int8_t)thr_clamp(mean_of(sum, n), p->lo, p->hi);
      }
    }
  }
}
