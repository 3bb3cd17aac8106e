/* One output line of max_pool2d_s8, from the lines of its window (NULL: outside the image).
 * SPDX-License-Identifier: Apache-2.0 */
#include "pool2d_row.h"

static int32_t largest(const thr_pool_columns *w) {
  int32_t best = INT8_MIN;
  for (int32_t y = 0; y < w->lines; y++) {
    for (int32_t x = w->x; w->line[y] && x < w->x_end; x++) {
      const int32_t v = w->line[y][x * w->channels + w->c];
      if (v > best) best = v;
    }
  }
  return best;
}

void thr_max_pool2d_s8_row_ref(const void *params, const int8_t *weights, const int8_t *const *line, int8_t *out) {
  (void)weights;
  thr_pool2d_row((const thr_pool2d_params *)params, line, out, largest);
}
