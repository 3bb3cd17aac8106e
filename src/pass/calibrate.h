/* Calibration: the integer grid of every activation, from the values it takes on sample inputs.
 *
 * The float graph is run on the samples; each activation tensor without a th_quant gets one: affine int8 with 0 exactly
 * representable, or symmetric int16. Tensors that already carry a grid (quantization-aware training) keep it. A graph
 * input whose values lie in [0, 1] gets exactly scale 1/255, zero -128 (pictures). SPDX-License-Identifier: Apache-2.0
 */
#ifndef TH_PASS_CALIBRATE_H
#define TH_PASS_CALIBRATE_H

#include "base/log.h"
#include "ir/graph.h"

typedef enum th_calibration {
  TH_CALIBRATION_MINMAX,     /* everything seen is representable */
  TH_CALIBRATION_PERCENTILE, /* `percentile` of the values is, the tails are clipped */
  TH_CALIBRATION_MSE,        /* the clipping with the least mean squared rounding and clipping error */
  TH_CALIBRATION_ENTROPY,    /* the clipping whose rounded distribution tells least from the original (KL divergence) */
  TH_CALIBRATION_COUNT
} th_calibration;
const char *th_calibration_name(th_calibration c);
th_calibration th_calibration_from_name(const char *name); /* TH_CALIBRATION_COUNT when unknown */

typedef struct th_calibrate_options {
  const th_context *ctx;
  th_calibration method;
  float percentile;    /* 0..100, per cent of values kept inside; 0 means 99.99 */
  th_dtype activation; /* S8, also 0; or S16 for a symmetric grid of 16 bits */
} th_calibrate_options;

/* inputs[i]: `samples` samples of the graph's i-th input as float, sample after sample. */
th_status th_calibrate(th_graph *g, int samples, const float *const *inputs, const th_calibrate_options *options);

/* Affine int8 parameters of the range [lo, hi], widened to include 0; of int16 symmetric ones, zero 0. */
void th_grid_of_range(th_dtype type, float lo, float hi, float *scale, int32_t *zero);

#endif
