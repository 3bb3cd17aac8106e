/* Float to int16, uint8 or int8 (TFLite QUANTIZE): out = clamp(zero + round(x / scale)), halves away from zero.
 *
 * As quantize_f32_s8.c, without libm: the quotient is cut to +-100,000, beyond which the clamp decides anyway. A NaN
 * gives the least value. SPDX-License-Identifier: Apache-2.0 */
#include "any.h"

static int32_t round_away(float x) {
  const int32_t whole = (int32_t)x;
  const float fraction = x - (float)whole;
  return whole + (fraction >= 0.5f ? 1 : 0) - (fraction <= -0.5f ? 1 : 0);
}

void thr_quantize_f32_any_ref(const thr_quantize_params *p, const float *in, void *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const float q = in[i] / p->scale;
    const float cut = !(q > -100000.0f) ? -100000.0f : q > 100000.0f ? 100000.0f : q;
    thr_set_any(out, (size_t)i, p->type, thr_wrap_add(round_away(cut), p->zero));
  }
}
