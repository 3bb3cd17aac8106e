/* One output line of avg_pool2d_s8 from parameters in program memory. SPDX-License-Identifier: Apache-2.0 */
#include "thr_flash.h"
#include "thr_rows.h"

void thr_avg_pool2d_s8_row_avr(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out) {
  thr_pool2d_params p;
  thr_flash_copy(&p, params, sizeof p);
  thr_avg_pool2d_s8_row_ref(&p, weights, line, out);
}
