/* Which depthwise convolutions have a 3x3 kernel, and their table. SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_3x3_s8_mve.h"
#include "rows.h"

enum { MOST_BIAS = 1 << 30 }; /* sums then stay so small that adding the zero point cannot wrap */

/* Two neighbouring taps of -128 reach 32768, one too many for 16 bits. */
static int fits(const thr_conv2d_params *p, int32_t c) {
  const int8_t *w = (const int8_t *)p->weights.data + (size_t)c * THR_MVE_TAPS;
  const int32_t bias = thr_bias_at(&p->bias, c);
  for (int32_t t = 0; t + 1 < THR_MVE_TAPS; t += 2)
    if (w[t] == INT8_MIN && w[t + 1] == INT8_MIN) return 0;
  return bias > -MOST_BIAS && bias < MOST_BIAS;
}

int thr_depthwise_3x3_s8_mve_need(const thr_conv2d_params *p, thr_need *need) {
  if (p->kernel_y != 3 || p->kernel_x != 3 || p->dilation_y != 1 || p->dilation_x != 1) return 0;
  if (p->groups != p->in_c || p->out_c != p->in_c || p->w_zero != 0) return 0;
  if (!thr_mve_can_pack(&p->weights, &p->requant, p->out_c)) return 0;
  /* The loop asks one question a pixel: taps that go on by nothing mean that the output does, too. */
  if (p->out_c % 8 != 0 && p->stride_x * p->out_c == 8 * thr_mve_eights(p->out_c)) return 0;
  for (int32_t c = 0; c < p->out_c; c++)
    if (!fits(p, c)) return 0;
  need->packed_bytes = (size_t)thr_mve_eights(p->out_c) * THR_MVE_EIGHT_BYTES;
  need->scratch_bytes = 8 * (size_t)thr_mve_eights(p->out_c) + 6 * thr_mve_line_elems(p);
  return 1;
}

void thr_depthwise_3x3_s8_mve_pack(const thr_conv2d_params *p, void *packed) {
  memset(packed, 0, (size_t)thr_mve_eights(p->out_c) * THR_MVE_EIGHT_BYTES);
  for (int32_t c = 0; c < p->out_c; c++) {
    int8_t *eight = (int8_t *)packed + c / 8 * THR_MVE_EIGHT_BYTES, *tail = eight + THR_MVE_EIGHT_BYTES - 64;
    const int32_t e = thr_requant_entry(&p->requant, c), at = (c & 1) * 16 + (c % 8 >> 1) * 4;
    int32_t words[3] = {thr_bias_at(&p->bias, c), p->requant.mult[e], p->requant.shift[e]};
    for (int32_t t = 0; t < THR_MVE_TAPS; t++) {
      const int8_t w = (int8_t)p->weights.data[c * THR_MVE_TAPS + t];
      eight[32 + 8 * t + c % 8] = w;
      words[0] -= w * p->in_zero;
    }
    memcpy(eight + at, &words[0], 4);
    memcpy(tail + at, &words[1], 4);
    memcpy(tail + 32 + at, &words[2], 4);
  }
}
