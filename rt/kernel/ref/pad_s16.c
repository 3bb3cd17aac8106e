/* Padding with a constant, int16, as pad_s8.c. Fills the
 * output with the value, then copies the input's lines into it. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "thr_kernels.h"

void thr_pad_s16_ref(const thr_pad_params *p, const int16_t *in, int16_t *out) {
  size_t size[4], total = 1;
  for (int d = 0; d < 4; d++) {
    size[d] = (size_t)p->before[d] + (size_t)p->in[d] + (size_t)p->after[d];
    total *= size[d];
  }
  for (size_t i = 0; i < total; i++) out[i] = (int16_t)p->value;
  for (int32_t n = 0; n < p->in[0]; n++) {
    for (int32_t y = 0; y < p->in[1]; y++) {
      for (int32_t x = 0; x < p->in[2]; x++, in += p->in[3]) {
        const size_t plane = (size_t)(n + p->before[0]) * size[1] + (size_t)(y + p->before[1]);
        const size_t line = plane * size[2] + (size_t)(x + p->before[2]);
        memcpy(out + line * size[3] + (size_t)p->before[3], in, sizeof *in * (size_t)p->in[3]);
      }
    }
  }
}
