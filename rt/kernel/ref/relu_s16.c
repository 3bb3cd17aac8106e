/* Change of scale with a clamp, int16: the formula of relu_s8.c. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

void thr_relu_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = thr_scale(in[i] - p->in_zero, p->mult[0], p->shift[0]);
    out[i] = thr_finish16(v, p->out_zero, p->lo, p->hi);
  }
}
