/* Windows of conv2d and depthwise layers, lines of fully connected ones. See patches.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pass/patches.h"

#include <string.h>

#include "op/op.h"

static void of_window(th_patches *p) {
  const th_shape *in = &p->g->tensors[p->n->in[0]].shape, *out = &p->g->tensors[p->n->out[0]].shape;
  const th_shape *w = &p->g->tensors[p->n->in[1]].shape;
  const bool depthwise = p->n->op == TH_OP_DEPTHWISE_CONV2D;
  p->in_y = in->dim[1];
  p->in_x = in->dim[2];
  p->in_c = in->dim[3];
  p->out_x = out->dim[2];
  p->kernel_y = w->dim[1];
  p->kernel_x = w->dim[2];
  p->groups = depthwise ? p->in_c : p->n->attr[TH_ATTR_GROUPS].i;
  p->out_per_group = out->dim[3] / p->groups;
  p->elems = (int64_t)p->kernel_y * p->kernel_x * (p->in_c / p->groups);
  p->positions = (int64_t)out->dim[1] * out->dim[2];
}

bool th_patches_of(const th_graph *g, int node, th_patches *p) {
  *p = (th_patches){.g = g, .n = &g->nodes[node], .groups = 1};
  switch (p->n->op) {
    case TH_OP_CONV2D:
    case TH_OP_DEPTHWISE_CONV2D:
      of_window(p);
      return true;
    case TH_OP_FULLY_CONNECTED:
      p->elems = g->tensors[p->n->in[1]].shape.dim[1];
      p->out_per_group = g->tensors[p->n->in[1]].shape.dim[0];
      p->positions = th_shape_elems(&g->tensors[p->n->in[0]].shape) / p->elems;
      return true;
    default:
      return false;
  }
}

void th_patches_row(const th_patches *p, const float *sample, int64_t position, int group, float *row) {
  if (p->n->op == TH_OP_FULLY_CONNECTED) {
    memcpy(row, sample + position * p->elems, (size_t)p->elems * sizeof *row);
    return;
  }
  const th_attr *a = p->n->attr;
  const int depth = p->in_c / p->groups;
  const int y0 = (int)(position / p->out_x) * a[TH_ATTR_STRIDE_Y].i - a[TH_ATTR_PAD_TOP].i;
  const int x0 = (int)(position % p->out_x) * a[TH_ATTR_STRIDE_X].i - a[TH_ATTR_PAD_LEFT].i;
  for (int ky = 0; ky < p->kernel_y; ky++)
    for (int kx = 0; kx < p->kernel_x; kx++, row += depth) {
      const int y = y0 + ky * a[TH_ATTR_DILATION_Y].i, x = x0 + kx * a[TH_ATTR_DILATION_X].i;
      if (y < 0 || y >= p->in_y || x < 0 || x >= p->in_x)
        memset(row, 0, (size_t)depth * sizeof *row);
      else
        memcpy(row, sample + ((int64_t)y * p->in_x + x) * p->in_c + (int64_t)group * depth,
               (size_t)depth * sizeof *row);
    }
}
