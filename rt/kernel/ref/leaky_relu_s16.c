/* Leaky relu, int16 (TFLite LEAKY_RELU): the formula of leaky_relu_s8.c. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

void thr_leaky_relu_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = in[i] - p->in_zero;
    const int k = v < 0 ? 1 : 0;
    out[i] = thr_finish16(thr_scale(v, p->mult[k], p->shift[k]), p->out_zero, p->lo, p->hi);
  }
}
