/* Which layers of two networks are the same one: by name, or by their place where a file keeps no names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_PAIRING_H
#define TH_LIB_PAIRING_H

#include "ir/graph.h"

typedef enum th_pair_kind {
  TH_PAIR_SAME,   /* b has the layer */
  TH_PAIR_UNLIKE, /* b has it in another shape: channels of it are gone */
  TH_PAIR_NONE    /* no layer of b is surely the same */
} th_pair_kind;

typedef struct th_pair {
  const th_node *node; /* of a: what does the layer's work */
  int a, b;            /* output tensors; b only of TH_PAIR_SAME */
  th_pair_kind kind;
} th_pair;

/* The layers of a that compute something, in its order. What one file keeps apart and another fuses is one layer:
 * activation, batch norm and dropout go with the layer before them. */
th_status th_pair_layers(const th_graph *a, const th_graph *b, th_arena *arena, th_pair **pairs, int *count);

#endif
