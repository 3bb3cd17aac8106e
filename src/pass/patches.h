/* What the weights of a layer are multiplied with: rows of input values in the order of its weights (im2col).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_PATCHES_H
#define TH_PASS_PATCHES_H

#include "ir/graph.h"

/* A layer with `groups` kinds of rows (depthwise: one per input channel) of `elems` values; a sample has `positions` of
 * each, one per place of the output. */
typedef struct th_patches {
  const th_graph *g;
  const th_node *n;
  int groups, out_per_group;
  int64_t elems, positions;
  int in_y, in_x, in_c, out_x, kernel_y, kernel_x;
} th_patches;

/* False for operators without such rows (transposed convolution). */
bool th_patches_of(const th_graph *g, int node, th_patches *p);

/* Row of group `group` at a position: elems floats into `row`; zeros where the window leaves the image. */
void th_patches_row(const th_patches *p, const float *sample, int64_t position, int group, float *row);

#endif
