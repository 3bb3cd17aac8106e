/* Sigmoid, int16 -> int16 with scale 1/32768 (TFLite LOGISTIC). Zero points are 0.
 *
 *   v = (x * mult + 2^(shift - 1)) >> shift              x in units of 1 / 12288
 *   out = sigmoid(v / 12288), from a table of 256 intervals of 1/24 by interpolation; 32767 beyond it
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fixed_s16.h"

void thr_logistic_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out) {
  for (int32_t i = 0; i < p->n; i++) out[i] = (int16_t)thr_sigmoid_s16(thr_table_input(in[i], p->mult[0], p->shift[0]));
}
