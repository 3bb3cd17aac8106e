/* Integers of one type and scale to another (TFLite QUANTIZE of integers), int8, uint8, int16 or int32:
 *
 *   out = clamp(out_zero + scale(x - in_zero, mult, shift), least, most of the output's type)
 *
 * Between the layers of a model int8 to int8 is relu_s8.c; this one serves borders, where the type is looked up at
 * every element. SPDX-License-Identifier: Apache-2.0 */
#include "any.h"

void thr_requantize_any_ref(const thr_requantize_params *p, const void *in, void *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = thr_wrap_sub(thr_get_any(in, (size_t)i, p->in_type), p->in_zero);
    thr_set_any(out, (size_t)i, p->out_type, thr_wrap_add(thr_scale(v, p->mult, p->shift), p->out_zero));
  }
}
