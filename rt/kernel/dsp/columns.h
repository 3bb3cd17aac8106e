/* Convolution as products of columns: all that the windows of two output pixels see, widened to 16 bits, times all rows
 * of weights (pairs.h). The forms of convolutions fill the columns, each in its own way; the rest is here.
 *
 * Table: for each two output channels a and b
 *   4 words            what the sums begin with, a b a b: bias - in_zero * sum of the row, times 2^left (requantize.h)
 *   4 words per quad   weights, times 2^left; the last quad is filled up with zeros
 *   6 words            mult of a and b, round of both, right shift of both
 * An odd last channel has a companion of zeros. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_DSP_COLUMNS_H
#define THR_DSP_COLUMNS_H

#include "pairs.h"
#include "thr_form.h"

static inline int32_t thr_dsp_quads(int32_t elems) {
  return (elems + 3) / 4;
}

/* Whether the clamp's lower end is at the zero point or above, as after a relu: requantization is shorter then. */
static inline int thr_dsp_is_relu(const thr_conv2d_params *p) {
  return p->lo >= p->out_zero;
}

/* `n` bytes at a and at b, a multiple of 4, become n values of the two columns. Returns the place behind them. */
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define THR_WIDEN_QUAD      \
  "ldr r4, [%0], #4\n"      \
  "ldr r6, [%1], #4\n"      \
  "sxtb16 r5, r4, ror #8\n" \
  "sxtb16 r4, r4\n"         \
  "sxtb16 r8, r6, ror #8\n" \
  "sxtb16 r6, r6\n"         \
  "stmia %3!, {r4, r5, r6, r8}\n"
static inline uint32_t *thr_dsp_widen(const int8_t *a, const int8_t *b, int32_t n, uint32_t *column) {
  if (n <= 0) return column;
  __asm__ volatile(
      "tst %2, #4\n"
      "beq 1f\n" THR_WIDEN_QUAD
      "subs %2, %2, #4\n"
      "beq 2f\n"
      "1:\n" THR_WIDEN_QUAD THR_WIDEN_QUAD
      "subs %2, %2, #8\n"
      "bne 1b\n"
      "2:\n"
      : "+r"(a), "+r"(b), "+r"(n), "+r"(column)
      :
      : "r4", "r5", "r6", "r8", "cc", "memory");
  return column;
}
#undef THR_WIDEN_QUAD
#else
static inline uint32_t *thr_dsp_widen(const int8_t *a, const int8_t *b, int32_t n, uint32_t *column) {
  for (; n > 0; n -= 4, a += 4, b += 4) {
    *column++ = thr_sxtb16(thr_load4(a));
    *column++ = thr_sxtb16_ror8(thr_load4(a));
    *column++ = thr_sxtb16(thr_load4(b));
    *column++ = thr_sxtb16_ror8(thr_load4(b));
  }
  return column;
}
#endif

/* All output channels of the pixels of two columns. `begin` once, with the place of the columns; then `columns` for
 * each two pixels. */
thr_pairs thr_dsp_columns_begin(const thr_conv2d_params *p, int32_t quads, const void *packed, const void *columns);
void thr_dsp_columns(thr_pairs *pairs, int32_t out_c, int8_t *out0, int8_t *out1);

/* --- on the host, for columns of `quads` quads; order gives the element of a row that the i-th of a column meets, -1
 * for none --- */
typedef int32_t thr_dsp_order_fn(const thr_conv2d_params *p, int32_t i);
int thr_dsp_columns_need(const thr_conv2d_params *p, int32_t quads, thr_need *need);
void thr_dsp_columns_pack(const thr_conv2d_params *p, int32_t quads, thr_dsp_order_fn *order, void *packed);

#endif
