/* conv2d: dense and grouped convolution without im2col.
 *
 * In a (padded) NHWC image the kernel_x * in_c values under one kernel row are contiguous, and moving one output to the
 * right moves them by stride_x * in_c floats. So each output row is a matrix product whose A is the image itself, read
 * with overlapping rows, and whose k consists of one segment per kernel row (per kernel element when dilated or
 * grouped). The same view, transposed, gives the weight gradient; the input gradient is a plain product whose rows are
 * added back over the windows. Idea: Georganas et al. 2020 (arXiv:1906.06440).
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

typedef struct conv {
  th_op_geometry o;
  int groups, group_in, group_out;
  int padded_out;        /* group_out rounded up to whole vectors: rows of the weight gradient while it is summed */
  int segments, segment; /* per window, and floats in each */
  ptrdiff_t row;         /* floats of one row of the padded image */
  bool pointwise;        /* 1x1, stride 1, no padding: the image is the matrix */
  bool direct_weights;   /* and the weight gradient is summed where it belongs */
} conv;

static conv conv_of(const th_graph *g, const th_node *n) {
  const th_shape *w = &th_node_in(g, n, 1)->shape;
  conv c = {.o = th_op_geometry_of(g, n, w->dim[1], w->dim[2]), .groups = n->attr[TH_ATTR_GROUPS].i};
  c.group_in = c.o.in_c / c.groups;
  c.group_out = c.o.out_c / c.groups;
  c.padded_out = (c.group_out + 7) / 8 * 8;
  bool split = c.groups > 1 || (c.o.dilation_x > 1 && c.o.kernel_x > 1);
  c.segments = split ? c.o.kernel_y * c.o.kernel_x : c.o.kernel_y;
  c.segment = split ? c.group_in : c.o.kernel_x * c.group_in;
  c.row = (ptrdiff_t)(c.o.in_x + c.o.left + c.o.right) * c.o.in_c;
  c.pointwise = c.groups == 1 && c.o.kernel_y == 1 && c.o.kernel_x == 1 && c.o.stride_y == 1 && c.o.stride_x == 1 &&
                !th_op_is_padded(&c.o);
  c.direct_weights = c.pointwise && c.o.in_c % 8 == 0;
  return c;
}

