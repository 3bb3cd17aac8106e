/* The table of a fully connected layer. SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

static thr_mve_source source_of(const thr_fully_connected_params *p) {
  const thr_mve_source s = {p->out_n, 1, 1, p->in_n, p->in_zero, p->w_zero, &p->weights, &p->bias, &p->requant};
  return s;
}

int thr_fully_connected_rows_s8_mve_need(const thr_fully_connected_params *p, thr_need *need) {
  const thr_mve_source s = source_of(p);
  need->packed_bytes = thr_mve_rows_bytes(&s);
  need->scratch_bytes = 0;
  return need->packed_bytes > 0;
}

void thr_fully_connected_rows_s8_mve_pack(const thr_fully_connected_params *p, void *packed) {
  const thr_mve_source s = source_of(p);
  thr_mve_rows_pack(&s, packed);
}
