/* resize_nearest: each output pixel is the nearest input pixel (op/resize.h says which).
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"
#include "op/resize.h"

static void forward(const th_op_run *r) {
  const th_resize y = th_resize_y(r->graph, r->node), x = th_resize_x(r->graph, r->node);
  const int32_t c = th_op_last_dim(r->graph, r->node, 0);
  const int64_t n_in = th_op_elems_in(r->graph, r->node, 0);
  const float *in = r->in[0] + r->begin * n_in;
  float *out = r->out[0] + r->begin * th_op_elems_out(r->graph, r->node);
  for (int i = r->begin; i < r->end; i++, in += n_in)
    for (int oy = 0; oy < y.out; oy++) {
      const float *row = in + (int64_t)th_resize_nearest(&y, oy) * x.in * c;
      for (int ox = 0; ox < x.out; ox++, out += c)
        memcpy(out, row + (int64_t)th_resize_nearest(&x, ox) * c, sizeof(float) * (size_t)c);
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
    for (int oy = 0; oy < y.out; oy++) {
      float *row = dx + (int64_t)th_resize_nearest(&y, oy) * x.in * c;
      for (int ox = 0; ox < x.out; ox++, dy += c)
        th_math_get()->add(row + (int64_t)th_resize_nearest(&x, ox) * c, dy, c);
    }
}

const th_op th_op_resize_nearest = {.name = "resize_nearest",
                                    .attrs = th_op_resize_attrs,
                                    .infer = th_op_resize_infer,
                                    .forward = forward,
                                    .backward = backward,
                                    .cost = th_op_cost_none};
