/* Kernels: one parameter struct per operator, and functions over (n = 1) tensors in (y, x, c) order.
 *
 * Arithmetic is that of TensorFlow Lite Micro's reference kernels, bit for bit, with double rounding
 * (docs/numerics.md). Input, output and scratch never overlap unless a function says they may. All params structs are
 * constant data. `scratch` has at least thr_<op>_scratch_bytes(params) bytes. SPDX-License-Identifier: Apache-2.0 */
#ifndef THR_KERNELS_H
#define THR_KERNELS_H

#include <stdint.h>

#include "thr_weights.h"

typedef struct thr_channel { /* what a row of weights needs besides them */
  int32_t bias, mult;
  int8_t shift;
} thr_channel;

typedef struct thr_channel_state { /* of a stream of coded channels; begins with zeros */
  uint32_t bit, key;
  int32_t mult; /* of the channel before */
  int8_t shift;
} thr_channel_state;

/* Types of elements. */
enum { THR_DTYPE_S8 = 1, THR_DTYPE_F32 = 2, THR_DTYPE_U8 = 3, THR_DTYPE_S16 = 4, THR_DTYPE_S32 = 5 };

/* Multiplier of an output channel: real = mult * 2^(shift - 31); shift > 0 shifts left. Channel c uses entry index[c]
 * when `index` is given (few distinct scales), else entry c when per_channel, else entry 0. Where `decode` is given,
 * biases, multipliers and shifts come from there, channel after channel, and the other members, thr_bias too, are
 * empty: kernels of int8 layers with weights only. */
typedef struct thr_requant {
  const int32_t *mult;
  const int8_t *shift;
  const uint8_t *index; /* or NULL */
  uint8_t per_channel;
  const uint8_t *coded;
  uint32_t coded_bytes;
  void (*decode)(const struct thr_requant *requant, thr_channel_state *state, thr_channel *channel); /* or NULL */
} thr_requant;

/* docs/format.md, "Coded channels". Total: any bytes give channels with shifts from -31 to 30. */
void thr_decode_channels(const thr_requant *requant, thr_channel_state *state, thr_channel *channel);

/* Bias of channel c: a little-endian signed integer of `width` bytes (0: no bias, 1, 2, 4, or 8 for
 * kernels that say so) shifted left by `shift`. */
typedef struct thr_bias {
  const uint8_t *data;
  uint8_t width, shift;
} thr_bias;

typedef struct thr_conv2d_params { /* also pooling windows use the geometry part */
  int32_t in_y, in_x, in_c, out_y, out_x, out_c;
  int16_t kernel_y, kernel_x, stride_y, stride_x, dilation_y, dilation_x;
  int16_t pad_y, pad_x; /* before; points outside are skipped */
  int32_t groups;       /* depthwise: in_c; then out channel c reads in channel c / (out_c / in_c) */
  int32_t in_zero, out_zero, lo, hi;
  int32_t w_zero; /* of the weights; 0 but for the kernels called ..._zero_s8 */
  thr_weights weights;
  thr_bias bias;
  thr_requant requant;
  uint8_t acc64; /* 16-bit kernels: sums of 64 bits (TFLite: an int64 bias), else of 32 */
} thr_conv2d_params;

#define THR_FULLY_CONNECTED_MOST ((int32_t)1 << 24)

typedef struct thr_fully_connected_params {
  int32_t in_n, out_n; /* at most the number above, so that steps of THR_DECODE_CHUNK stay within 32 bits */
  int32_t in_zero, out_zero, lo, hi, w_zero;
  thr_weights weights;
  thr_bias bias;
  thr_requant requant;
  uint8_t acc64; /* as above */
} thr_fully_connected_params;

typedef struct thr_pool2d_params {
  int32_t in_y, in_x, c, out_y, out_x;
  int16_t kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x;
  int32_t lo, hi;
} thr_pool2d_params;

