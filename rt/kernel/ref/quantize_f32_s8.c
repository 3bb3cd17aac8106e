/* Float to int8 (TFLite QUANTIZE): out = clamp(zero + round(x / scale), -128, 127), halves away from zero.
 *
 * Written without libm: the quotient is cut to +-300, beyond which the clamp decides anyway, truncated, and corrected
 * by its fraction, which is exact. A NaN gives -128. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static int32_t round_away(float x) {
  const int32_t whole = (int32_t)x;
  const float fraction = x - (float)whole;
  return whole + (fraction >= 0.5f ? 1 : 0) - (fraction <= -0.5f ? 1 : 0);
}

void thr_quantize_f32_s8_ref(const thr_quantize_params *p, const float *in, int8_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const float q = in[i] / p->scale;
    const float cut = !(q > -300.0f) ? -300.0f : q > 300.0f ? 300.0f : q;
    out[i] = thr_finish(round_away(cut), p->zero, INT8_MIN, INT8_MAX);
  }
}
