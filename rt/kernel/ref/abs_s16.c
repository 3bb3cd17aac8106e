/* Absolute value, int16 (TFLite ABS): out = clamp(out_zero + scale(|x - in_zero|, mult, shift), lo, hi). For int8 a
 * table does it (lookup_s8.c). SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

void thr_abs_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = in[i] - p->in_zero;
    out[i] = thr_finish16(thr_scale(v < 0 ? -v : v, p->mult[0], p->shift[0]), p->out_zero, p->lo, p->hi);
  }
}
