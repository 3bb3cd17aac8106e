/* Two columns times all rows. See columns.h. SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

#include "pairs.h"

/* An odd last row and its companion give two outputs to each pixel, of which one is wanted. */
static void last_row(thr_pairs pairs, int8_t *out0, int8_t *out1) {
  int8_t two[4];
  pairs.packed += (size_t)(pairs.rows >> 1) * (size_t)(THR_PAIRS_HEAD + 4 * pairs.quads + THR_PAIRS_TAIL);
  pairs.rows = 2;
  pairs.out0 = two;
  pairs.out1 = two + 2;
  thr_pairs_run(&pairs);
  *out0 = two[0];
  *out1 = two[2];
}

void thr_dsp_columns(const thr_conv2d_params *p, int32_t quads, const uint32_t *packed, const uint32_t *columns,
                     int8_t *out0, int8_t *out1) {
  const int full = p->lo == INT8_MIN && p->hi == INT8_MAX;
  const int32_t even = p->out_c & ~1;
  const thr_pairs pairs = {
      .packed = packed,
      .columns = columns,
      .quads = quads,
      .rows = even,
      .out0 = out0,
      .out1 = out1,
      .kind = (thr_dsp_is_relu(p) ? THR_PAIRS_RELU : THR_PAIRS_ANY) + (full ? THR_PAIRS_RELU : THR_PAIRS_RELU_CLAMP),
      .lo = (uint32_t)(uint8_t)p->lo * 0x01010101u,
      .hi = (uint32_t)(uint8_t)p->hi * 0x01010101u};
  if (even > 0) thr_pairs_run(&pairs);
  if (even < p->out_c) last_row(pairs, out0 + even, out1 + even);
}
