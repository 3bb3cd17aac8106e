/* One output line of avg_pool2d_s8, from the lines of its window (NULL: outside the image). The mean rounds as there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pool2d_row.h"

static int32_t mean(const thr_pool_columns *w) {
  int32_t sum = 0, n = 0;
  for (int32_t y = 0; y < w->lines; y++) {
    for (int32_t x = w->x; w->line[y] && x < w->x_end; x++, n++) sum += w->line[y][x * w->channels + w->c];
  }
  if (n == 0) return 0;
  return sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n;
}

void thr_avg_pool2d_s8_row_ref(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out) {
  (void)weights;
  thr_pool2d_row((const thr_pool2d_params *)params, line, out, mean);
}
