/* Choosing the integers of the weights, before quantize converts them: types of few levels, rounding that minimizes the
 * error of the layer's output, and biases that make up for the mean error.
 *
 * Layers are done in order. Each sees the inputs it will have on the device: those that the layers before it, already
 * rounded, compute in integers from sample inputs. With x the inputs of the float network and z these,
 *   rounding error:  min over integers q of  sum (z' s q + c' - x' w - c)^2     (AdaRound's objective: Nagel et al.
 * 2020, eq. 10, with the asymmetric inputs of its section 3.4), solved by nearest plane instead of gradient descent
 *   bias correction: c' = c + mean(x)' w - mean(z)' s q                         (Nagel et al. 2019, section 4.2,
 * empirical) SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_ROUND_WEIGHTS_H
#define TH_PASS_ROUND_WEIGHTS_H

#include "base/log.h"
#include "pass/weight_scales.h"

typedef enum th_rounding { TH_ROUNDING_NEAREST, TH_ROUNDING_ADAROUND } th_rounding;

typedef struct th_round_options {
  const th_context *ctx;
  const th_quantize_options *quantize; /* how steps are chosen, and what follows */
  /* Of a layer's weights; TH_WEIGHT_TYPE_COUNT: leave the layer to th_quantize. */
  th_weight_type_id (*type)(void *user, const th_graph *g, int node);
  void *user;
  th_rounding rounding;
  bool bias_correction;
  uint64_t seed; /* picks positions of large layers */
} th_round_options;

/* `g`: float, folded and calibrated, as th_quantize takes it. Weights get values on their grid and a th_quant; those
 * that have one keep their integers. inputs[i]: `samples` samples of the graph's i-th input; not read when rounding is
 * to the nearest without bias correction. */
th_status th_round_weights(th_graph *g, int samples, const float *const *inputs, const th_round_options *options);

#endif
