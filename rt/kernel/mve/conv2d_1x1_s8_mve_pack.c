/* Which convolutions have a 1x1 kernel, and their table. SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

static thr_mve_source source_of(const thr_conv2d_params *p) {
  const thr_mve_source s = {p->out_c, 1, 1, p->in_c, p->in_zero, p->w_zero, &p->weights, &p->bias, &p->requant};
  return s;
}

int thr_conv2d_1x1_s8_mve_need(const thr_conv2d_params *p, thr_need *need) {
  const thr_mve_source s = source_of(p);
  if (p->kernel_y != 1 || p->kernel_x != 1 || p->stride_y != 1 || p->stride_x != 1 || p->pad_y != 0 || p->pad_x != 0)
    return 0;
  if (p->in_y != p->out_y || p->in_x != p->out_x || p->groups != 1) return 0;
  need->packed_bytes = thr_mve_rows_bytes(&s);
  need->scratch_bytes = 0;
  return need->packed_bytes > 0;
}

void thr_conv2d_1x1_s8_mve_pack(const thr_conv2d_params *p, void *packed) {
  const thr_mve_source s = source_of(p);
  thr_mve_rows_pack(&s, packed);
}
