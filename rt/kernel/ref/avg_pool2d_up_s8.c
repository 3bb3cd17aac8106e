/* Average pooling as TFLite's uint8 models have it, on elements minus 128. n = points of the window inside the image, s
 * = their sum:
 *
 *   out = clamp(floor((s + floor(n / 2)) / n), lo, hi)      nearest, halves up
 *
 * int8 models round halves away from zero (avg_pool2d_s8.c). A window without points gives the value 0, clamped.
 * SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static int32_t mean_of(int32_t sum, int32_t n) {
  const int32_t raised = sum + n / 2;
  if (n <= 0) return 0;
  return raised >= 0 ? raised / n : -((n - 1 - raised) / n);
}

void thr_avg_pool2d_up_s8_ref(const thr_pool2d_params *p, const int8_t *in, int8_t *out) {
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
