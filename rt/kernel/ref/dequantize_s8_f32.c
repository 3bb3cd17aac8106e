/* Int8 to float (TFLite DEQUANTIZE): out = scale * (x - zero). SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

void thr_dequantize_s8_f32_ref(const thr_quantize_params *p, const int8_t *in, float *out) {
  for (int32_t i = 0; i < p->n; i++) out[i] = p->scale * (float)(in[i] - p->zero);
}
