/* Two columns times all rows. See columns.h. SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

#include "pairs_run.h"

thr_pairs thr_dsp_columns_begin(const thr_conv2d_params *p, int32_t quads, const void *packed, const void *columns) {
  const int full = p->lo == INT8_MIN && p->hi == INT8_MAX;
  const int kind =
      (thr_dsp_is_relu(p) ? THR_PAIRS_RELU : THR_PAIRS_ANY) + (full ? THR_PAIRS_RELU : THR_PAIRS_RELU_CLAMP);
  return (thr_pairs){.packed = packed,
                     .columns = columns,
                     .columns_end = (const uint32_t *)columns + 4 * quads,
                     .entry = thr_pairs_entry(quads),
                     .kind = 4u * (uint32_t)kind,
                     .lo = (uint32_t)(uint8_t)p->lo * 0x01010101u,
                     .hi = (uint32_t)(uint8_t)p->hi * 0x01010101u};
}

/* An odd last row and its companion give two outputs to each pixel, of which one is wanted. */
static void last_row(thr_pairs pairs, int32_t rows_before, int8_t *out0, int8_t *out1) {
  const ptrdiff_t words = THR_PAIRS_HEAD + (pairs.columns_end - pairs.columns) + THR_PAIRS_TAIL;
  int8_t two[4];
  pairs.packed += (rows_before >> 1) * words;
  pairs.out0 = two;
  pairs.end = pairs.out1 = two + 2;
  thr_pairs_run(&pairs);
  *out0 = two[0];
  *out1 = two[2];
}

void thr_dsp_columns(thr_pairs *pairs, int32_t out_c, int8_t *out0, int8_t *out1) {
  const int32_t even = out_c & ~1;
  pairs->out0 = out0;
  pairs->out1 = out1;
  pairs->end = out0 + even;
  if (even > 0) thr_pairs_run(pairs);
  if (even < out_c) last_row(*pairs, even, out0 + even, out1 + even);
}
