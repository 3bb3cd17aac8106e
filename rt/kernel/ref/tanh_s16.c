/* Hyperbolic tangent, int16 -> int16 with scale 1/32768 (TFLite TANH). Zero points are 0.
 *
 *   v = (x * mult + 2^(shift - 1)) >> shift              x in units of 1 / 12288
 *   out = 2 sigmoid(2 v / 12288) - 1, from the table of the sigmoid
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fixed_s16.h"

void thr_tanh_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out) {
  for (int32_t i = 0; i < p->n; i++) out[i] = (int16_t)thr_tanh_s16_of(thr_table_input(in[i], p->mult[0], p->shift[0]));
}
