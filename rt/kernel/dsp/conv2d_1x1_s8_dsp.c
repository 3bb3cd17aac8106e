/* Convolution with a 1x1 kernel, for Armv7E-M: the image is a list of pixels, taken two by two. An odd last pixel keeps
 * itself company. SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

/* What fills up the last quad meets weights of 0. */
static void widen_rest(const int8_t *a, const int8_t *b, int32_t n, uint32_t *column) {
  int8_t rest[8] = {0};
  for (int32_t i = 0; i < n; i++) {
    rest[i] = a[i];
    rest[4 + i] = b[i];
  }
  (void)thr_dsp_widen(rest, rest + 4, 4, column);
}

void thr_conv2d_1x1_s8_dsp(const thr_conv2d_params *p, const void *packed, const int8_t *in, int8_t *out,
                           void *scratch) {
  const int32_t in_c = p->in_c, out_c = p->out_c, whole = in_c & ~3;
  thr_pairs pairs = thr_dsp_columns_begin(p, thr_dsp_quads(in_c), packed, scratch);
  for (int32_t left = p->out_y * p->out_x; left > 0; left -= 2) {
    const int32_t pair = left > 1;
    const int8_t *other = in + pair * in_c;
    uint32_t *end = thr_dsp_widen(in, other, whole, scratch);
    if (whole < in_c) widen_rest(in + whole, other + whole, in_c - whole, end);
    thr_dsp_columns(&pairs, out_c, out, out + pair * out_c);
    in += 2 * in_c;
    out += 2 * out_c;
  }
}