/* Element-wise with broadcasting over up to 4 dimensions: out dims; strides of a and b in elements, 0 = broadcast.
 * mult/shift as in docs/numerics.md: [0] of a, [1] of b, [2] of the result; mul uses [2] only. */
typedef struct thr_elementwise_params {
  int32_t dim[4], stride_a[4], stride_b[4];
  int32_t a_zero, b_zero, out_zero, lo, hi;
  int32_t mult[3];
  int8_t shift[3];
  uint8_t left_shift;
} thr_elementwise_params;

typedef struct thr_softmax_params {
  int32_t rows, depth;
  int32_t mult, diff_min;
  int8_t shift;
} thr_softmax_params;

/* Unary functions of one element. logistic, tanh: radius; relu: requantize and clamp; leaky: two multipliers;
 * hard_swish: 16-bit multipliers in mult[] with exponents in shift[]. requantize: int8 -> int8. */
typedef struct thr_unary_params {
  int32_t n;
  int32_t in_zero, out_zero, lo, hi, radius;
  int32_t mult[2];
  int8_t shift[2];
} thr_unary_params;

typedef struct thr_mean_params { /* over any subset of (y, x, c) of a 3-D view */
  int32_t y, x, c;
  uint8_t over_y, over_x, over_c;
  int32_t in_zero, out_zero, mult, lo, hi;
  int32_t count; /* elements per result */
  int8_t shift;
} thr_mean_params;

/* Copies blocks: concat part, pad interior, reshape. out[o*out_step + out_offset + i] = in[o*block + i], i < block. */
typedef struct thr_copy_params {
  int32_t outer, block, out_step, out_offset;
} thr_copy_params;

typedef struct thr_pad_params { /* up to 4 dimensions */
  int32_t in[4], before[4], after[4];
  int32_t value;
} thr_pad_params;

typedef struct thr_lookup_params { /* the table is the second operand: 256 bytes, for -128 to 127 */
  int32_t n;
} thr_lookup_params;

typedef struct thr_argmax_params { /* along the middle one of three dimensions */
  int32_t outer, depth, inner;
  uint8_t smallest, last; /* look for the smallest; of equal ones take the last */
} thr_argmax_params;

typedef struct thr_l2_normalization_params {
  int32_t rows, depth, in_zero;
} thr_l2_normalization_params;

typedef struct thr_log_softmax_params { /* as softmax; back_*: from Q5.26 to steps of the input */
  int32_t rows, depth;
  int32_t mult, diff_min, back_mult;
  int8_t shift, back_shift;
} thr_log_softmax_params;

/* All movement of values: transpose, slices, split, pack, gather, tile, mirrors. Everything counts bytes:
 * out[out_at + sum i_d * out_step_d + j] = in[in_at + sum i_d * in_step_d + j] for all i_d < dim_d, j < block. */
typedef struct thr_strided_copy_params {
  int32_t block, dim[6], in_step[6], out_step[6], in_at, out_at;
} thr_strided_copy_params;

/* Output row y shows the input row at float32(y + half / 2) * scale_y * 2^-shift_y, cut or rounded to a whole number.
 */
typedef struct thr_resize_nearest_params {
  int32_t in_y, in_x, out_y, out_x, pixel; /* bytes of a pixel */
  int32_t scale_y, scale_x;                /* below 2^24 */
  uint8_t shift_y, shift_x, half, round;
} thr_resize_nearest_params;

typedef struct thr_resize_bilinear_params { /* scales: input pixels per output pixel in 2^-10 */
  int32_t in_y, in_x, out_y, out_x, c, scale_y, scale_x;
  uint8_t half;
} thr_resize_bilinear_params;

/* out (m, n) = a (m, k) b (k, n) for each index of three leading dimensions; steps in elements, 0 where an operand is
 * the same for all. adj: the operand is stored transposed. */
