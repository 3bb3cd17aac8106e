/* The weights of a layer seen by output channel, their types, and the steps of their grids.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_WEIGHT_SCALES_H
#define TH_PASS_WEIGHT_SCALES_H

#include "pass/edit.h"
#include "pass/quantize.h"

typedef enum th_weight_type_id {
#define TH_WEIGHT_TYPE(id, name, bits, lo, hi) TH_WEIGHT_##id,
#include "pass/weight_types.def"
#undef TH_WEIGHT_TYPE
  TH_WEIGHT_TYPE_COUNT
} th_weight_type_id;

typedef struct th_weight_type {
  const char *name;
  int bits, lo, hi; /* levels lo to hi */
} th_weight_type;
const th_weight_type *th_weight_type_of(th_weight_type_id id);
th_weight_type_id th_weight_type_from_name(const char *name); /* TH_WEIGHT_TYPE_COUNT when unknown */

/* Float weights of conv2d, depthwise, fully connected, transposed convolution: `channels` rows of `elems` values. */
typedef struct th_weight_view {
  const th_tensor *tensor;
  const float *w, *b; /* b: NULL when the layer has no bias */
  int64_t channels, elems, inner;
  int axis;
  bool dense;
  float in_scale, out_scale; /* of the activations; 0 where they have no grid yet */
} th_weight_view;
th_status th_weight_view_of(const th_graph *g, int node, th_weight_view *view);

/* Where element i of a channel stands in the tensor. */
static inline int64_t th_weight_at(const th_weight_view *v, int64_t channel, int64_t i) {
  return (i / v->inner * v->channels + channel) * v->inner + i % v->inner;
}

/* The steps: those that the tensor has, else by the options, one per channel or one in all (`n` says which); `scale`
 * has room for one per channel. A step is never so small that its bias leaves 31 bits. */
th_status th_weight_scales(const th_weight_view *v, const th_weight_type *type, const th_quantize_options *o,
                           float *scale, int *n);

#endif
