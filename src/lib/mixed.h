/* Mixed precision: a type of weights for each layer, from what each layer's weights of each type do to the outputs.
 *
 * Every layer is rounded to every type alone, the others being int8; the damage is the mean squared change of the
 * network's outputs over sample inputs, the price what the coder makes of these very weights. Damages of layers are
 * taken to add up (as HAWQ takes its sensitivities: Dong et al. 2019, but measured, not estimated by curvature). From
 * int8 everywhere, the layer that loses least per byte goes down to its next type until the model fits the budget.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_MIXED_H
#define TH_LIB_MIXED_H

#include "encode/encode.h"
#include "pass/round_weights.h"

typedef struct th_mixed_layer {
  const char *name; /* of the graph */
  int node;
  th_weight_type_id type; /* chosen */
  struct {
    double damage;
    int64_t bytes; /* weights and table */
  } as[TH_WEIGHT_TYPE_COUNT];
} th_mixed_layer;

typedef struct th_mixed_options {
  const th_round_options *round; /* how layers are rounded; its type() is not asked */
  th_encode_options coders;
  long long budget; /* bytes of the whole .thim */
} th_mixed_options;

/* `g`: float, folded, calibrated. Sets `layers` (room for every layer with weights), their number, and the bytes that
 * the whole .thim takes with their types. TH_ERR_CHECK, and says how small it gets, when no choice fits the budget. */
th_status th_mixed_choose(const th_graph *g, int samples, const float *const *inputs, const th_mixed_options *options,
                          th_mixed_layer *layers, int *count, int64_t *bytes);

/* Of a quantized graph: the whole .thim, by the coders that the choice counted with. */
th_status th_mixed_bytes(const th_graph *g, const th_encode_options *coders, int64_t *bytes);

#endif
