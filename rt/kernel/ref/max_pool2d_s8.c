/* Maximum pooling, int8 (TFLite MAX_POOL_2D): the largest value of the window's points inside the image, clamped to
 * [lo, hi]. Input and output have the same scale and zero. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

void thr_max_pool2d_s8_ref(const thr_pool2d_params *p, const int8_t *in, int8_t *out) {
  for (int32_t y = 0; y < p->out_y; y++) {
    const int32_t y0 = y * p->stride_y - p->pad_y;
    int32_t ky_begin, ky_end;
    thr_window(y0, p->kernel_y, 1, p->in_y, &ky_begin, &ky_end);
    for (int32_t x = 0; x < p->out_x; x++) {
      const int32_t x0 = x * p->stride_x - p->pad_x;
      int32_t kx_begin, kx_end;
      thr_window(x0, p->kernel_x, 1, p->in_x, &kx_begin, &kx_end);
      for (int32_t c = 0; c < p->c; c++) {
        int32_t best = INT8_MIN;
        for (int32_t ky = ky_begin; ky < ky_end; ky++) {
          for (int32_t kx = kx_begin; kx < kx_end; kx++) {
            const int32_t v = in[((size_t)(y0 + ky) * (size_t)p->in_x + (size_t)(x0 + kx)) * (size_t)p->c + (size_t)c];
            if (v > best) best = v;
          }
        }
        *out++ = (int8_t)thr_clamp(best, p->lo, p->hi);
      }
    }
  }
}
