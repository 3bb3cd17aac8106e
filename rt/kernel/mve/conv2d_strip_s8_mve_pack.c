/* Which convolutions can be had from a strip, and their table. SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"
#include "strip.h"

static thr_mve_source source_of(const thr_conv2d_params *p) {
  const thr_mve_source s = {p->out_c,  p->kernel_y, p->kernel_x, p->in_c,    p->in_zero,
                            p->w_zero, &p->weights, &p->bias,    &p->requant};
  return s;
}

int thr_conv2d_strip_s8_mve_need(const thr_conv2d_params *p, thr_need *need) {
  const thr_mve_source s = source_of(p);
  if (p->groups != 1 || p->dilation_x != 1) return 0;
  need->packed_bytes = thr_mve_rows_bytes(&s);
  need->scratch_bytes = thr_mve_strip_bytes(p);
  return need->packed_bytes > 0;
}

void thr_conv2d_strip_s8_mve_pack(const thr_conv2d_params *p, void *packed) {
  const thr_mve_source s = source_of(p);
  thr_mve_rows_pack(&s, packed);
}
