/* Depthwise convolution of int16 with int8 weights for cores with DSP instructions: kernel/ref/depthwise_conv2d_s16.c,
 * bit for bit, products by SMLALBB. SPDX-License-Identifier: Apache-2.0 */
#include "../ref/depthwise_conv2d_s16.h"
#include "dot16.h"

void thr_depthwise_conv2d_s16_dsp(const thr_conv2d_params *p, const int16_t *in, int16_t *out, void *scratch) {
  thr_depthwise_conv2d_s16_by(p, in, out, scratch, thr_taps16_dsp);
}
