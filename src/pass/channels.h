/* Channel spaces: which channels of which tensors are the same channel, so that one can be removed everywhere.
 *
 * A convolution or fully connected layer opens a new space (its output channels); relu, pooling, batch norm and
 * depthwise convolution carry it on; an addition joins the spaces of its operands; flatten repeats it. A space is
 * frozen when some reader needs its exact size: the graph's inputs and outputs, softmax, grouped convolution, odd
 * reshapes. A concatenation of channels opens a space whose channels are linked to those of its parts. (Dependency
 * groups as in DepGraph, Fang et al. 2023, for the operators we have.)
 *
 * Index i of the last dimension of tensor t is channel (i / div) % size of its space.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_CHANNELS_H
#define TH_PASS_CHANNELS_H

#include "op/op.h"

typedef struct th_channel_map {
  int space; /* -1: the tensor has none (constants, scalars) */
  int div;
} th_channel_map;

typedef struct th_channel_link { /* channel i of `part` is channel offset + i of `whole` */
  int whole, part, offset;
} th_channel_link;

typedef struct th_channels {
  int n_tensors, n_spaces;
  th_channel_map *map; /* per tensor; `space` is final (no chains) */
  int *size;           /* per space; 0 for numbers that were joined into another */
  bool *frozen;
  th_channel_link *link; /* spaces that must keep the same channels and their order */
  int n_links;
} th_channels;

/* All arrays live in `arena`. */
th_status th_channels_find(const th_graph *g, th_arena *arena, th_channels *c);
/* Whether the space is part or whole of a concatenation. */
bool th_channels_linked(const th_channels *c, int space);
/* Channel of index i of the tensor's last dimension (or, for a flattened read, of any index), -1 without space. */
int th_channel_at(const th_channels *c, int tensor, int64_t i);
/* Removes channels with keep[space][channel] == false (keep[space] NULL: keeps all) from every activation's shape and
 * every constant, quantization included. At least one channel of each space must stay. */
th_status th_channels_remove(th_graph *g, const th_channels *c, const bool *const *keep);
/* Gives the channels of spaces another order: order[space][new place] = old place (order[space] NULL: as they are). */
th_status th_channels_reorder(th_graph *g, const th_channels *c, const int *const *order);

#endif
