/* pad: a border of a constant value (default 0) around each dimension.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static th_status infer(th_graph *g, th_node *n) {
  const th_tensor *x = th_node_in(g, n, 0), *p = th_node_in(g, n, 1), *value = th_node_in(g, n, 2);
  char text[TH_SHAPE_TEXT];
  th_shape s = x->shape;
  if (p->dtype != TH_DTYPE_S32 || !p->data || p->shape.rank != 2 || p->shape.dim[0] != s.rank || p->shape.dim[1] != 2)
    return th_op_fail(n, "paddings %s are %s, expected constant s32 of %d x 2", p->name, th_shape_text(&p->shape, text),
                      s.rank);
  if (value && (th_shape_elems(&value->shape) != 1 || !value->data))
    return th_op_fail(n, "value %s is %s, expected one constant", value->name, th_shape_text(&value->shape, text));
  const int32_t *pads = p->data;
  for (int i = 0; i < s.rank; i++) {
    int32_t before = pads[2 * i], after = pads[2 * i + 1];
    if (before < 0 || after < 0 || before > 1 << 16 || after > 1 << 16)
      return th_op_fail(n, "padding of dimension %d is %d, %d, must be 0 to 65536", i, before, after);
    s.dim[i] += before + after;
  }
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

/* Where row `row` of the input (all dimensions but the last) begins in the output. */
static int64_t row_offset(const th_shape *in, const th_shape *out, const int32_t *pads, int64_t row) {
  int last = in->rank - 1;
  int64_t at = pads[2 * last], step = out->dim[last];
  for (int i = last - 1; i >= 0; i--) {
    at += (row % in->dim[i] + pads[2 * i]) * step;
    row /= in->dim[i];
    step *= out->dim[i];
  }
  return at;
}

static void forward(const th_op_run *r) {
  const th_shape *in = &th_node_in(r->graph, r->node, 0)->shape, *out = &th_node_out(r->graph, r->node, 0)->shape;
  const int32_t *pads = th_node_in(r->graph, r->node, 1)->data;
  int64_t n_in = th_shape_elems(in), n_out = th_shape_elems(out);
  int32_t width = in->dim[in->rank - 1];
  float value = r->node->n_in > 2 && r->in[2] ? r->in[2][0] : 0;
  for (int i = r->begin; i < r->end; i++) {
    float *y = r->out[0] + i * n_out;
    for (int64_t k = 0; k < n_out; k++) y[k] = value;
    for (int64_t row = 0; row < n_in / width; row++)
      memcpy(y + row_offset(in, out, pads, row), r->in[0] + i * n_in + row * width, sizeof(float) * (size_t)width);
  }
}

static void backward(const th_op_run *r) {
  const th_shape *in = &th_node_in(r->graph, r->node, 0)->shape, *out = &th_node_out(r->graph, r->node, 0)->shape;
  const int32_t *pads = th_node_in(r->graph, r->node, 1)->data;
  int64_t n_in = th_shape_elems(in), n_out = th_shape_elems(out);
  int32_t width = in->dim[in->rank - 1];
  if (!r->d_in[0]) return;
  for (int i = r->begin; i < r->end; i++)
    for (int64_t row = 0; row < n_in / width; row++) {
      float *dx = r->d_in[0] + i * n_in + row * width;
      const float *dy = r->d_out[0] + i * n_out + row_offset(in, out, pads, row);
      if (th_op_accumulates(r, 0))
        th_math_get()->add(dx, dy, width);
      else
        memcpy(dx, dy, sizeof(float) * (size_t)width);
    }
}

const th_op th_op_pad = {.name = "pad",
                         .attrs = th_op_no_attrs,
                         .infer = infer,
                         .forward = forward,
                         .backward = backward,
                         .cost = th_op_cost_none};
