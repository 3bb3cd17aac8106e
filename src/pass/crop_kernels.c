/* Cuts taps off the edges of int8 kernels that add nothing: those that lie outside the image at every position (a 3x3
 * kernel on a 1x1 image), and those whose weights are all zero.
 *
 * What stays must be SAME or VALID padding, so that the result can still be written as .tflite; the sums are the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "pass/edit.h"
#include "pass/pass.h"

typedef struct axis { /* y or x of a convolution */
  int32_t in, out, kernel, stride, dilation, before, after;
  int32_t first; /* tap that stays, after a cut */
} axis;

static axis axis_of(const th_graph *g, const th_node *n, int dim) {
  static const th_attr_id ids[2][4] = {{TH_ATTR_STRIDE_Y, TH_ATTR_DILATION_Y, TH_ATTR_PAD_TOP, TH_ATTR_PAD_BOTTOM},
                                       {TH_ATTR_STRIDE_X, TH_ATTR_DILATION_X, TH_ATTR_PAD_LEFT, TH_ATTR_PAD_RIGHT}};
  const th_attr_id *id = ids[dim - 1];
  return (axis){.in = th_node_in(g, n, 0)->shape.dim[dim],
                .out = th_node_out(g, n, 0)->shape.dim[dim],
                .kernel = th_node_in(g, n, 1)->shape.dim[dim],
                .stride = n->attr[id[0]].i,
                .dilation = n->attr[id[1]].i,
                .before = n->attr[id[2]].i,
                .after = n->attr[id[3]].i};
}

static bool sees_image(const axis *a, int32_t tap) {
  for (int32_t o = 0; o < a->out; o++) {
    const int64_t at = (int64_t)o * a->stride - a->before + (int64_t)tap * a->dilation;
    if (at >= 0 && at < a->in) return true;
  }
  return false;
}

static bool has_weights(const th_tensor *w, int dim, int32_t tap) {
  const th_slices s = th_slices_of(&w->shape, dim);
  const int8_t *v = w->data;
  for (int64_t o = 0; o < s.outer; o++)
    for (int64_t i = 0; i < s.inner; i++)
      if (v[(o * s.dim + tap) * s.inner + i] != 0) return true;
  return false;
}

/* The axis without its useless outer taps; padding is set by choose_padding(). */
static axis cut(const axis *a, const th_tensor *w, int dim) {
  int32_t first = 0, last = a->kernel - 1;
  while (first < last && !(sees_image(a, first) && has_weights(w, dim, first))) first++;
  while (last > first && !(sees_image(a, last) && has_weights(w, dim, last))) last--;
  axis c = *a;
  c.first = first;
  c.kernel = last - first + 1;
  c.before = a->before - first * a->dilation;
  return c;
}

static bool as_valid(axis *a) {
  const int64_t room = a->in - ((int64_t)a->kernel - 1) * a->dilation - 1;
  a->after = 0;
  return a->before == 0 && room >= 0 && room / a->stride + 1 == a->out;
}

static bool as_same(axis *a) {
  int before, after;
  th_op_same_padding(a->in, a->kernel, a->stride, a->dilation, &before, &after);
  a->after = after;
  return a->before == before && (a->in + a->stride - 1) / a->stride == a->out;
}

static bool choose_padding(axis *y, axis *x) {
  return (as_valid(y) && as_valid(x)) || (as_same(y) && as_same(x));
}

static th_status replace_weights(th_graph *g, int node, const axis *y, const axis *x) {
  const th_tensor w = *th_node_in(g, &g->nodes[node], 1);
  th_shape shape = w.shape;
  shape.dim[1] = y->kernel;
  shape.dim[2] = x->kernel;
  int8_t *data = TH_ARRAY(g->arena, int8_t, th_shape_elems(&shape)), *to = data;
  if (!data) return TH_ERR_RESOURCE;
  const size_t depth = (size_t)shape.dim[3];
  for (int32_t o = 0; o < shape.dim[0]; o++) {
    for (int32_t ky = 0; ky < y->kernel; ky++) {
      const int64_t line = ((int64_t)o * w.shape.dim[1] + y->first + ky) * w.shape.dim[2] + x->first;
      memcpy(to, (const int8_t *)w.data + (size_t)line * depth, (size_t)x->kernel * depth);
      to += (size_t)x->kernel * depth;
    }
  }
  TH_TRY(th_node_set_const(g, node, 1, w.dtype, &shape, data));
  return th_graph_set_quant(g, g->nodes[node].in[1], w.quant.axis, w.quant.count, w.quant.scale, w.quant.zero);
}

static th_status crop(th_graph *g, int node) {
  const th_tensor *w = th_node_in(g, &g->nodes[node], 1);
  const axis y = axis_of(g, &g->nodes[node], 1), x = axis_of(g, &g->nodes[node], 2);
  axis cut_y = cut(&y, w, 1), cut_x = cut(&x, w, 2);
  if (cut_y.kernel == y.kernel && cut_x.kernel == x.kernel) return TH_OK;
  if (!choose_padding(&cut_y, &cut_x)) return TH_OK;
  TH_TRY(replace_weights(g, node, &cut_y, &cut_x));
  th_node *n = &g->nodes[node];
  if (n->attr[TH_ATTR_KERNEL_Y].i == y.kernel) n->attr[TH_ATTR_KERNEL_Y].i = cut_y.kernel; /* readers set them */
  if (n->attr[TH_ATTR_KERNEL_X].i == x.kernel) n->attr[TH_ATTR_KERNEL_X].i = cut_x.kernel;
  n->attr[TH_ATTR_PAD_TOP].i = cut_y.before;
  n->attr[TH_ATTR_PAD_BOTTOM].i = cut_y.after;
  n->attr[TH_ATTR_PAD_LEFT].i = cut_x.before;
  n->attr[TH_ATTR_PAD_RIGHT].i = cut_x.after;
  return TH_OK;
}

static bool is_plain(const th_graph *g, const th_node *n) {
  if (n->dead || (n->op != TH_OP_CONV2D && n->op != TH_OP_DEPTHWISE_CONV2D)) return false;
  const th_tensor *x = th_node_in(g, n, 0), *w = th_node_in(g, n, 1);
  bool plain = x && x->shape.rank == 4 && w && w->data && w->dtype == TH_DTYPE_S8 && w->shape.rank == 4;
  for (int i = 0; plain && i < w->quant.count; i++) plain = !w->quant.zero || w->quant.zero[i] == 0;
  return plain;
}

th_status th_pass_crop_kernels(th_graph *g, const th_pass_options *o) {
  (void)o;
  for (int i = 0; i < g->n_nodes; i++)
    if (is_plain(g, &g->nodes[i])) TH_TRY(crop(g, i));
  return TH_OK;
}
