/* Any function of one int8 element: out = table[x + 128]. The host makes the 256 entries (docs/numerics.md, "Functions
 * by table"). SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

void thr_lookup_s8_ref(const thr_lookup_params *p, const int8_t *in, const int8_t *table, int8_t *out) {
  for (int32_t i = 0; i < p->n; i++) out[i] = table[in[i] + 128];
}
