/* Inverse square root, int16 (TFLite RSQRT): 1 / sqrt(x - in_zero) with 20 bits of fraction, then scaled; hi for
 * numbers that are not positive. For int8 a table does it (lookup_s8.c). SPDX-License-Identifier: Apache-2.0 */
#include "fixed_root.h"

enum { FRACTION = 20 };

void thr_rsqrt_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = in[i] - p->in_zero;
    int shift;
    const int32_t root = thr_inverse_root(v, &shift), fraction = thr_scale(1, root, shift + FRACTION);
    const int32_t scaled = thr_scale(fraction, p->mult[0], p->shift[0]);
    out[i] = v > 0 ? thr_finish16(scaled, p->out_zero, p->lo, p->hi) : (int16_t)p->hi;
  }
}
