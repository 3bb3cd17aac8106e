/* ConvTranspose. Its weights are (in, out / groups, ky, kx); the operator here takes (out, ky, kx, in / groups).
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "read/onnx_internal.h"

enum { Y, X };

typedef struct side { /* along one dimension */
  int32_t in, kernel, stride, dilation, before, after;
} side;

static th_status numbers(onnx_reader *r, const onnx_node *n, const char *name, int spatial, int32_t otherwise,
                         int32_t least, int32_t to[2]) {
  int32_t v[2 * TH_MAX_RANK];
  int count;
  TH_TRY(th_onnx_attr_ints(r, n, name, v, 2 * TH_MAX_RANK, &count));
  if (count > spatial) v[0] = v[count - spatial], v[1] = v[count - 1]; /* output_shape may have batch and channels */
  if (count && count < spatial) return th_onnx_fail(r, n, "%s has %d numbers, expected %d", name, count, spatial);
  to[Y] = spatial == 2 && count ? v[0] : otherwise;
  to[X] = count ? v[spatial - 1] : otherwise;
  for (int i = 0; i < 2; i++)
    if (to[i] < least || to[i] > 65536) return th_onnx_fail(r, n, "%s is %d", name, (int)to[i]);
  return TH_OK;
}

/* Padding such that the result has `out` values: ONNX's rule puts the larger half behind only for SAME_UPPER. */
static void pad_to(side *s, int32_t more, int32_t out, bool upper) {
  const int64_t full = (int64_t)(s->in - 1) * s->stride + more + (int64_t)(s->kernel - 1) * s->dilation + 1;
  const int64_t total = full - out > 0 ? full - out : 0, half = total / 2;
  s->before = (int32_t)(upper ? half : total - half);
  s->after = (int32_t)(full - more - out) - s->before;
}

static th_status read_sides(onnx_reader *r, const onnx_node *n, int spatial, side s[2]) {
  int32_t stride[2], dilation[2], more[2], out[2], pads[4];
  int count;
  const char *mode;
  TH_TRY(numbers(r, n, "strides", spatial, 1, 1, stride));
  TH_TRY(numbers(r, n, "dilations", spatial, 1, 1, dilation));
  TH_TRY(numbers(r, n, "output_padding", spatial, 0, 0, more));
  TH_TRY(numbers(r, n, "output_shape", spatial, 0, 0, out));
  TH_TRY(th_onnx_attr_ints(r, n, "pads", pads, 4, &count));
  TH_TRY(th_onnx_attr_text(r, n, "auto_pad", "NOTSET", &mode));
  if (count && count != 2 * spatial) return th_onnx_fail(r, n, "pads has %d numbers, expected %d", count, 2 * spatial);
  const bool upper = th_str_eq(mode, "SAME_UPPER"), same = upper || th_str_eq(mode, "SAME_LOWER");
  for (int i = 0; i < 2; i++) {
    const int at = spatial == 2 ? i : 0;
    const bool padded = count && (spatial == 2 || i == X);
    s[i].stride = stride[i];
    s[i].dilation = dilation[i];
    s[i].before = padded ? pads[at] : 0;
    s[i].after = (padded ? pads[spatial + at] : 0) - more[i];
    if (i == Y && spatial == 1) continue;
    if ((int64_t)s[i].in * stride[i] > 1 << 24) return th_onnx_fail(r, n, "its output is too large");
    if (out[i] > 0)
      pad_to(&s[i], more[i], out[i], upper);
    else if (same)
      pad_to(&s[i], more[i], s[i].in * stride[i], upper);
  }
  return TH_OK;
}

/* (groups, in, out, taps) -> (groups, out, taps, in) */
static th_status put_weights(onnx_reader *r, onnx_value *w, int groups, th_shape *shape) {
  const int32_t in = w->shape.dim[0] / groups, out = w->shape.dim[1];
  const int32_t ky = w->shape.rank == 4 ? w->shape.dim[2] : 1, kx = w->shape.dim[w->shape.rank - 1];
  const int64_t taps = (int64_t)ky * kx;
  const th_shape order = th_shape_make(4, groups, out, (int32_t)taps, in);
  const int64_t step[4] = {in * out * taps, taps, 1, out * taps};
  void *data;
  TH_TRY(th_onnx_pick(r, w->data, th_dtype_bytes(w->dtype), 0, &order, step, &data));
  w->data = data;
  *shape = th_shape_make(4, groups * out, ky, kx, in);
  return TH_OK;
}

