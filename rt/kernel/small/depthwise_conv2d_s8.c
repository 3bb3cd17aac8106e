/* Depthwise convolution, int8, without SIMD: the sums of ref/depthwise_conv2d_s8.c in another order (windows.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "windows.h"

static thr_two inside_points(const thr_windows *l, const int8_t *a, const int8_t *b) {
  const int32_t kernel_x = l->p->kernel_x;
  const size_t point = l->point, back = l->line - point * (size_t)kernel_x;
  const int8_t *w = l->w;
  uint32_t first = 0, second = 0;
  for (int32_t ky = l->p->kernel_y; ky > 0; ky--) {
    for (const int8_t *end = w + kernel_x; w < end; w++) {
      const int32_t weight = *w;
      first += (uint32_t)(weight * *a);
      second += (uint32_t)(weight * *b);
      a += point;
      b += point;
    }
    a += back;
    b += back;
  }
  const thr_two sum = {(int32_t)first, (int32_t)second};
  return sum;
}

void thr_depthwise_conv2d_s8_small(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch) {
  const int32_t row = (int32_t)p->kernel_y * p->kernel_x, multiplier = p->out_c / p->in_c;
  thr_windows l = {.depth = 1};
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  thr_windows_begin(&l, p);
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    thr_windows_channel(&l, in + oc / multiplier, w, row, &channel);
    thr_windows_run(&l, out + oc, inside_points);
  }
}
