/* resize_bilinear: each output pixel is the weighted mean of the 2 x 2 input pixels around its place (op/resize.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"
#include "op/resize.h"

typedef struct corner { /* one of the four */
  int64_t at;
  float weight;
} corner;

static void corners(const th_resize *y, const th_resize *x, int oy, int ox, int32_t c, corner k[4]) {
  int32_t y0, y1, x0, x1;
  float wy, wx;
  th_resize_linear(y, oy, &y0, &y1, &wy);
  th_resize_linear(x, ox, &x0, &x1, &wx);
  k[0] = (corner){((int64_t)y0 * x->in + x0) * c, (1 - wy) * (1 - wx)};
  k[1] = (corner){((int64_t)y1 * x->in + x0) * c, wy * (1 - wx)};
  k[2] = (corner){((int64_t)y0 * x->in + x1) * c, (1 - wy) * wx};
  k[3] = (corner){((int64_t)y1 * x->in + x1) * c, wy * wx};
}

static void forward(const th_op_run *r) {
  const th_resize y = th_resize_y(r->graph, r->node), x = th_resize_x(r->graph, r->node);
  const int32_t c = th_op_last_dim(r->graph, r->node, 0);
  const int64_t n_in = th_op_elems_in(r->graph, r->node, 0);
  const float *in = r->in[0] + r->begin * n_in;
  float *out = r->out[0] + r->begin * th_op_elems_out(r->graph, r->node);
  for (int i = r->begin; i < r->end; i++, in += n_in)
    for (int oy = 0; oy < y.out; oy++)
      for (int ox = 0; ox < x.out; ox++, out += c) {
        corner k[4];
        corners(&y, &x, oy, ox, c, k);
        const float *a = in + k[0].at, *b = in + k[1].at, *d = in + k[2].at, *e = in + k[3].at;
        for (int ch = 0; ch < c; ch++)
          out[ch] = a[ch] * k[0].weight + b[ch] * k[1].weight + d[ch] * k[2].weight + e[ch] * k[3].weight;
      }
}

static void backward(const th_op_run *r) {
  const th_resize y = th_resize_y(r->graph, r->node), x = th_resize_x(r->graph, r->node);
  const int32_t c = th_op_last_dim(r->graph, r->node, 0);
  const int64_t n_in = th_op_elems_in(r->graph, r->node, 0);
  if (!r->d_in[0]) return;
  float *dx = r->d_in[0] + r->begin * n_in;
  const float *dy = r->d_out[0] + r->begin * th_op_elems_out(r->graph, r->node);
  if (!th_op_accumulates(r, 0)) memset(dx, 0, sizeof(float) * (size_t)(th_op_samples(r) * n_in));
  for (int i = r->begin; i < r->end; i++, dx += n_in)
    for (int oy = 0; oy < y.out; oy++)
      for (int ox = 0; ox < x.out; ox++, dy += c) {
        corner k[4];
        corners(&y, &x, oy, ox, c, k);
        for (int j = 0; j < 4; j++) th_math_get()->axpy(dx + k[j].at, k[j].weight, dy, c);
      }
}

static th_op_cost cost(const th_graph *g, const th_node *n) {
  return (th_op_cost){.macs = 4 * th_op_elems_out(g, n)};
}

const th_op th_op_resize_bilinear = {.name = "resize_bilinear",
                                     .attrs = th_op_resize_attrs,
                                     .infer = th_op_resize_infer,
                                     .forward = forward,
                                     .backward = backward,
                                     .cost = cost};
