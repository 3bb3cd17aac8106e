/* Convolution of int16 with int8 weights (TFLite CONV_2D 16x8), with groups and dilation. Zero points are 0.
 *
 *   acc = bias[oc] + sum over taps inside the image of w[oc, ky, kx, ic] * x[y', x', ic]
 *   out = clamp(scale64(acc, mult[oc], shift[oc]), lo, hi)       with acc64: sums of 64 bits, one rounding
 *   out = clamp(scale(acc, mult[oc], shift[oc]), lo, hi)         else: sums of 32 bits, two roundings
 *
 * Weights are coded and used as in conv2d_s8.c. SPDX-License-Identifier: Apache-2.0 */
#include "conv2d_s16.h"

uint32_t thr_conv2d_s16_scratch_bytes(const thr_conv2d_params *p) {
  return p->weights.decode ? (uint32_t)thr_conv2d_row_elems(p) + p->weights.memory : 0;
}

void thr_conv2d_s16_ref(const thr_conv2d_params *p, const int16_t *in, int16_t *out, void *scratch) {
  thr_conv2d_s16_by(p, in, out, scratch, thr_dot16);
}
