/* Sums of products of int8 by SMLAD, for kernels of this folder that read weights in storage order.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_DOT_H
#define THR_DSP_DOT_H

#include "../ref/arith.h"
#include "dsp.h"

/* acc + sum of w[i] * (x[i] - zero), as thr_dot(): four products in eight instructions. */
__attribute__((noinline)) static int32_t thr_dot_dsp(int32_t acc, const int8_t *x, const int8_t *w, int32_t n,
                                                     int32_t zero) {
  const uint32_t offset = thr_pkhbt((uint32_t)(-zero), (uint32_t)(-zero));
  for (; n >= 4; n -= 4, x += 4, w += 4) {
    const uint32_t x4 = thr_load4(x), w4 = thr_load4(w);
    acc = thr_smlad(thr_sxtab16(offset, x4), thr_sxtb16(w4), acc);
    acc = thr_smlad(thr_sxtab16_ror8(offset, x4), thr_sxtb16_ror8(w4), acc);
  }
  return thr_dot(acc, x, w, n, zero);
}

#endif
