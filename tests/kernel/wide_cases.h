/* Larger shapes than those of cases.h, with channel counts around the widths of vectors: what they give, the reference
 * says. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNEL_WIDE_CASES_H
#define TESTS_KERNEL_WIDE_CASES_H

#include "cases.h"

static void expect_reference(kase *k, size_t out_bytes) {
  expect(k, out_bytes);
  thr_step_run(&k->step, k->in, k->expected, NULL);
}

/* Channel counts around the widths of vectors, and others. */
static int32_t wide_channels(kase *k) {
  static const int32_t often[] = {4, 8, 16, 24, 32, 48, 64, 80, 128};
  return chance(k, 60) ? often[between(k, 0, 8)] : between(k, 1, 140);
}

/* 3x3, as nearly all depthwise convolutions are. */
static void usual_window(kase *k, thr_conv2d_params *p) {
  p->kernel_y = p->kernel_x = 3;
  p->dilation_y = p->dilation_x = 1;
  p->pad_y = (int16_t)between(k, 0, 2);
  p->pad_x = (int16_t)between(k, 0, 2);
  p->out_y = between(k, 1, (p->in_y - 1 + p->pad_y) / p->stride_y + 1);
  p->out_x = between(k, 1, (p->in_x - 1 + p->pad_x) / p->stride_x + 1);
}

/* pointwise: 1x1 windows over all pixels, often an odd number of them. */
static void wide_conv(kase *k, bool depthwise, bool pointwise) {
  thr_conv2d_params *p = &k->step.p.conv2d;
  p->in_y = between(k, 1, 20);
  p->in_x = between(k, 1, 20);
  p->in_c = chance(k, 30) ? between(k, 1, 3) : wide_channels(k);
  p->out_c = depthwise && p->in_c > 1 ? p->in_c : wide_channels(k);
  p->groups = depthwise ? p->in_c : 1;
  random_window(k, p->in_y, &p->out_y, &p->kernel_y, &p->stride_y, &p->dilation_y, &p->pad_y);
  random_window(k, p->in_x, &p->out_x, &p->kernel_x, &p->stride_x, &p->dilation_x, &p->pad_x);
  if (chance(k, 20)) p->kernel_y = (int16_t)between(k, 1, 10), p->pad_y = 0, p->out_y = 1;
  if (!depthwise) p->dilation_x = 1;
  if (depthwise && chance(k, 50)) usual_window(k, p);
  if (pointwise) {
    p->kernel_y = p->kernel_x = p->stride_y = p->stride_x = 1;
    p->pad_y = p->pad_x = 0;
    p->out_y = p->in_y;
    p->out_x = p->in_x;
  }
  p->in_zero = edgy(k, -128, 127);
  p->out_zero = edgy(k, -128, 127);
  clamp_range(k, &p->lo, &p->hi);
  const int32_t row = p->kernel_y * p->kernel_x * (p->in_c / p->groups);
  const double magnitude = 8000.0 * sqrt(row);
  p->weights = (thr_weights){.data = (const uint8_t *)bytes_of(k, (size_t)(row * p->out_c)),
                             .bytes = (uint32_t)(row * p->out_c)};
  random_bias(k, p->out_c, magnitude, &p->bias);
  random_requant(k, p->out_c, magnitude, &p->requant);
  input(k, 0, (size_t)(p->in_y * p->in_x * p->in_c));
  expect_reference(k, (size_t)(p->out_y * p->out_x * p->out_c));
}

static void wide_conv2d_s8(kase *k) {
  wide_conv(k, false, chance(k, 30));
}

static void wide_depthwise_conv2d_s8(kase *k) {
  wide_conv(k, true, false);
}

static void wide_fully_connected_s8(kase *k) {
  thr_fully_connected_params *p = &k->step.p.fully_connected;
  p->in_n = between(k, 1, 700);
  p->out_n = between(k, 1, 300);
  p->in_zero = edgy(k, -128, 127);
  p->out_zero = edgy(k, -128, 127);
  clamp_range(k, &p->lo, &p->hi);
  const int32_t n = p->in_n * p->out_n;
  const double magnitude = 8000.0 * sqrt(p->in_n);
  p->weights = (thr_weights){.data = (const uint8_t *)bytes_of(k, (size_t)n), .bytes = (uint32_t)n};
  random_bias(k, p->out_n, magnitude, &p->bias);
  random_requant(k, p->out_n, magnitude, &p->requant);
  input(k, 0, (size_t)p->in_n);
  expect_reference(k, (size_t)p->out_n);
}

static void wide_add_s8(kase *k) {
  thr_elementwise_params *p = &k->step.p.elementwise;
  int32_t size = 1;
  for (int d = 3; d >= 0; d--) {
    p->dim[d] = between(k, 1, d == 3 ? 90 : 5);
    p->stride_a[d] = p->stride_b[d] = p->dim[d] == 1 && chance(k, 50) ? 0 : size;
    size *= p->dim[d];
  }
  p->a_zero = edgy(k, -128, 127);
  p->b_zero = edgy(k, -128, 127);
  p->out_zero = edgy(k, -128, 127);
  clamp_range(k, &p->lo, &p->hi);
  p->left_shift = 20;
  const int coarser = between(k, 0, 1);
  for (int i = 0; i < 3; i++) {
    p->mult[i] = i == coarser && chance(k, 80) ? 1 << 30 : any_mult(k);
    p->shift[i] = (int8_t)(i == 2 ? between(k, -22, -17) : i == coarser ? 0 : between(k, -4, 0));
  }
  input(k, 0, (size_t)size);
  input(k, 1, (size_t)size);
  expect_reference(k, (size_t)size);
}

static void wide_avg_pool2d_s8(kase *k) {
  thr_pool2d_params *p = &k->step.p.pool2d;
  p->in_y = between(k, 1, 30);
  p->in_x = between(k, 1, 12);
  p->c = wide_channels(k);
  p->kernel_y = (int16_t)(chance(k, 50) ? p->in_y : between(k, 1, 4));
  p->kernel_x = (int16_t)(chance(k, 50) ? p->in_x : between(k, 1, 4));
  p->stride_y = (int16_t)between(k, 1, 3);
  p->stride_x = (int16_t)between(k, 1, 3);
  p->pad_y = (int16_t)between(k, 0, p->kernel_y - 1);
  p->pad_x = (int16_t)between(k, 0, p->kernel_x - 1);
  p->out_y = between(k, 1, (p->in_y - 1 + p->pad_y) / p->stride_y + 1);
  p->out_x = between(k, 1, (p->in_x - 1 + p->pad_x) / p->stride_x + 1);
  clamp_range(k, &p->lo, &p->hi);
  input(k, 0, (size_t)(p->in_y * p->in_x * p->c));
  expect_reference(k, (size_t)(p->out_y * p->out_x * p->c));
}

typedef void wide_case_fn(kase *k);

/* NULL: none. A kernel of the host's variants without wide cases does not compile. */
static wide_case_fn *wide_case(thr_kernel_id kernel) {
  switch (kernel) {
#define THR_X86(id, name, params) \
  case THR_KERNEL_##id:           \
    return wide_##name;
#include "../../rt/kernel/x86/kernels.def"
#undef THR_X86
    default:
      return NULL;
  }
}

#endif
