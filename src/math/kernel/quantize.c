/* Float to int8: clamp(zero + round(x / scale), -128, 127), halves away from zero, NaN gives -128.
 *
 * The quotient is cut to +-300, beyond which the clamp decides anyway, truncated, and corrected by its fraction, which
 * is exact; so the bits are those of roundf(). SPDX-License-Identifier: Apache-2.0 */
#include "math/kernel/kernel.h"

typedef int8_t bytes __attribute__((vector_size(TH_LANES)));

TH_INLINE ivec pick(ivec mask, ivec a, ivec b) { /* a where the mask is -1 */
  return (mask & a) | (~mask & b);
}

TH_INLINE void quantize_vec(const float *x, float scale, int32_t zero, int8_t *q) {
  const vec limit = (vec){0} + 300.0f;
  const ivec lo = (ivec){0} - 128, hi = (ivec){0} + 127;
  vec cut = vec_load(x) / scale;
  cut = (vec)pick(cut > -limit, (ivec)cut, (ivec)-limit); /* a NaN is not greater */
  cut = (vec)pick(cut < limit, (ivec)cut, (ivec)limit);
  const ivec whole = __builtin_convertvector(cut, ivec);
  const vec fraction = cut - __builtin_convertvector(whole, vec);
  ivec v = whole - (fraction >= 0.5f) + (fraction <= -0.5f) + zero; /* true is -1 */
  v = pick(v < lo, lo, v);
  const bytes b = __builtin_convertvector(pick(v > hi, hi, v), bytes);
  memcpy(q, &b, sizeof b);
}

void TH_KERNEL(quantize_s8)(const float *x, int64_t n, float scale, int32_t zero, int8_t *q) {
  int64_t i = 0;
  for (; i + TH_LANES <= n; i += TH_LANES) quantize_vec(x + i, scale, zero, q + i);
  if (i == n) return;
  float rest[TH_LANES] = {0};
  int8_t out[TH_LANES];
  memcpy(rest, x + i, (size_t)(n - i) * sizeof *x);
  quantize_vec(rest, scale, zero, out);
  memcpy(q + i, out, (size_t)(n - i));
}
