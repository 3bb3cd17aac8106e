/* What resize_nearest and resize_bilinear share: attributes, shape, coordinates. See resize.h.
 *
 * Output place i lies at input place s * i; with half_pixel, values sit in the middle of their cells: s * (i + 1/2) -
 * 1/2. s is in / out, or (in - 1) / (out - 1) with align_corners, where first and last values fall onto each other.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/resize.h"

#include <math.h>

#include "op/common.h"

const th_attr_id th_op_resize_attrs[] = {TH_ATTR_OUT_Y, TH_ATTR_OUT_X, TH_ATTR_ALIGN_CORNERS, TH_ATTR_HALF_PIXEL,
                                         TH_ATTR_COUNT};

static th_resize resize_of(const th_graph *g, const th_node *n, int dim, th_attr_id size) {
  return (th_resize){.in = th_node_in(g, n, 0)->shape.dim[dim],
                     .out = n->attr[size].i,
                     .align_corners = n->attr[TH_ATTR_ALIGN_CORNERS].i != 0,
                     .half_pixel = n->attr[TH_ATTR_HALF_PIXEL].i != 0};
}

th_resize th_resize_y(const th_graph *g, const th_node *n) {
  return resize_of(g, n, 1, TH_ATTR_OUT_Y);
}
th_resize th_resize_x(const th_graph *g, const th_node *n) {
  return resize_of(g, n, 2, TH_ATTR_OUT_X);
}

float th_resize_scale(const th_resize *r) {
  return r->align_corners && r->out > 1 ? (float)(r->in - 1) / (float)(r->out - 1) : (float)r->in / (float)r->out;
}

int32_t th_resize_nearest(const th_resize *r, int32_t out) {
  const float at = ((float)out + (r->half_pixel ? 0.5f : 0.0f)) * th_resize_scale(r);
  const int32_t index = (int32_t)(r->align_corners ? roundf(at) : floorf(at));
  return index < 0 ? 0 : index < r->in ? index : r->in - 1;
}

void th_resize_linear(const th_resize *r, int32_t out, int32_t *first, int32_t *second, float *weight) {
  const float scale = th_resize_scale(r);
  const float at = r->half_pixel ? ((float)out + 0.5f) * scale - 0.5f : (float)out * scale;
  const int32_t lower = (int32_t)floorf(at), upper = (int32_t)ceilf(at), last = r->in - 1;
  *first = lower < 0 ? 0 : lower > last ? last : lower;
  *second = upper < 0 ? 0 : upper > last ? last : upper;
  *weight = at - (float)*first;
}

th_status th_op_resize_infer(th_graph *g, th_node *n) {
  TH_TRY(th_op_need_image(g, n, 0));
  TH_TRY(th_op_need_one(n, TH_ATTR_OUT_Y));
  TH_TRY(th_op_need_one(n, TH_ATTR_OUT_X));
  if (n->attr[TH_ATTR_ALIGN_CORNERS].i && n->attr[TH_ATTR_HALF_PIXEL].i)
    return th_op_fail(n, "align_corners and half_pixel exclude each other");
  th_shape s = th_node_in(g, n, 0)->shape;
  s.dim[1] = n->attr[TH_ATTR_OUT_Y].i;
  s.dim[2] = n->attr[TH_ATTR_OUT_X].i;
  return th_op_set_out(g, n, 0, &s);
}
