/* Convolution, int8, without SIMD: the sums of ref/conv2d_s8.c in another order (windows.h). Output channels are the
 * outermost loop there as here, so that a coded row is decoded once. SPDX-License-Identifier: Apache-2.0 */
#include "windows.h"

static int32_t row_elems(const thr_conv2d_params *p) {
  return (int32_t)p->kernel_y * p->kernel_x * (p->in_c / p->groups);
}

/* All of a line of the kernel at once, where its taps are neighbours in the image as in the weights. */
static thr_two inside_dense(const thr_windows *l, const int8_t *a, const int8_t *b) {
  const int32_t run = l->p->kernel_x * l->depth;
  const int8_t *w = l->w;
  thr_two sum = {0, 0};
  for (int32_t ky = l->p->kernel_y; ky > 0; ky--) {
    const thr_two line = thr_dot2(a, b, w, run);
    sum.first = thr_wrap_add(sum.first, line.first);
    sum.second = thr_wrap_add(sum.second, line.second);
    a += l->line;
    b += l->line;
    w += run;
  }
  return sum;
}

/* Tap by tap: groups, dilation. */
static thr_two inside_sparse(const thr_windows *l, const int8_t *a, const int8_t *b) {
  const size_t back = l->line - (size_t)l->p->kernel_x * l->point;
  const int8_t *w = l->w;
  thr_two sum = {0, 0};
  for (int32_t ky = l->p->kernel_y; ky > 0; ky--) {
    for (int32_t kx = l->p->kernel_x; kx > 0; kx--) {
      const thr_two tap = thr_dot2(a, b, w, l->depth);
      sum.first = thr_wrap_add(sum.first, tap.first);
      sum.second = thr_wrap_add(sum.second, tap.second);
      a += l->point;
      b += l->point;
      w += l->depth;
    }
    a += back;
    b += back;
  }
  return sum;
}

void thr_conv2d_s8_small(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch) {
  const int32_t row = row_elems(p), group_out = p->out_c / p->groups;
  const int dense = p->dilation_x == 1 && p->groups == 1;
  thr_windows l = {.depth = p->in_c / p->groups};
  thr_stream stream;
  thr_channel_state channels = {0, 0, 0, 0};
  thr_windows_begin(&l, p);
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const thr_channel channel = thr_channel_next(&p->bias, &p->requant, &channels, oc);
    thr_windows_channel(&l, in + (oc / group_out) * l.depth, w, row, &channel);
    if (dense)
      thr_windows_run(&l, out + oc, inside_dense);
    else
      thr_windows_run(&l, out + oc, inside_sparse);
  }
}
