/* Convolution with a 1x1 kernel, for Armv7E-M: the image is a list of pixels, taken two by two. An odd last pixel keeps
 * itself company. SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

/* Two pixels become columns; what fills up the last quad meets weights of 0. */
static void widen_pixels(const int8_t *a, const int8_t *b, int32_t c, uint32_t *column) {
  for (; c >= 4; c -= 4, a += 4, b += 4, column += 4) thr_dsp_widen(thr_load4(a), thr_load4(b), column);
  if (c == 0) return;
  uint32_t rest_a = 0, rest_b = 0;
  memcpy(&rest_a, a, (size_t)c);
  memcpy(&rest_b, b, (size_t)c);
  thr_dsp_widen(rest_a, rest_b, column);
}

void thr_conv2d_1x1_s8_dsp(const thr_conv2d_params *p, const void *packed, const int8_t *in, int8_t *out,
                           void *scratch) {
  const int32_t in_c = p->in_c, out_c = p->out_c, quads = thr_dsp_quads(in_c);
  for (int32_t left = p->out_y * p->out_x; left > 0; left -= 2) {
    const int32_t pair = left > 1;
    widen_pixels(in, in + pair * in_c, in_c, scratch);
    thr_dsp_columns(p, quads, packed, scratch, out, out + pair * out_c);
    in += 2 * in_c;
    out += 2 * out_c;
  }
}
