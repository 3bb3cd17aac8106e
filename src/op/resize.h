/* Which input values an output value of a resize looks at. Float32 arithmetic as TFLite does it, so that the same
 * values are chosen: the lowering of the integer kernels asks here too. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_OP_RESIZE_H
#define TH_OP_RESIZE_H

#include "ir/graph.h"

typedef struct th_resize { /* of one dimension */
  int32_t in, out;
  bool align_corners, half_pixel;
} th_resize;

th_resize th_resize_y(const th_graph *g, const th_node *n);
th_resize th_resize_x(const th_graph *g, const th_node *n);
float th_resize_scale(const th_resize *r);
int32_t th_resize_nearest(const th_resize *r, int32_t out);
/* The two neighbours and the weight of the second. */
void th_resize_linear(const th_resize *r, int32_t out, int32_t *first, int32_t *second, float *weight);

#endif
