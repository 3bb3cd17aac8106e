/* Int16, uint8, int32 or int8 to float (TFLite DEQUANTIZE): out = scale * (x - zero), the product in double.
 * SPDX-License-Identifier: Apache-2.0 */
#include "any.h"

void thr_dequantize_any_f32_ref(const thr_quantize_params *p, const void *in, float *out) {
  for (int32_t i = 0; i < p->n; i++) {
    const int32_t v = thr_wrap_sub(thr_get_any(in, (size_t)i, p->type), p->zero);
    out[i] = (float)((double)p->scale * (double)v);
  }
}