static th_status infer(th_graph *g, th_node *n) {
  const th_tensor *w = th_node_in(g, n, 1), *b = th_node_in(g, n, 2);
  char text[TH_SHAPE_TEXT];
  th_op_geometry o;
  if (w->shape.rank != 4)
    return th_op_fail(n, "weights %s are %s, expected out x kernel_y x kernel_x x in", w->name,
                      th_shape_text(&w->shape, text));
  TH_TRY(th_op_geometry_infer(g, n, w->shape.dim[1], w->shape.dim[2], &o));
  TH_TRY(th_op_need_one(n, TH_ATTR_GROUPS));
  TH_TRY(th_op_activation_check(n));
  int groups = n->attr[TH_ATTR_GROUPS].i, oc = w->shape.dim[0];
  if (o.in_c % groups || o.in_c / groups != w->shape.dim[3])
    return th_op_fail(n, "input has %d channels, weights expect %d (%d groups)", o.in_c, w->shape.dim[3] * groups,
                      groups);
  if (oc < 1 || oc % groups) return th_op_fail(n, "%d output channels do not divide into %d groups", oc, groups);
  if (b && th_shape_elems(&b->shape) != oc)
    return th_op_fail(n, "bias %s is %s, expected %d values", b->name, th_shape_text(&b->shape, text), oc);
  th_shape s = th_shape_make(4, 1, o.out_y, o.out_x, oc);
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

static void pad_image(const th_op_geometry *o, const float *x, float *to) {
  size_t row = (size_t)o->in_x * o->in_c, full = (size_t)(o->in_x + o->left + o->right) * o->in_c;
  memset(to, 0, sizeof(float) * full * (size_t)o->top);
  to += full * (size_t)o->top;
  for (int y = 0; y < o->in_y; y++, to += full, x += row) {
    memset(to, 0, sizeof(float) * (size_t)(o->left * o->in_c));
    memcpy(to + o->left * o->in_c, x, sizeof(float) * row);
    memset(to + o->left * o->in_c + row, 0, sizeof(float) * (size_t)(o->right * o->in_c));
  }
  memset(to, 0, sizeof(float) * full * (size_t)o->bottom);
}

/* Where the segments of a window lie, relative to its first pixel. */
static void window_segments(const conv *c, ptrdiff_t *segment) {
  int per_row = c->segments / c->o.kernel_y;
  for (int s = 0; s < c->segments; s++)
    segment[s] = s / per_row * c->o.dilation_y * c->row + (ptrdiff_t)(s % per_row) * c->o.dilation_x * c->o.in_c;
}

typedef struct forward_scratch {
  ptrdiff_t *segment;
  float *image, *packed;
} forward_scratch;

static forward_scratch take_forward(const conv *c, th_op_scratch *s) {
  forward_scratch f;
  size_t group = th_math_pack_elems(c->segments * c->segment, c->group_out);
  f.segment = (ptrdiff_t *)th_op_take(s, (size_t)c->segments * sizeof(ptrdiff_t) / sizeof(float));
  f.image = th_op_is_padded(&c->o) ? th_op_take(s, (size_t)th_op_padded_elems(&c->o, c->o.in_c)) : NULL;
  f.packed = th_op_take(s, group * (size_t)c->groups);
  return f;
}

static void forward(const th_op_run *r) {
  const th_math *m = th_math_get();
  conv c = conv_of(r->graph, r->node);
  th_op_scratch s = {r->scratch, 0};
  forward_scratch f = take_forward(&c, &s);
  int k = c.segments * c.segment, act = r->node->attr[TH_ATTR_ACTIVATION].i;
  int64_t in_elems = th_op_elems_in(r->graph, r->node, 0), out_elems = th_op_elems_out(r->graph, r->node);
  size_t group = th_math_pack_elems(k, c.group_out);
  for (int g = 0; g < c.groups; g++)
    m->pack(r->in[1] + (ptrdiff_t)g * c.group_out * k, 1, k, k, c.group_out, f.packed + group * (size_t)g);
  window_segments(&c, f.segment);
  for (int i = r->begin; i < r->end; i++) {
    const float *x = r->in[0] + i * in_elems;
    float *y = r->out[0] + i * out_elems;
    if (f.image) pad_image(&c.o, x, f.image), x = f.image;
    for (int g = 0; g < c.groups; g++) {
      th_gemm gemm = {.m = c.pointwise ? c.o.out_y * c.o.out_x : c.o.out_x,
                      .n = c.group_out,
                      .k = c.segment,
                      .segments = c.segments,
                      .segment = f.segment,
                      .repeat = c.pointwise ? 1 : c.o.out_y,
                      .a = x + g * c.group_in,
                      .a_row = (ptrdiff_t)c.o.stride_x * c.o.in_c,
                      .a_col = 1,
                      .a_repeat = c.o.stride_y * c.row,
                      .b = f.packed + group * (size_t)g,
                      .b_row = TH_MATH_PACKED,
                      .c = y + g * c.group_out,
                      .c_row = c.o.out_c,
                      .c_repeat = (ptrdiff_t)c.o.out_x * c.o.out_c,
                      .bias = r->in[2] ? r->in[2] + g * c.group_out : NULL,
                      .clamp = act == TH_ACT_RELU || act == TH_ACT_RELU6 || act == TH_ACT_RELU_N1_1,
                      .lo = act == TH_ACT_RELU_N1_1 ? -1.0f : 0.0f,
                      .hi = act == TH_ACT_RELU    ? __builtin_inff()
                            : act == TH_ACT_RELU6 ? 6.0f
                                                  : 1.0f};
      m->gemm(&gemm);
    }
    if (act == TH_ACT_TANH) th_op_activation_apply(r->node, y, out_elems);
  }
}

typedef struct backward_scratch {
  ptrdiff_t *segment;
  float *image, *d_image; /* padded */
  float *d_pre;           /* gradient before the fused activation */
  float *rows;            /* products to be added over the windows: outputs x segment */
  float *tail, *packed, *d_weights;
} backward_scratch;

static backward_scratch take_backward(const conv *c, const th_node *n, th_op_scratch *s) {
  backward_scratch b;
  size_t pixels = (size_t)c->o.out_y * c->o.out_x, image = (size_t)th_op_padded_elems(&c->o, c->o.in_c);
  bool padded = th_op_is_padded(&c->o);
  b.segment = (ptrdiff_t *)th_op_take(s, (size_t)c->o.out_y * sizeof(ptrdiff_t) / sizeof(float));
  b.image = padded ? th_op_take(s, image) : NULL;
  b.d_image = padded ? th_op_take(s, image) : NULL;
  b.d_pre = th_op_has_activation(n) ? th_op_take(s, pixels * c->o.out_c) : NULL;
  b.rows = th_op_take(s, pixels * c->segment);
  b.tail = th_op_take(s, 8 * (size_t)c->group_out);
  b.packed = th_op_take(s, th_math_pack_elems((int)pixels, c->group_out));
  b.d_weights = th_op_take(s, (size_t)c->segments * c->segment * c->groups * c->padded_out);
  return b;
}

/* d_weights (group, segment element, oc) += image^T dy: one product per segment position, k running over all outputs.
 */
static void add_weights(const conv *c, const backward_scratch *b, const float *x, const float *dy) {
  const th_math *m = th_math_get();
  int pixels = c->o.out_y * c->o.out_x, per_row = c->segments / c->o.kernel_y, k = c->segments * c->segment;
  for (int y = 0; y < c->o.out_y; y++) b->segment[y] = y * c->o.stride_y * c->row;
  for (int g = 0; g < c->groups; g++) {
    bool direct = c->group_out % 8 == 0;
    if (!direct) m->pack(dy + g * c->group_out, c->o.out_c, 1, pixels, c->group_out, b->packed);
    for (int p = 0; p < per_row; p++) {
      th_gemm gemm = {.m = c->segment,
                      .n = c->padded_out,
                      .k = c->pointwise ? pixels : c->o.out_x,
                      .segments = c->o.out_y,
                      .segment = c->pointwise ? NULL : b->segment,
                      .repeat = c->o.kernel_y,
                      .a = x + (ptrdiff_t)p * c->o.dilation_x * c->o.in_c + g * c->group_in,
                      .a_row = 1,
                      .a_col = (ptrdiff_t)c->o.stride_x * c->o.in_c,
                      .a_repeat = c->o.dilation_y * c->row,
                      .b = direct ? dy + g * c->group_out : b->packed,
                      .b_row = direct ? c->o.out_c : TH_MATH_PACKED,
                      .c = b->d_weights + ((ptrdiff_t)g * k + (ptrdiff_t)p * c->segment) * c->padded_out,
                      .c_row = c->padded_out,
                      .c_repeat = (ptrdiff_t)per_row * c->segment * c->padded_out,
                      .accumulate = true};
      m->gemm(&gemm);
    }
  }
}

/* A pointwise convolution has rows of pixels on both sides: dw (oc, ic) += dy^T x. */
static void add_weights_direct(const conv *c, const float *x, const float *dy, float *dw) {
  th_gemm gemm = {.m = c->o.out_c,
                  .n = c->o.in_c,
                  .k = c->o.out_y * c->o.out_x,
                  .a = dy,
                  .a_row = 1,
                  .a_col = c->o.out_c,
                  .b = x,
                  .b_row = c->o.in_c,
                  .c = dw,
                  .c_row = c->o.in_c,
                  .accumulate = true};
  th_math_get()->gemm(&gemm);
}

/* dx (padded image, zeroed or holding what is to be added to) += dy w, spread over the windows. */
static void add_input(const conv *c, const backward_scratch *b, const float *w, const float *dy, float *dx) {
  const th_math *m = th_math_get();
  int pixels = c->o.out_y * c->o.out_x, per_row = c->segments / c->o.kernel_y, k = c->segments * c->segment;
  for (int g = 0; g < c->groups; g++)
    for (int s = 0; s < c->segments; s++) {
      th_gemm gemm = {.m = pixels,
                      .n = c->segment,
                      .k = c->group_out,
                      .a = dy + g * c->group_out,
                      .a_row = c->o.out_c,
                      .a_col = 1,
                      .b = w + (ptrdiff_t)g * c->group_out * k + (ptrdiff_t)s * c->segment,
                      .b_row = k,
                      .c = b->rows,
                      .c_row = c->segment,
                      .tail = b->tail};
      m->gemm(&gemm);
      ptrdiff_t at = (ptrdiff_t)(s / per_row) * c->o.dilation_y * c->row +
                     (ptrdiff_t)(s % per_row) * c->o.dilation_x * c->o.in_c + g * c->group_in;
      for (int y = 0; y < c->o.out_y; y++)
        for (int x = 0; x < c->o.out_x; x++)
          m->add(dx + at + y * c->o.stride_y * c->row + (ptrdiff_t)x * c->o.stride_x * c->o.in_c,
                 b->rows + ((ptrdiff_t)y * c->o.out_x + x) * c->segment, c->segment);
    }
}

static void pointwise_input(const conv *c, const backward_scratch *b, const float *w, const float *dy, float *dx,
                            bool accumulate) {
  th_gemm gemm = {.m = c->o.out_y * c->o.out_x,
                  .n = c->o.in_c,
                  .k = c->o.out_c,
                  .a = dy,
                  .a_row = c->o.out_c,
                  .a_col = 1,
                  .b = w,
                  .b_row = c->o.in_c,
                  .c = dx,
                  .c_row = c->o.in_c,
                  .accumulate = accumulate,
                  .tail = b->tail};
  th_math_get()->gemm(&gemm);
}

static void crop_image(const th_op_geometry *o, const float *from, float *dx, bool accumulate) {
  size_t row = (size_t)o->in_x * o->in_c, full = (size_t)(o->in_x + o->left + o->right) * o->in_c;
  from += full * (size_t)o->top + (size_t)(o->left * o->in_c);
  for (int y = 0; y < o->in_y; y++, from += full, dx += row) {
    if (accumulate)
      th_math_get()->add(dx, from, (int64_t)row);
    else
      memcpy(dx, from, sizeof(float) * row);
  }
}

static void input_gradient(const conv *c, const backward_scratch *b, const float *w, const float *dy, float *dx,
                           bool accumulate) {
  if (c->pointwise) {
    pointwise_input(c, b, w, dy, dx, accumulate);
    return;
  }
  size_t image = sizeof(float) * (size_t)th_op_padded_elems(&c->o, c->o.in_c);
  if (b->d_image) {
    memset(b->d_image, 0, image);
    add_input(c, b, w, dy, b->d_image);
    crop_image(&c->o, b->d_image, dx, accumulate);
  } else {
    if (!accumulate) memset(dx, 0, image);
    add_input(c, b, w, dy, dx);
  }
}

static void backward(const th_op_run *r) {
  const th_math *m = th_math_get();
  conv c = conv_of(r->graph, r->node);
  th_op_scratch s = {r->scratch, 0};
  backward_scratch b = take_backward(&c, r->node, &s);
  int k = c.segments * c.segment, pixels = c.o.out_y * c.o.out_x;
  int64_t in_elems = th_op_elems_in(r->graph, r->node, 0), out_elems = th_op_elems_out(r->graph, r->node);
  if (r->d_in[1] && !c.direct_weights) memset(b.d_weights, 0, sizeof(float) * (size_t)k * c.groups * c.padded_out);
  for (int i = r->begin; i < r->end; i++) {
    const float *x = r->in[0] + i * in_elems;
    const float *dy =
        th_op_activation_undo(r->node, r->out[0] + i * out_elems, r->d_out[0] + i * out_elems, b.d_pre, out_elems);
    if (r->d_in[2]) m->column_sums(dy, pixels, c.o.out_c, r->d_in[2]);
    if (r->d_in[1]) {
      if (b.image) pad_image(&c.o, x, b.image), x = b.image;
      if (c.direct_weights)
        add_weights_direct(&c, x, dy, r->d_in[1]);
      else
        add_weights(&c, &b, x, dy);
    }
    if (r->d_in[0]) input_gradient(&c, &b, r->in[1], dy, r->d_in[0] + i * in_elems, th_op_accumulates(r, 0));
  }
  for (int g = 0; g < c.groups && r->d_in[1] && !c.direct_weights; g++)
    m->transpose(b.d_weights + (ptrdiff_t)g * k * c.padded_out, c.padded_out, k, c.group_out,
                 r->d_in[1] + (ptrdiff_t)g * c.group_out * k, k, true);
}

static th_op_cost cost(const th_graph *g, const th_node *n) {
  const th_tensor *b = th_node_in(g, n, 2);
  const th_shape *w = &th_node_in(g, n, 1)->shape, *out = &th_node_out(g, n, 0)->shape;
  int64_t weights = th_shape_elems(w);
  return (th_op_cost){.macs = weights * out->dim[1] * out->dim[2],
                      .params = weights + (b ? th_shape_elems(&b->shape) : 0)};
}

static size_t scratch_elems(const th_graph *g, const th_node *n, int samples) {
  conv c = conv_of(g, n);
  th_op_scratch f = {NULL, 0}, b = {NULL, 0};
  take_forward(&c, &f);
  take_backward(&c, n, &b);
  return f.used > b.used ? f.used : b.used;
}

static const th_attr_id attrs[] = {TH_ATTR_STRIDE_Y, TH_ATTR_STRIDE_X,   TH_ATTR_DILATION_Y, TH_ATTR_DILATION_X,
                                   TH_ATTR_PAD_TOP,  TH_ATTR_PAD_BOTTOM, TH_ATTR_PAD_LEFT,   TH_ATTR_PAD_RIGHT,
                                   TH_ATTR_GROUPS,   TH_ATTR_ACTIVATION, TH_ATTR_COUNT};

const th_op th_op_conv2d = {.name = "conv2d",
                            .attrs = attrs,
                            .infer = infer,
                            .forward = forward,
                            .backward = backward,
                            .cost = cost,
                            .scratch_elems = scratch_elems};
