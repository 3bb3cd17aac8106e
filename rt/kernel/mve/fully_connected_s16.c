/* Fully connected layer of int16 for Armv8.1-M MVE: eight products at a time, summed in 64 bits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../ref/fully_connected_s16.h"
#include "dot.h"

void thr_fully_connected_s16_mve(const thr_fully_connected_params *p, const int16_t *in, int16_t *out, void *scratch) {
  thr_fully_connected_s16_by(p, in, out, scratch, thr_mve_dot16);
}
