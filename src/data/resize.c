/* Separable resampling by a triangle: columns first, then rows. See resize.h.
 *
 * With s = in / out and r = max(1, s), output pixel o has its centre at m = (o + 0.5) s and the weights
 * max(0, 1 - |i + 0.5 - m| / r), divided by their sum. Values are rounded once, at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/resize.h"

#include <math.h>

typedef struct taps {
  int begin, count;
  float *weight;
} taps;

static taps *make_taps(th_arena *arena, int in, int out) {
  double s = (double)in / out, r = s > 1 ? s : 1;
  int most = 2 * (int)ceil(r) + 2;
  taps *t = TH_ARRAY(arena, taps, out);
  float *weights = TH_ARRAY(arena, float, (size_t)out *(size_t)most);
  if (!t || !weights) return NULL;
  for (int o = 0; o < out; o++) {
    double m = (o + 0.5) * s, sum = 0;
    int begin = (int)floor(m - r), end = (int)ceil(m + r);
    if (begin < 0) begin = 0;
    if (end > in) end = in;
    t[o] = (taps){begin, end - begin, weights + (size_t)o * (size_t)most};
    for (int i = begin; i < end; i++) sum += fmax(0, 1 - fabs(i + 0.5 - m) / r);
    for (int i = begin; i < end; i++) t[o].weight[i - begin] = (float)(fmax(0, 1 - fabs(i + 0.5 - m) / r) / sum);
  }
  return t;
}

static void resize_row(const uint8_t *in, int c_count, const taps *t, int x_out, float *out) {
  for (int x = 0; x < x_out; x++)
    for (int c = 0; c < c_count; c++) {
      float sum = 0;
      for (int k = 0; k < t[x].count; k++) sum += t[x].weight[k] * (float)in[(t[x].begin + k) * c_count + c];
      *out++ = sum;
    }
}

th_status th_resize(th_arena *arena, const th_image *image, int y, int x, uint8_t *out) {
  int c = image->c;
  size_t row = (size_t)x * (size_t)c;
  taps *across = make_taps(arena, image->x, x), *down = make_taps(arena, image->y, y);
  float *narrow = TH_ARRAY(arena, float, (size_t)image->y *row);
  if (!across || !down || !narrow) return TH_ERR_RESOURCE;
  for (int i = 0; i < image->y; i++)
    resize_row(image->pixels + (size_t)i * (size_t)(image->x * c), c, across, x, narrow + (size_t)i * row);
  for (int o = 0; o < y; o++)
    for (size_t i = 0; i < row; i++) {
      float sum = 0;
      for (int k = 0; k < down[o].count; k++) sum += down[o].weight[k] * narrow[(size_t)(down[o].begin + k) * row + i];
      out[(size_t)o * row + i] = (uint8_t)fminf(fmaxf(floorf(sum + 0.5f), 0), 255);
    }
  return TH_OK;
}
