/* Transposed convolution of int16 with int8 weights (TFLite TRANSPOSE_CONV 16x8). Zero points are 0; the taps are those
 * of transpose_conv2d_s8.c, acc64 and the scaling those of conv2d_s16.c. SPDX-License-Identifier: Apache-2.0 */
#include "arith.h"

static int32_t row_elems(const thr_conv2d_params *p) {
  return (int32_t)p->kernel_y * p->kernel_x * p->in_c;
}

uint32_t thr_transpose_conv2d_s16_scratch_bytes(const thr_conv2d_params *p) {
  return p->weights.decode ? (uint32_t)row_elems(p) + p->weights.memory : 0;
}

/* First tap that reaches output `at` (padding included) from an input pixel inside `size`; others are `stride` apart.
 */
static int32_t first_tap(int32_t at, int32_t stride, int32_t size) {
  const int32_t beyond = at / stride - (size - 1); /* input pixels past the end */
  return at % stride + (beyond > 0 ? beyond * stride : 0);
}

static int64_t sum_taps(const thr_conv2d_params *p, const int16_t *in, const int8_t *w, int32_t y, int32_t x,
                        int64_t acc) {
  for (int32_t ky = first_tap(y, p->stride_y, p->in_y); ky < p->kernel_y && ky <= y; ky += p->stride_y) {
    const int16_t *line = in + (size_t)((y - ky) / p->stride_y) * (size_t)p->in_x * (size_t)p->in_c;
    for (int32_t kx = first_tap(x, p->stride_x, p->in_x); kx < p->kernel_x && kx <= x; kx += p->stride_x)
      acc = thr_dot16(acc, line + (size_t)((x - kx) / p->stride_x) * (size_t)p->in_c,
                      w + ((size_t)ky * (size_t)p->kernel_x + (size_t)kx) * (size_t)p->in_c, p->in_c);
  }
  return acc;
}

void thr_transpose_conv2d_s16_ref(const thr_conv2d_params *p, const int16_t *in, int16_t *out, void *scratch) {
  const int32_t row = row_elems(p);
  thr_stream stream;
  if (p->weights.decode) thr_stream_begin(&stream, &p->weights, (int8_t *)scratch + row);
  for (int32_t oc = 0; oc < p->out_c; oc++) {
    const int8_t *w = thr_weight_row(&p->weights, &stream, oc, row, scratch);
    const int64_t bias = thr_bias64_at(&p->bias, oc);
    int16_t *o = out + oc;
    for (int32_t y = 0; y < p->out_y; y++) {
      for (int32_t x = 0; x < p->out_x; x++, o += p->out_c) {
        const int64_t acc = sum_taps(p, in, w, y + p->pad_y, x + p->pad_x, bias);
        *o = thr_finish16(thr_requantize16(&p->requant, oc, acc, p->acc64), p->out_zero, p->lo, p->hi);
      }
    }
  }
}
