/* Softmax over the last dimension, int8 -> int8 with scale 1/256 and zero -128 (TFLite SOFTMAX).
 *
 *   d = x - max of the row;  d < diff_min gives -128 and does not count; else
 *   e   = exp(high_mul(d * 2^shift, mult))            argument Q5.26, result Q0.31
 *   sum = sum of rshift(e, 12)                        Q12.19
 *   z   = leading zeros of sum;  r = 1 / (1 + f) with 1 + f = sum * 2^z / 2^31
 *   out = clamp(rshift(high_mul(r, e), 35 - z) - 128, -128, 127)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "softmax.h"

void thr_softmax_s8_ref(const thr_softmax_params *p, const int8_t *in, int8_t *out) {
  thr_softmax(p, in, out, 1);
}
