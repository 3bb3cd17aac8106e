/* Fully connected layer of int16 with int8 weights (TFLite FULLY_CONNECTED 16x8). Zero points are 0.
 *
 *   acc = bias[o] + sum over i of w[o, i] * x[i]
 *
 * and the scaling of conv2d_s16.c; coded weights as in fully_connected_s8.c. SPDX-License-Identifier: Apache-2.0 */
#include "fully_connected_s16.h"

uint32_t thr_fully_connected_s16_scratch_bytes(const thr_fully_connected_params *p) {
  return p->weights.decode ? thr_fully_connected_chunk(p) + p->weights.memory : 0;
}

void thr_fully_connected_s16_ref(const thr_fully_connected_params *p, const int16_t *in, int16_t *out, void *scratch) {
  thr_fully_connected_s16_by(p, in, out, scratch, thr_dot16);
}
