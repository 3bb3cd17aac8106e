/* Copies `outer` blocks of bytes to places out_step apart: one part of a concatenation, or a whole tensor.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "thr_kernels.h"

void thr_copy_s8_ref(const thr_copy_params *p, const int8_t *in, int8_t *out) {
  for (int32_t o = 0; o < p->outer; o++) {
    memcpy(out + (size_t)o * (size_t)p->out_step + (size_t)p->out_offset, in + (size_t)o * (size_t)p->block,
           (size_t)p->block);
  }
}
