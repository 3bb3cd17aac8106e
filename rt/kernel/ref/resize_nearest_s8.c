/* Resize by the nearest pixel (TFLite RESIZE_NEAREST_NEIGHBOR). A pixel is moved as bytes.
 *
 *   index(i) = F((i + half/2) * s), cut or rounded to a whole number, at most size - 1;  s = scale * 2^-shift
 *
 * where F rounds to float32, as TFLite's product does: now and then that decides which pixel is nearest. The product
 * of whole numbers is exact here, and F is 24 significant bits with halves to even. SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "arith.h"

static uint64_t round_to_float(uint64_t v) {
  const uint32_t high = (uint32_t)(v >> 32);
  const int bits = high ? 64 - thr_clz(high) : 32 - thr_clz((uint32_t)v);
  if (bits <= 24) return v;
  const int drop = bits - 24;
  const uint64_t unit = (uint64_t)1 << drop, rest = v & (unit - 1), kept = v - rest;
  return rest > unit / 2 || (rest == unit / 2 && (kept & unit)) ? kept + unit : kept;
}

static int32_t nearest(int32_t i, int32_t scale, uint8_t shift, uint8_t half, uint8_t round, int32_t size) {
  const uint64_t twice = (uint64_t)2 * (uint64_t)i + (half ? 1u : 0u); /* hence one more bit behind the point */
  const uint64_t at = round_to_float(twice * (uint64_t)scale) + (round ? (uint64_t)1 << shift : 0u);
  const uint64_t index = at >> shift >> 1;
  return index < (uint64_t)size ? (int32_t)index : size - 1;
}

void thr_resize_nearest_s8_ref(const thr_resize_nearest_params *p, const int8_t *in, int8_t *out) {
  const size_t pixel = (size_t)p->pixel;
  for (int32_t y = 0; y < p->out_y; y++) {
    const int8_t *line =
        in + (size_t)nearest(y, p->scale_y, p->shift_y, p->half, p->round, p->in_y) * (size_t)p->in_x * pixel;
    for (int32_t x = 0; x < p->out_x; x++, out += pixel)
      memcpy(out, line + (size_t)nearest(x, p->scale_x, p->shift_x, p->half, p->round, p->in_x) * pixel, pixel);
  }
}
