/* Fully connected layer of int16 with int8 weights for cores with DSP instructions: kernel/ref/fully_connected_s16.c,
 * bit for bit, two products at a time. SPDX-License-Identifier: Apache-2.0 */
#include "../ref/fully_connected_s16.h"
#include "dot16.h"

void thr_fully_connected_s16_dsp(const thr_fully_connected_params *p, const int16_t *in, int16_t *out, void *scratch) {
  thr_fully_connected_s16_by(p, in, out, scratch, thr_dot16_dsp);
}
