/* The activation's clamp for kernels that saturate to int8 as they store: nothing more is to do for the whole range,
 * else one pass over the finished map, four values at a time. Clamping twice is clamping to the narrower range.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_CLAMP_H
#define THR_DSP_CLAMP_H

#include "dsp.h"

static inline void thr_clamp_map(int8_t *out, uint32_t n, int32_t lo, int32_t hi) {
  const uint32_t low = (uint8_t)lo * 0x01010101u, high = (uint8_t)hi * 0x01010101u;
  uint32_t i = 0;
  if (lo <= INT8_MIN && hi >= INT8_MAX) return;
  for (; i + 4 <= n; i += 4) thr_store4(out + i, thr_min8(thr_max8(thr_load4(out + i), low), high));
  for (; i < n; i++) out[i] = (int8_t)(out[i] < lo ? lo : out[i] > hi ? hi : out[i]);
}

#endif
