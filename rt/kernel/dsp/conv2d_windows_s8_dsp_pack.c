/* Which convolutions gather windows, and their table. SPDX-License-Identifier: Apache-2.0 */
#include "windows.h"

int thr_conv2d_windows_s8_dsp_need(const thr_conv2d_params *p, thr_need *need) {
  if (p->dilation_x != 1 && p->kernel_x != 1) return 0; /* the taps of a line are neighbours */
  if (!thr_dsp_columns_need(p, thr_dsp_window_quads(p), need)) return 0;
  need->scratch_bytes = (size_t)thr_dsp_window_words(p) * 4;
  return 1;
}

static int32_t window_order(const thr_conv2d_params *p, int32_t i) {
  const int32_t line = thr_dsp_line(p), rest = thr_dsp_rest(p), whole = line - rest, wholes = p->kernel_y * whole;
  if (i < wholes) return i / whole * line + i % whole;
  i -= wholes;
  return rest > 0 && i < p->kernel_y * rest ? i / rest * line + whole + i % rest : -1;
}

void thr_conv2d_windows_s8_dsp_pack(const thr_conv2d_params *p, void *packed) {
  thr_dsp_columns_pack(p, thr_dsp_window_quads(p), window_order, packed);
}
