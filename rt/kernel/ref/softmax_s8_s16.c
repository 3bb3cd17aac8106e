/* Softmax over the last dimension, int8 -> int16 with scale 1/65536 and zero -32768 (TFLite SOFTMAX): the formula of
 * softmax_s8.c with eight bits more of the result, clamp(rshift(high_mul(r, e), 27 - z) - 32768, -32768, 32767).
 * SPDX-License-Identifier: Apache-2.0 */
#include "softmax.h"

void thr_softmax_s8_s16_ref(const thr_softmax_params *p, const int8_t *in, int16_t *out) {
  thr_softmax(p, in, out, 2);
}
