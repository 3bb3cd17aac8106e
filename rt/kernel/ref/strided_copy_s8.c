/* Copies blocks of bytes from places of one regular grid to places of another: all movement of values. The innermost
 * dimension is a plain loop; the five outer ones count like an odometer. Steps back from the last index of a dimension
 * to its first stay within the tensor, so offsets never leave 32 bits. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "thr_kernels.h"

static void copy_row(const thr_strided_copy_params *p, const int8_t *in, int8_t *out) {
  for (int32_t i = 0; i < p->dim[5]; i++) {
    const int8_t *from = in + (ptrdiff_t)i * p->in_step[5];
    int8_t *to = out + (ptrdiff_t)i * p->out_step[5];
    if (p->block == 1) {
      *to = *from;
    } else {
      memcpy(to, from, (size_t)p->block);
    }
  }
}

void thr_strided_copy_s8_ref(const thr_strided_copy_params *p, const int8_t *in, int8_t *out) {
  int32_t index[5] = {0, 0, 0, 0, 0}, from = p->in_at, to = p->out_at;
  for (;;) {
    copy_row(p, in + from, out + to);
    int d = 4;
    while (d >= 0 && index[d] == p->dim[d] - 1) {
      from -= index[d] * p->in_step[d];
      to -= index[d] * p->out_step[d];
      index[d--] = 0;
    }
    if (d < 0) return;
    index[d]++;
    from += p->in_step[d];
    to += p->out_step[d];
  }
}
