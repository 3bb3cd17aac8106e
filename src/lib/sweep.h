/* Which integers to change: rate against distortion over all weights of a network.
 *
 * Every weight takes the level that costs least:  1/2 F (q - q0)^2 + lambda * bits(q), with F its Fisher information in
 * units of its grid. The bits are those of being there or not, which depend on the weights around (coder `context`),
 * and those of the level by its share among those that are there; both follow the choices (entropy-constrained
 * quantization: Chou et al. 1989; with second derivatives as weights: Choi et al. 2017). lambda is found, not given:
 * the one that saves the wanted part of all bits. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_SWEEP_H
#define TH_LIB_SWEEP_H

#include <stdint.h>

#include "encode/encode.h"

typedef struct th_sweep_tensor {
  int64_t n; /* below 2^32 */
  th_weight_form form;
  int8_t *q;    /* in: levels; out: chosen */
  float *price; /* of moving by one level: half of the Fisher information times the square of the step */
} th_sweep_tensor;

typedef struct th_sweep_outcome {
  double bits_before, bits_after; /* as estimated */
  double lambda, damage;          /* sum of prices paid */
  int64_t changed;
} th_sweep_outcome;

/* Zeros stay zeros. `part`: 0..1 of the bits to save. */
th_status th_sweep_choose(th_sweep_tensor *tensors, int count, double part, th_sweep_outcome *outcome);

#endif