typedef struct thr_batch_matmul_params {
  int32_t m, n, k, dim[3], a_step[3], b_step[3];
  int32_t a_zero, b_zero, out_zero, mult;
  int8_t shift;
  uint8_t adj_a, adj_b;
} thr_batch_matmul_params;

typedef struct thr_quantize_params { /* float <-> integers at the border of a model */
  int32_t n, zero;
  float scale;
  uint8_t type; /* THR_DTYPE_* of the integers; the _s8 kernels do not ask */
} thr_quantize_params;

typedef struct thr_requantize_params { /* integers of one type to those of another */
  int32_t n, in_zero, out_zero, mult;
  int8_t shift;
  uint8_t in_type, out_type; /* THR_DTYPE_* */
} thr_requantize_params;

/* A filter of `in_n` taps over the input, and one of `memory` taps over its last results (TFLite SVDF). A weight row
 * holds both: in_n int8 values, then `memory` values of the state's type, low byte first. A bias of a unit is that of
 * its first filter. requant: [0] input to state, [1] state to output. */
typedef struct thr_svdf_params {
  int32_t in_n, filters, rank, memory; /* filters / rank units */
  int32_t in_zero, state_zero, out_zero;
  thr_weights weights;
  thr_bias bias;
  thr_requant requant;
} thr_svdf_params;

/* LSTM over a sequence. A weight row holds in_n weights of the input, then n of the hidden state; rows of the input
 * gate come first, then forget, cell and output gate. requant: [0] to [3] input sums of the gates to 2^-12, [4] to [7]
 * those of the hidden state, [8] forget gate times cell, [9] input gate times candidate, [10] output gate times
 * tangent. */
typedef struct thr_lstm_params {
  int32_t time, in_n, n;
  int32_t in_zero, out_zero;
  int32_t clip;      /* of the cell; 0: none */
  int32_t tanh_mult; /* of the cell's tangent, as in the unary kernel; with tanh_shift */
  uint8_t tanh_shift;
  uint8_t restart; /* 1: the states are cleared first; 0: they are those of the last run */
  thr_weights weights;
  thr_bias bias;
  thr_requant requant;
} thr_lstm_params;

