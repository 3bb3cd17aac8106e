/* Convolution with a 1x1 kernel, for Armv8.1-M MVE: the image is a list of columns, taken two by two where they lie.
 * Blocks of 16 bytes reach behind a pixel whose channels do not fill them, into the next one, where they meet weights
 * of 0. What would reach behind the image is taken alone. SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

void thr_conv2d_1x1_s8_mve(const thr_conv2d_params *p, const void *packed, const int8_t *in, int8_t *out,
                           void *scratch) {
  const int32_t pixels = p->out_y * p->out_x, in_c = p->in_c, beyond = 16 * thr_mve_blocks(in_c) - in_c;
  const thr_mve_rows rows = {p->out_c, in_c, p->out_zero, p->lo, p->hi};
  int32_t alone = (beyond + in_c - 1) / in_c; /* at the end of the image */
  (void)scratch;
  if (alone > pixels) alone = pixels;
  thr_mve_rows_times(&rows, packed, in, in_c, pixels - alone, out);
  for (int32_t i = pixels - alone; i < pixels; i++)
    thr_mve_rows_once(&rows, packed, in + (size_t)i * (size_t)in_c, out + (size_t)i * (size_t)p->out_c);
}
