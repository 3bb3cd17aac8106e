/* What max_pool2d and avg_pool2d share: windows that ignore padding.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

const th_attr_id th_op_pool_attrs[] = {TH_ATTR_KERNEL_Y,   TH_ATTR_KERNEL_X, TH_ATTR_STRIDE_Y,   TH_ATTR_STRIDE_X,
                                       TH_ATTR_PAD_TOP,    TH_ATTR_PAD_LEFT, TH_ATTR_PAD_BOTTOM, TH_ATTR_PAD_RIGHT,
                                       TH_ATTR_ACTIVATION, TH_ATTR_COUNT};

th_status th_op_pool_infer(th_graph *g, th_node *n) {
  th_op_geometry o;
  int ky = n->attr[TH_ATTR_KERNEL_Y].i, kx = n->attr[TH_ATTR_KERNEL_X].i;
  if (n->attr[TH_ATTR_DILATION_Y].i != 1 || n->attr[TH_ATTR_DILATION_X].i != 1)
    return th_op_fail(n, "pooling windows cannot be dilated");
  TH_TRY(th_op_geometry_infer(g, n, ky, kx, &o));
  TH_TRY(th_op_activation_check(n));
  /* every window must reach at least one pixel */
  bool y = o.top < ky && (o.out_y - 1) * o.stride_y - o.top < o.in_y;
  bool x = o.left < kx && (o.out_x - 1) * o.stride_x - o.left < o.in_x;
  if (!y || !x)
    return th_op_fail(n, "with padding %d, %d, %d, %d a window of %d x %d would lie outside the input of %d x %d",
                      o.top, o.bottom, o.left, o.right, ky, kx, o.in_y, o.in_x);
  th_shape s = th_shape_make(4, 1, o.out_y, o.out_x, o.in_c);
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

th_pool th_op_pool_of(const th_graph *g, const th_node *n) {
  th_op_geometry o = th_op_geometry_of(g, n, n->attr[TH_ATTR_KERNEL_Y].i, n->attr[TH_ATTR_KERNEL_X].i);
  return (th_pool){.in_y = o.in_y,
                   .in_x = o.in_x,
                   .out_y = o.out_y,
                   .out_x = o.out_x,
                   .channels = o.in_c,
                   .kernel_y = o.kernel_y,
                   .kernel_x = o.kernel_x,
                   .stride_y = o.stride_y,
                   .stride_x = o.stride_x,
                   .top = o.top,
                   .left = o.left};
}

size_t th_op_pool_scratch(const th_graph *g, const th_node *n, int samples) {
  return th_op_has_activation(n) ? (size_t)th_op_elems_out(g, n) : 0;
}

void th_op_pool_forward(const th_op_run *r, void (*pool)(const th_pool *, const float *, float *)) {
  th_pool p = th_op_pool_of(r->graph, r->node);
  int64_t in_elems = th_op_elems_in(r->graph, r->node, 0), out_elems = th_op_elems_out(r->graph, r->node);
  for (int i = r->begin; i < r->end; i++) {
    float *y = r->out[0] + i * out_elems;
    pool(&p, r->in[0] + i * in_elems, y);
    th_op_activation_apply(r->node, y, out_elems);
  }
}

void th_op_pool_backward(const th_op_run *r, void (*max_grad)(const th_pool *, const float *, const float *, float *),
                         void (*avg_grad)(const th_pool *, const float *, float *)) {
  th_pool p = th_op_pool_of(r->graph, r->node);
  int64_t in_elems = th_op_elems_in(r->graph, r->node, 0), out_elems = th_op_elems_out(r->graph, r->node);
  if (!r->d_in[0]) return;
  for (int i = r->begin; i < r->end; i++) {
    float *dx = r->d_in[0] + i * in_elems;
    const float *dy =
        th_op_activation_undo(r->node, r->out[0] + i * out_elems, r->d_out[0] + i * out_elems, r->scratch, out_elems);
    if (!th_op_accumulates(r, 0)) memset(dx, 0, sizeof(float) * (size_t)in_elems);
    if (max_grad)
      max_grad(&p, r->in[0] + i * in_elems, dy, dx);
    else
      avg_grad(&p, dy, dx);
  }
}
