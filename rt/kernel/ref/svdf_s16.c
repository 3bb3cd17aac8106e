/* SVDF with a state of int16 (TFLite SVDF): the formula of svdf_s8.c, state_zero being 0 in practice.
 * SPDX-License-Identifier: Apache-2.0 */
#include "svdf.h"

uint32_t thr_svdf_s16_scratch_bytes(const thr_svdf_params *p) {
  return thr_svdf_scratch_bytes(p, 2);
}

void thr_svdf_s16_ref(const thr_svdf_params *p, const int8_t *in, const int16_t *state, int8_t *out, void *scratch) {
  thr_svdf(p, in, thr_state(state), out, scratch, 2);
}
