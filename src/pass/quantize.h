/* Quantization: a float graph with known ranges becomes an int8 graph that follows the TFLite int8 specification.
 *
 * Before: batch norm folded, activations fused (passes fold_bn, fuse_activation, drop_identity, dead), and every
 * activation carries a th_quant (pass/calibrate.h or quantization-aware training). A weight tensor that carries a
 * th_quant is put on exactly that grid; others get a symmetric one of their own. Afterwards all activations and weights
 * are S8 (activations S16 if asked), biases S32 (S64) at scale_in * scale_weight[channel], and the graph's inputs and
 * outputs are S8 with their scales.
 *
 * Fixed by the specification: softmax and sigmoid give scale 1/256, zero -128; tanh 1/128, 0; pooling, relu6, reshape,
 * flatten, pad and concat have one grid for input and output. Where two demands meet, a quantize node (int8 to int8)
 * stands between.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_QUANTIZE_H
#define TH_PASS_QUANTIZE_H

#include "ir/graph.h"

typedef enum th_weight_range {
  TH_WEIGHT_RANGE_MAX, /* the largest magnitude becomes 127 */
  TH_WEIGHT_RANGE_MSE  /* the step with the least squared error; clips */
} th_weight_range;

typedef struct th_quantize_options {
  th_dtype activation; /* S8, also 0; S16: 16 bits, symmetric, with weights of 8 and biases of 64 (TFLite's int16x8) */
  th_weight_range weight_range;
  bool per_channel_fc; /* fully connected weights: one scale per output instead of one in all */
  bool per_layer_conv; /* convolutions: one scale in all instead of one per output channel; not depthwise ones */
  bool float_io;       /* inputs and outputs stay float, with quantize and dequantize nodes at the border */
  /* Round the biases of a layer to a multiple of 2^k so that they fit 1 byte or 2, where that moves no output by more
   * than this part of its step, 0 to 0.5; 0: keep them exact. They are then stored small (thr_bias). */
  float bias_error;
  bool coded_biases; /* they will be coded, not stored in bytes: the largest k that is allowed, whatever they fit */
  /* Per-channel steps are rounded up to the layer's largest times 2^(-k/4): a few distinct multipliers and a byte per
   * channel are stored instead of a multiplier each. Grids that weights already have are kept as they are. */
  bool few_scales;
} th_quantize_options;

th_status th_quantize(th_graph *g, const th_quantize_options *options);

#endif