void thr_conv2d_s8_ref(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
void thr_depthwise_conv2d_s8_ref(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
void thr_fully_connected_s8_ref(const thr_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch);
void thr_max_pool2d_s8_ref(const thr_pool2d_params *p, const int8_t *in, int8_t *out);
void thr_avg_pool2d_s8_ref(const thr_pool2d_params *p, const int8_t *in, int8_t *out);
/* add, sub, mul: out may be a or b when it has the output's shape */
void thr_add_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void thr_sub_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void thr_mul_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void thr_softmax_s8_ref(const thr_softmax_params *p, const int8_t *in, int8_t *out);
void thr_logistic_s8_ref(const thr_unary_params *p, const int8_t *in, int8_t *out); /* all unary: out may be in */
void thr_tanh_s8_ref(const thr_unary_params *p, const int8_t *in, int8_t *out);
void thr_relu_s8_ref(const thr_unary_params *p, const int8_t *in, int8_t *out); /* also requantize, relu6 by lo/hi */
void thr_leaky_relu_s8_ref(const thr_unary_params *p, const int8_t *in, int8_t *out);
void thr_hard_swish_s8_ref(const thr_unary_params *p, const int8_t *in, int8_t *out);
void thr_mean_s8_ref(const thr_mean_params *p, const int8_t *in, int8_t *out);
void thr_copy_s8_ref(const thr_copy_params *p, const int8_t *in, int8_t *out); /* elements are bytes */
void thr_pad_s8_ref(const thr_pad_params *p, const int8_t *in, int8_t *out);
void thr_quantize_f32_s8_ref(const thr_quantize_params *p, const float *in, int8_t *out);
void thr_dequantize_s8_f32_ref(const thr_quantize_params *p, const int8_t *in, float *out);
void thr_lookup_s8_ref(const thr_lookup_params *p, const int8_t *in, const int8_t *table, int8_t *out);
/* minimum to div: out may be a or b when it has the output's shape. squared_difference uses mult as add does, prelu
 * [0] above and [1] below zero, div [2] only */
void thr_minimum_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void thr_maximum_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void thr_prelu_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void thr_squared_difference_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void thr_div_s8_ref(const thr_elementwise_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void thr_argmax_s8_ref(const thr_argmax_params *p, const int8_t *in, int32_t *out);
void thr_reduce_max_s8_ref(const thr_mean_params *p, const int8_t *in, int8_t *out); /* sizes, over_*, lo, hi count */
void thr_reduce_min_s8_ref(const thr_mean_params *p, const int8_t *in, int8_t *out);
void thr_l2_normalization_s8_ref(const thr_l2_normalization_params *p, const int8_t *in, int8_t *out);
void thr_log_softmax_s8_ref(const thr_log_softmax_params *p, const int8_t *in, int8_t *out);
void thr_strided_copy_s8_ref(const thr_strided_copy_params *p, const int8_t *in, int8_t *out);
void thr_resize_nearest_s8_ref(const thr_resize_nearest_params *p, const int8_t *in, int8_t *out);
void thr_resize_bilinear_s8_ref(const thr_resize_bilinear_params *p, const int8_t *in, int8_t *out);
/* pad_y, pad_x: rows and columns cut off before; groups and dilation are 1 */
void thr_transpose_conv2d_s8_ref(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
void thr_batch_matmul_s8_ref(const thr_batch_matmul_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void thr_conv2d_zero_s8_ref(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
void thr_depthwise_conv2d_zero_s8_ref(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
void thr_fully_connected_zero_s8_ref(const thr_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch);
void thr_avg_pool2d_up_s8_ref(const thr_pool2d_params *p, const int8_t *in, int8_t *out);
void thr_requantize_u8_s8_ref(const thr_unary_params *p, const uint8_t *in, int8_t *out);
void thr_requantize_s8_u8_ref(const thr_unary_params *p, const int8_t *in, uint8_t *out);

/* Activations of 16 bits, weights of 8. Zero points are 0 where there are weights. */
void thr_conv2d_s16_ref(const thr_conv2d_params *p, const int16_t *in, int16_t *out, void *scratch);
void thr_depthwise_conv2d_s16_ref(const thr_conv2d_params *p, const int16_t *in, int16_t *out, void *scratch);
void thr_transpose_conv2d_s16_ref(const thr_conv2d_params *p, const int16_t *in, int16_t *out, void *scratch);
/* batch_matmul_s16: shift is at most 7; rsqrt_s16: shift is that of the multiplier less 20 */
void thr_batch_matmul_s16_ref(const thr_batch_matmul_params *p, const int16_t *a, const int16_t *b, int16_t *out);
void thr_minimum_s16_ref(const thr_elementwise_params *p, const int16_t *a, const int16_t *b, int16_t *out);
void thr_maximum_s16_ref(const thr_elementwise_params *p, const int16_t *a, const int16_t *b, int16_t *out);
void thr_squared_difference_s16_ref(const thr_elementwise_params *p, const int16_t *a, const int16_t *b, int16_t *out);
void thr_abs_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out);
void thr_rsqrt_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out);
void thr_fully_connected_s16_ref(const thr_fully_connected_params *p, const int16_t *in, int16_t *out, void *scratch);
void thr_max_pool2d_s16_ref(const thr_pool2d_params *p, const int16_t *in, int16_t *out);
void thr_avg_pool2d_s16_ref(const thr_pool2d_params *p, const int16_t *in, int16_t *out);
void thr_add_s16_ref(const thr_elementwise_params *p, const int16_t *a, const int16_t *b, int16_t *out);
void thr_sub_s16_ref(const thr_elementwise_params *p, const int16_t *a, const int16_t *b, int16_t *out);
void thr_mul_s16_ref(const thr_elementwise_params *p, const int16_t *a, const int16_t *b, int16_t *out);
void thr_softmax_s16_ref(const thr_softmax_params *p, const int16_t *in, int16_t *out);
void thr_softmax_s8_s16_ref(const thr_softmax_params *p, const int8_t *in, int16_t *out);
void thr_logistic_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out);
void thr_tanh_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out);
void thr_relu_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out);
void thr_leaky_relu_s16_ref(const thr_unary_params *p, const int16_t *in, int16_t *out);
void thr_mean_s16_ref(const thr_mean_params *p, const int16_t *in, int16_t *out);
void thr_pad_s16_ref(const thr_pad_params *p, const int16_t *in, int16_t *out);
/* Types by parameter. */
void thr_requantize_any_ref(const thr_requantize_params *p, const void *in, void *out);
void thr_quantize_f32_any_ref(const thr_quantize_params *p, const float *in, void *out);
void thr_dequantize_any_f32_ref(const thr_quantize_params *p, const void *in, float *out);

/* Kernels with state: operands after the first lie in the arena and are written too, for all that they are `const` to
 * the interpreter. */
void thr_svdf_s8_ref(const thr_svdf_params *p, const int8_t *in, const int8_t *state, int8_t *out, void *scratch);
void thr_svdf_s16_ref(const thr_svdf_params *p, const int8_t *in, const int16_t *state, int8_t *out, void *scratch);
void thr_lstm_s8_ref(const thr_lstm_params *p, const int8_t *in, const int8_t *hidden, const int16_t *cell, int8_t *out,
                     void *scratch);
uint32_t thr_svdf_s8_scratch_bytes(const thr_svdf_params *p);
uint32_t thr_svdf_s16_scratch_bytes(const thr_svdf_params *p);
uint32_t thr_lstm_s8_scratch_bytes(const thr_lstm_params *p); /* 4-byte aligned */

/* Variants for AVR (rt/kernel/avr): raw weights, biases and multipliers are read from program memory (thr_flash.h). */
void thr_conv2d_s8_avr(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
void thr_depthwise_conv2d_s8_avr(const thr_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
void thr_fully_connected_s8_avr(const thr_fully_connected_params *p, const int8_t *in, int8_t *out, void *scratch);

/* Scratch of the kernels that need one: a row (conv2d, depthwise) or at most THR_DECODE_CHUNK weights (fully connected)
 * of a coded tensor; 0 for raw weights. */
#define THR_DECODE_CHUNK 256
#define THR_DECODE_MOST \
  512 /* bytes of scratch for the weights of a layer; beyond it decoders go without their memory */
uint32_t thr_conv2d_s8_scratch_bytes(const thr_conv2d_params *p);
uint32_t thr_conv2d_s8_dsp_room(
    const thr_conv2d_params *p); /* thr_weights.room, if it shall be fast; 0: cannot use any */
uint32_t thr_depthwise_conv2d_s8_scratch_bytes(const thr_conv2d_params *p);
uint32_t thr_transpose_conv2d_s8_scratch_bytes(const thr_conv2d_params *p);
uint32_t thr_fully_connected_s8_scratch_bytes(const thr_fully_connected_params *p);
uint32_t thr_conv2d_zero_s8_scratch_bytes(const thr_conv2d_params *p);
uint32_t thr_depthwise_conv2d_zero_s8_scratch_bytes(const thr_conv2d_params *p);
uint32_t thr_fully_connected_zero_s8_scratch_bytes(const thr_fully_connected_params *p);
uint32_t thr_conv2d_s16_scratch_bytes(const thr_conv2d_params *p);
uint32_t thr_depthwise_conv2d_s16_scratch_bytes(const thr_conv2d_params *p);
uint32_t thr_transpose_conv2d_s16_scratch_bytes(const thr_conv2d_params *p);
uint32_t thr_fully_connected_s16_scratch_bytes(const thr_fully_connected_params *p);

#endif
