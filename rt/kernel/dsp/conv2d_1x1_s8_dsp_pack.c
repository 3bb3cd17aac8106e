/* Which convolutions have a 1x1 kernel, and their table. SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

int thr_conv2d_1x1_s8_dsp_need(const thr_conv2d_params *p, thr_need *need) {
  if (p->kernel_y != 1 || p->kernel_x != 1 || p->stride_y != 1 || p->stride_x != 1 || p->pad_y != 0 || p->pad_x != 0)
    return 0;
  if (p->in_y != p->out_y || p->in_x != p->out_x) return 0;
  return thr_dsp_columns_need(p, thr_dsp_quads(p->in_c), need);
}

static int32_t in_order(const thr_conv2d_params *p, int32_t i) {
  return i < p->in_c ? i : -1;
}

void thr_conv2d_1x1_s8_dsp_pack(const thr_conv2d_params *p, void *packed) {
  thr_dsp_columns_pack(p, thr_dsp_quads(p->in_c), in_order, packed);
}
