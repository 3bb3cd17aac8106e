/* Fully connected layer for Armv8.1-M MVE: the input is one column. SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

void thr_fully_connected_rows_s8_mve(const thr_fully_connected_params *p, const void *packed, const int8_t *in,
                                     int8_t *out, void *scratch) {
  const thr_mve_rows rows = {p->out_n, p->in_n, p->out_zero, p->lo, p->hi};
  (void)scratch;
  thr_mve_rows_once(&rows, packed, in, out);
}
