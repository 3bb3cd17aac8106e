/* SVDF with a state of int8 (TFLite SVDF): per filter f, a dot product with the input joins the last `memory` ones, and
 * those are weighed in turn; `rank` filters make one output.
 *
 *   s = state_zero + clamp(scale(sum of w[f, i] * (x[i] - in_zero), m0), least, most of the state's type)
 *   state[f] = state[f] without its oldest value, then s
 *   out[u] = clamp(out_zero + scale(bias[u] + sum over its filters and over j of v[f, j] * (state[f, j] - state_zero),
 * m1), -128, 127)
 *
 * The low bits of s are stored: with a zero point large values wrap, as they do in TFLite Micro. A fused relu is in
 * out_zero = -128. SPDX-License-Identifier: Apache-2.0 */
#include "svdf.h"

uint32_t thr_svdf_s8_scratch_bytes(const thr_svdf_params *p) {
  return thr_svdf_scratch_bytes(p, 1);
}

void thr_svdf_s8_ref(const thr_svdf_params *p, const int8_t *in, const int8_t *state, int8_t *out, void *scratch) {
  thr_svdf(p, in, thr_state(state), out, scratch, 1);
}
