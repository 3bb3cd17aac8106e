/* What several passes need: reading and replacing float constants, and taking a node out of the flow.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_EDIT_H
#define TH_PASS_EDIT_H

#include "op/op.h"

/* The tensor's float values, or NULL when it is absent, not constant or not F32. */
const float *th_const_f32(const th_graph *g, int tensor);

/* True when every live use of the tensor is one input of node `node` (so the node may have its data changed). */
bool th_used_only_by(const th_graph *g, int tensor, int node);

/* Gives input `input` of a node the values `data`: in place when the tensor is used by this node alone, else through a
 * new constant named after the old one. The quantization of the old tensor is not kept. */
th_status th_node_set_const(th_graph *g, int node, int input, th_dtype dtype, const th_shape *shape, const void *data);

/* Adds a float bias of `channels` values as input 2 of a conv2d, depthwise or fully connected node that has none. */
th_status th_node_add_bias(th_graph *g, int node, int64_t channels, const float *data);

/* Removes a node with one input and one output that hand the same values on. The graph's output keeps its name where
 * the producer can write it directly. False (and nothing changed) when the graph's input would become its output. */
bool th_node_bypass(th_graph *g, int node);

/* Whether the operator uses the attribute. */
bool th_op_uses(th_op_id op, th_attr_id attr);

/* Elements of constants seen as (outer, axis, inner): element [o][a][i] is at (o * axis_dim + a) * inner + i. */
typedef struct th_slices {
  int64_t outer, dim, inner;
} th_slices;
th_slices th_slices_of(const th_shape *shape, int axis);

#endif
