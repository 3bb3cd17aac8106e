/* Which variant of each kernel this compile uses. Whoever calls a kernel includes this file and writes the name without
 * a suffix: thr_conv2d_s8(...). It is the only place that asks for the instruction set; a faster variant changes one
 * line here. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_SELECT_H
#define THR_SELECT_H

#include "thr_kernels.h"

/* The variants' declarations, by inputs and scratch. */
#define THR_VARIANT_1_0(name, params, type) void name(const thr_##params##_params *p, const type *in, type *out);
#define THR_VARIANT_1_1(name, params, type) \
  void name(const thr_##params##_params *p, const type *in, type *out, void *scratch);
#define THR_VARIANT_2_0(name, params, type) \
  void name(const thr_##params##_params *p, const type *a, const type *b, type *out);
#define THR_VARIANT(kernel, name, params, inputs, scratch, type, folder) \
  THR_VARIANT_##inputs##_##scratch(thr_##name##_##folder, params, type)
#include "variants.def"
#undef THR_VARIANT

/* Microcontrollers without SIMD: Armv6-M, Armv8-M Baseline, Cortex-M3, RISC-V of 32 bits. */
#if (defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M' && !defined(__ARM_FEATURE_DSP)) || \
    (defined(__riscv_xlen) && __riscv_xlen == 32)
#define THR_SELECT_SMALL 1
#else
#define THR_SELECT_SMALL 0
#endif

/* Armv8.1-M with the vector extension for integers, which has the DSP extension too. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define THR_SELECT_MVE 1
#else
#define THR_SELECT_MVE 0
#endif

/* Armv7E-M and Armv8-M with the DSP extension. */
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define THR_SELECT_DSP 1
#else
#define THR_SELECT_DSP 0
#endif

/* Kernels that have variants. */
#if THR_SELECT_MVE
#define thr_conv2d_s8 thr_conv2d_s8_mve
#define thr_depthwise_conv2d_s8 thr_depthwise_conv2d_s8_mve
#define thr_fully_connected_s8 thr_fully_connected_s8_mve
#define thr_max_pool2d_s8 thr_max_pool2d_s8_dsp
#define thr_avg_pool2d_s8 thr_avg_pool2d_s8_mve
#define thr_add_s8 thr_add_s8_mve
#define thr_mean_s8 thr_mean_s8_dsp
#elif THR_SELECT_DSP
#define thr_conv2d_s8 thr_conv2d_s8_dsp
#define thr_depthwise_conv2d_s8 thr_depthwise_conv2d_s8_dsp
#define thr_fully_connected_s8 thr_fully_connected_s8_dsp
#define thr_max_pool2d_s8 thr_max_pool2d_s8_dsp
#define thr_avg_pool2d_s8 thr_avg_pool2d_s8_dsp
#define thr_add_s8 thr_add_s8_dsp
#define thr_mean_s8 thr_mean_s8_dsp
#elif defined(__AVR__)
#define thr_conv2d_s8 thr_conv2d_s8_avr
#define thr_depthwise_conv2d_s8 thr_depthwise_conv2d_s8_avr
#define thr_fully_connected_s8 thr_fully_connected_s8_avr
#define thr_max_pool2d_s8 thr_max_pool2d_s8_ref
#define thr_avg_pool2d_s8 thr_avg_pool2d_s8_ref
#define thr_add_s8 thr_add_s8_ref
#define thr_mean_s8 thr_mean_s8_ref
#elif THR_SELECT_SMALL
#define thr_conv2d_s8 thr_conv2d_s8_small
#define thr_depthwise_conv2d_s8 thr_depthwise_conv2d_s8_small
#define thr_fully_connected_s8 thr_fully_connected_s8_small
#define thr_max_pool2d_s8 thr_max_pool2d_s8_ref
#define thr_avg_pool2d_s8 thr_avg_pool2d_s8_ref
#define thr_add_s8 thr_add_s8_small
#define thr_mean_s8 thr_mean_s8_ref
#else
#define thr_conv2d_s8 thr_conv2d_s8_ref
#define thr_depthwise_conv2d_s8 thr_depthwise_conv2d_s8_ref
#define thr_fully_connected_s8 thr_fully_connected_s8_ref
#define thr_max_pool2d_s8 thr_max_pool2d_s8_ref
#define thr_avg_pool2d_s8 thr_avg_pool2d_s8_ref
#define thr_add_s8 thr_add_s8_ref
#define thr_mean_s8 thr_mean_s8_ref
#endif

#if THR_SELECT_MVE
#define thr_conv2d_s16 thr_conv2d_s16_mve
#define thr_depthwise_conv2d_s16 thr_depthwise_conv2d_s16_dsp
#define thr_fully_connected_s16 thr_fully_connected_s16_mve
#elif THR_SELECT_DSP
#define thr_conv2d_s16 thr_conv2d_s16_dsp
#define thr_depthwise_conv2d_s16 thr_depthwise_conv2d_s16_dsp
#define thr_fully_connected_s16 thr_fully_connected_s16_dsp
#else
#define thr_conv2d_s16 thr_conv2d_s16_ref
#define thr_depthwise_conv2d_s16 thr_depthwise_conv2d_s16_ref
#define thr_fully_connected_s16 thr_fully_connected_s16_ref
#endif

#define thr_sub_s8 thr_sub_s8_ref
#define thr_mul_s8 thr_mul_s8_ref
#define thr_softmax_s8 thr_softmax_s8_ref
#define thr_logistic_s8 thr_logistic_s8_ref
#define thr_tanh_s8 thr_tanh_s8_ref
#define thr_relu_s8 thr_relu_s8_ref
#define thr_leaky_relu_s8 thr_leaky_relu_s8_ref
#define thr_hard_swish_s8 thr_hard_swish_s8_ref
#define thr_copy_s8 thr_copy_s8_ref
#define thr_pad_s8 thr_pad_s8_ref
#define thr_quantize_f32_s8 thr_quantize_f32_s8_ref
#define thr_dequantize_s8_f32 thr_dequantize_s8_f32_ref
#define thr_lookup_s8 thr_lookup_s8_ref
#define thr_minimum_s8 thr_minimum_s8_ref
#define thr_maximum_s8 thr_maximum_s8_ref
#define thr_prelu_s8 thr_prelu_s8_ref
#define thr_squared_difference_s8 thr_squared_difference_s8_ref
#define thr_div_s8 thr_div_s8_ref
#define thr_argmax_s8 thr_argmax_s8_ref
#define thr_reduce_max_s8 thr_reduce_max_s8_ref
#define thr_reduce_min_s8 thr_reduce_min_s8_ref
#define thr_l2_normalization_s8 thr_l2_normalization_s8_ref
#define thr_log_softmax_s8 thr_log_softmax_s8_ref
#define thr_strided_copy_s8 thr_strided_copy_s8_ref
#define thr_resize_nearest_s8 thr_resize_nearest_s8_ref
#define thr_resize_bilinear_s8 thr_resize_bilinear_s8_ref
#define thr_transpose_conv2d_s8 thr_transpose_conv2d_s8_ref
#define thr_batch_matmul_s8 thr_batch_matmul_s8_ref
#define thr_conv2d_zero_s8 thr_conv2d_zero_s8_ref
#define thr_depthwise_conv2d_zero_s8 thr_depthwise_conv2d_zero_s8_ref
#define thr_fully_connected_zero_s8 thr_fully_connected_zero_s8_ref
#define thr_avg_pool2d_up_s8 thr_avg_pool2d_up_s8_ref
#define thr_requantize_u8_s8 thr_requantize_u8_s8_ref
#define thr_requantize_s8_u8 thr_requantize_s8_u8_ref
#define thr_max_pool2d_s16 thr_max_pool2d_s16_ref
#define thr_avg_pool2d_s16 thr_avg_pool2d_s16_ref
#define thr_add_s16 thr_add_s16_ref
#define thr_sub_s16 thr_sub_s16_ref
#define thr_mul_s16 thr_mul_s16_ref
#define thr_softmax_s16 thr_softmax_s16_ref
#define thr_softmax_s8_s16 thr_softmax_s8_s16_ref
#define thr_logistic_s16 thr_logistic_s16_ref
#define thr_tanh_s16 thr_tanh_s16_ref
#define thr_relu_s16 thr_relu_s16_ref
#define thr_leaky_relu_s16 thr_leaky_relu_s16_ref
#define thr_mean_s16 thr_mean_s16_ref
#define thr_pad_s16 thr_pad_s16_ref
#define thr_requantize_any thr_requantize_any_ref
#define thr_quantize_f32_any thr_quantize_f32_any_ref
#define thr_dequantize_any_f32 thr_dequantize_any_f32_ref
#define thr_svdf_s8 thr_svdf_s8_ref
#define thr_svdf_s16 thr_svdf_s16_ref
#define thr_lstm_s8 thr_lstm_s8_ref
#define thr_transpose_conv2d_s16 thr_transpose_conv2d_s16_ref
#define thr_batch_matmul_s16 thr_batch_matmul_s16_ref
#define thr_minimum_s16 thr_minimum_s16_ref
#define thr_maximum_s16 thr_maximum_s16_ref
#define thr_squared_difference_s16 thr_squared_difference_s16_ref
#define thr_abs_s16 thr_abs_s16_ref
#define thr_rsqrt_s16 thr_rsqrt_s16_ref

/* One line at a time: kernel/rows.h. */
#if defined(__AVR__)
#define thr_conv2d_s8_row thr_conv2d_s8_row_avr
#define thr_depthwise_conv2d_s8_row thr_depthwise_conv2d_s8_row_avr
#define thr_max_pool2d_s8_row thr_max_pool2d_s8_row_avr
#define thr_avg_pool2d_s8_row thr_avg_pool2d_s8_row_avr
#else
#if THR_SELECT_DSP
#define thr_conv2d_s8_row thr_conv2d_s8_row_dsp
#define thr_depthwise_conv2d_s8_row thr_depthwise_conv2d_s8_row_dsp
#else
#define thr_conv2d_s8_row thr_conv2d_s8_row_ref
#define thr_depthwise_conv2d_s8_row thr_depthwise_conv2d_s8_row_ref
#endif
#define thr_max_pool2d_s8_row thr_max_pool2d_s8_row_ref
#define thr_avg_pool2d_s8_row thr_avg_pool2d_s8_row_ref
#endif

#endif