th_status th_onnx_op_conv_transpose(onnx_reader *r, onnx_node *n) {
  onnx_value x, w;
  side s[2] = {{.in = 1, .kernel = 1}, {.in = 1, .kernel = 1}};
  int32_t groups;
  int in[3], tensor;
  th_shape shape;
  th_node *node;
  TH_TRY(th_onnx_data(r, n, 0, &x));
  TH_TRY(th_onnx_weights(r, n, 1, &w));
  TH_TRY(th_onnx_attr_int(r, n, "group", 1, &groups));
  const int spatial = x.shape.rank - 2;
  if (spatial < 1 || spatial > 2 || w.shape.rank != x.shape.rank || x.shape.dim[0] != 1)
    return th_onnx_fail(r, n, "takes one sample in one or two dimensions; input %s has %d dimensions", x.name,
                        x.shape.rank);
  if (groups < 1 || w.shape.dim[0] % groups || w.shape.dim[0] != x.shape.dim[1] || th_shape_elems(&w.shape) < 1)
    return th_onnx_fail(r, n, "weights %s take %d channels in %d groups, the input has %d", w.name, (int)w.shape.dim[0],
                        (int)groups, (int)x.shape.dim[1]);
  for (int i = 0; i < spatial; i++) {
    s[2 - spatial + i].in = x.shape.dim[2 + i];
    s[2 - spatial + i].kernel = w.shape.dim[2 + i];
  }
  TH_TRY(read_sides(r, n, spatial, s));
  const onnx_layout l = th_onnx_channels_last(x.shape.rank);
  const int outs = w.shape.dim[1] * groups;
  TH_TRY(th_onnx_arrange(r, n, &x, &l, &in[0]));
  TH_TRY(put_weights(r, &w, groups, &shape));
  TH_TRY(th_onnx_const(r, w.name, w.dtype, &shape, w.data, &in[1]));
  if (w.grid.count > 1 && w.grid.axis != 1)
    return th_onnx_fail(r, n, "weights %s have scales along their inputs", w.name);
  const int scale_axis = w.grid.count > 1 ? 0 : -1;
  if (w.grid.count) TH_TRY(th_graph_set_quant(r->g, in[1], scale_axis, w.grid.count, w.grid.scale, w.grid.zero));
  TH_TRY(th_onnx_bias(r, n, 2, in[0], &w, outs, spatial, x.shape.rank, &in[2]));
  TH_TRY(th_onnx_node(r, n, TH_OP_TRANSPOSE_CONV2D, in, in[2] >= 0 ? 3 : 2, &node));
  static const th_attr_id ids[4][2] = {{TH_ATTR_STRIDE_Y, TH_ATTR_STRIDE_X},
                                       {TH_ATTR_DILATION_Y, TH_ATTR_DILATION_X},
                                       {TH_ATTR_PAD_TOP, TH_ATTR_PAD_LEFT},
                                       {TH_ATTR_PAD_BOTTOM, TH_ATTR_PAD_RIGHT}};
  for (int i = 0; i < 2; i++) {
    const int32_t values[4] = {s[i].stride, s[i].dilation, s[i].before, s[i].after};
    for (int k = 0; k < 4; k++) node->attr[ids[k][i]].i = values[k];
  }
  node->attr[TH_ATTR_GROUPS].i = groups;
  TH_TRY(th_onnx_finish(r, n, &tensor));
  const th_shape *t = &r->g->tensors[tensor].shape;
  const th_shape logical =
      spatial == 1 ? th_shape_make(3, 1, outs, t->dim[2]) : th_shape_make(4, 1, outs, t->dim[1], t->dim[2]);
  TH_TRY(th_onnx_set(r, n, 0, tensor, &logical, &l));
  if (n->out[0]) n->out[0]->image = true;
  return TH_OK;
}
