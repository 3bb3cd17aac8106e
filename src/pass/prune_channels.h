/* Structured pruning: whole channels disappear, from the layer that makes them, from batch norm and depthwise layers
 * that carry them, from residual partners, and from the layers that read them. Shapes shrink, so the network is
 * smaller and faster without any sparse format. Score of a channel: the mean magnitude of the weights that produce it
 * (Li et al. 2017, "Pruning filters for efficient ConvNets"), times |gamma| / sqrt(variance) of a batch norm on the
 * way. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_PRUNE_CHANNELS_H
#define TH_PASS_PRUNE_CHANNELS_H

#include "ir/graph.h"

typedef struct th_prune_channels_options {
  float sparsity; /* fraction of the prunable channels to remove, 0..1 */
  bool global;    /* one ranking over all layers (scores divided by their layer's mean), else the fraction per layer */
  const bool *skip; /* by node: the channels of its output stay, wherever else they go; NULL: no such node */
} th_prune_channels_options;

/* Float graphs. The outputs of the last layer stay, and one channel of every other. `removed` (may be NULL): how many
 * channels went. Ties go to the lower channel number staying. */
th_status th_prune_channels(th_graph *g, const th_prune_channels_options *options, int *removed);

#endif
