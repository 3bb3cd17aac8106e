/* Bilinear resize, int8 (TFLite RESIZE_BILINEAR), places in steps of 1/1024 pixel:
 *
 *   at = i * scale, with half pixels + scale / 2 - 512
 *   first = max(at / 1024, 0), second = min((at + 1023) / 1024, size - 1), weight w = at - 1024 first
 *   sum of the four pixels times (1024 - wy or wy) times (1024 - wx or wx), divided by 2^20, halves away from zero
 *
 * with divisions that cut off. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

typedef struct place {
  int32_t first, second, weight;
} place;

static place place_of(int32_t i, int32_t scale, uint8_t half, int32_t size) {
  const int32_t at = i * scale + (half ? scale / 2 - 512 : 0);
  place p;
  p.first = thr_clamp(at / 1024, 0, size - 1);
  p.second = thr_clamp((at + 1023) / 1024, 0, size - 1);
  p.weight = at - 1024 * p.first;
  return p;
}

static int8_t rounded(int64_t sum) {
  const int64_t half = (int64_t)1 << 19;
  const int64_t v = (sum > 0 ? sum + half : sum - half) / ((int64_t)1 << 20);
  return (int8_t)(v < INT8_MIN ? INT8_MIN : v > INT8_MAX ? INT8_MAX : v);
}

void thr_resize_bilinear_s8_ref(const thr_resize_bilinear_params *p, const int8_t *in, int8_t *out) {
  for (int32_t oy = 0; oy < p->out_y; oy++) {
    const place y = place_of(oy, p->scale_y, p->half, p->in_y);
    const int8_t *upper = in + (size_t)y.first * (size_t)p->in_x * (size_t)p->c;
    const int8_t *lower = in + (size_t)y.second * (size_t)p->in_x * (size_t)p->c;
    for (int32_t ox = 0; ox < p->out_x; ox++) {
      const place x = place_of(ox, p->scale_x, p->half, p->in_x);
      const size_t left = (size_t)x.first * (size_t)p->c, right = (size_t)x.second * (size_t)p->c;
      for (size_t c = 0; c < (size_t)p->c; c++) {
        const int64_t top = (int64_t)upper[left + c] * (1024 - x.weight) + (int64_t)upper[right + c] * x.weight;
        const int64_t bottom = (int64_t)lower[left + c] * (1024 - x.weight) + (int64_t)lower[right + c] * x.weight;
        *out++ = rounded(top * (1024 - y.weight) + bottom * y.weight);
      }
    }
  }
}
