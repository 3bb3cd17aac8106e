/* transpose_conv2d: each input pixel adds its product with the kernel to the output, `stride` apart.
 *
 * That is the gradient of a convolution of the output's size: padding is what is cut off around the full result
 * (negative after it: rows and columns that no pixel reaches, which hold the bias). For one place of the kernel the
 * pixels' products are one matrix product, which the gemm adds to where they belong in the full result; the gradients
 * read a padded dy the same way.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

typedef struct conv {
  th_op_geometry o;
  int groups, group_in, group_out, taps;
  int full_y, full_x;                /* of the buffer that holds the full result and the output */
  ptrdiff_t row, row_step, col_step; /* floats in it from row to row, from pixel to pixel of the input */
} conv;

static conv conv_of(const th_graph *g, const th_node *n, int out_y, int out_x) {
  const th_shape *in = &th_node_in(g, n, 0)->shape, *w = &th_node_in(g, n, 1)->shape;
  const th_attr *a = n->attr;
  conv c = {.o = {.in_y = in->dim[1],
                  .in_x = in->dim[2],
                  .in_c = in->dim[3],
                  .out_y = out_y,
                  .out_x = out_x,
                  .out_c = w->dim[0],
                  .kernel_y = w->dim[1],
                  .kernel_x = w->dim[2],
                  .stride_y = a[TH_ATTR_STRIDE_Y].i,
                  .stride_x = a[TH_ATTR_STRIDE_X].i,
                  .dilation_y = a[TH_ATTR_DILATION_Y].i,
                  .dilation_x = a[TH_ATTR_DILATION_X].i,
                  .top = a[TH_ATTR_PAD_TOP].i,
                  .left = a[TH_ATTR_PAD_LEFT].i},
            .groups = a[TH_ATTR_GROUPS].i};
  c.group_in = c.o.in_c / c.groups;
  c.group_out = c.o.out_c / c.groups;
  c.taps = c.o.kernel_y * c.o.kernel_x;
  c.full_y = (c.o.in_y - 1) * c.o.stride_y + (c.o.kernel_y - 1) * c.o.dilation_y + 1;
  c.full_x = (c.o.in_x - 1) * c.o.stride_x + (c.o.kernel_x - 1) * c.o.dilation_x + 1;
  if (c.full_y < c.o.top + out_y) c.full_y = c.o.top + out_y;
  if (c.full_x < c.o.left + out_x) c.full_x = c.o.left + out_x;
  c.row = (ptrdiff_t)c.full_x * c.o.out_c;
  c.row_step = c.o.stride_y * c.row;
  c.col_step = (ptrdiff_t)c.o.stride_x * c.o.out_c;
  return c;
}

static conv inferred(const th_graph *g, const th_node *n) {
  const th_shape *out = &th_node_out(g, n, 0)->shape;
  return conv_of(g, n, out->dim[1], out->dim[2]);
}

/* --- shape --- */

/* Size of the output along one dimension; and of the full result, for the limit on the buffer. */
static th_status one_side(const th_node *n, int64_t in, int64_t kernel, const th_attr_id ids[4], int64_t *full,
                          int32_t *out) {
  const int64_t before = n->attr[ids[2]].i, after = n->attr[ids[3]].i;
  TH_TRY(th_op_need_one(n, ids[0]));
  TH_TRY(th_op_need_one(n, ids[1]));
  if (before < 0 || before > 1 << 16 || after < -(1 << 16) || after > 1 << 16)
    return th_op_fail(n, "padding is %lld, %lld; 0 to 65536 are possible before and -65536 to 65536 after",
                      (long long)before, (long long)after);
  *full = (in - 1) * n->attr[ids[0]].i + (kernel - 1) * n->attr[ids[1]].i + 1;
  const int64_t size = *full - before - after;
  if (size < 1 || size > 1 << 30)
    return th_op_fail(n, "%lld values with a kernel of %lld give %lld, padded by %lld and %lld nothing sensible",
                      (long long)in, (long long)kernel, (long long)*full, (long long)before, (long long)after);
  *out = (int32_t)size;
  if (before + size > *full) *full = before + size;
  return TH_OK;
}

static th_status check_channels(const th_graph *g, const th_node *n) {
  const th_tensor *w = th_node_in(g, n, 1), *b = th_node_in(g, n, 2);
  const int groups = n->attr[TH_ATTR_GROUPS].i, oc = w->shape.dim[0], ic = th_node_in(g, n, 0)->shape.dim[3];
  char text[TH_SHAPE_TEXT];
  if (ic % groups || ic / groups != w->shape.dim[3])
    return th_op_fail(n, "input has %d channels, weights expect %d (%d groups)", ic, w->shape.dim[3] * groups, groups);
  if (oc % groups) return th_op_fail(n, "%d output channels do not divide into %d groups", oc, groups);
  if (b && th_shape_elems(&b->shape) != oc)
    return th_op_fail(n, "bias %s is %s, expected %d values", b->name, th_shape_text(&b->shape, text), oc);
  return TH_OK;
}

static th_status infer(th_graph *g, th_node *n) {
  static const th_attr_id y[4] = {TH_ATTR_STRIDE_Y, TH_ATTR_DILATION_Y, TH_ATTR_PAD_TOP, TH_ATTR_PAD_BOTTOM};
  static const th_attr_id x[4] = {TH_ATTR_STRIDE_X, TH_ATTR_DILATION_X, TH_ATTR_PAD_LEFT, TH_ATTR_PAD_RIGHT};
  const th_tensor *w = th_node_in(g, n, 1);
  char text[TH_SHAPE_TEXT];
  TH_TRY(th_op_need_image(g, n, 0));
  bool four = w->shape.rank == 4;
  for (int i = 0; i < 4; i++) four = four && w->shape.dim[i] >= 1;
  if (!four)
    return th_op_fail(n, "weights %s are %s, expected out x kernel_y x kernel_x x in", w->name,
                      th_shape_text(&w->shape, text));
  TH_TRY(th_op_need_one(n, TH_ATTR_GROUPS));
  TH_TRY(th_op_activation_check(n));
  TH_TRY(check_channels(g, n));
  const th_shape *in = &th_node_in(g, n, 0)->shape;
  th_shape s = {.rank = 4, .dim = {1, 0, 0, w->shape.dim[0]}};
  int64_t full_y, full_x;
  TH_TRY(one_side(n, in->dim[1], w->shape.dim[1], y, &full_y, &s.dim[1]));
  TH_TRY(one_side(n, in->dim[2], w->shape.dim[2], x, &full_x, &s.dim[2]));
  if (full_y > INT32_MAX / full_x / s.dim[3])
    return th_op_fail(n, "its full result of %lld x %lld x %d is too large", (long long)full_y, (long long)full_x,
                      s.dim[3]);
  return th_op_set_out(g, n, 0, &s);
}

/* --- forward --- */

/* Where the kernel's place `tap` begins in the full result. */
static ptrdiff_t tap_at(const conv *c, int tap) {
  return tap / c->o.kernel_x * c->o.dilation_y * c->row +
         (ptrdiff_t)(tap % c->o.kernel_x) * c->o.dilation_x * c->o.out_c;
}

typedef struct forward_scratch {
  float *full, *packed;
  size_t tap; /* floats of one packed matrix */
} forward_scratch;

static forward_scratch take_forward(const conv *c, th_op_scratch *s) {
  forward_scratch f = {.tap = th_math_pack_elems(c->group_in, c->group_out)};
  f.full = th_op_take(s, (size_t)c->full_y * (size_t)c->row);
  f.packed = th_op_take(s, f.tap * (size_t)c->taps * (size_t)c->groups);
  return f;
}

static void pack_weights(const conv *c, const forward_scratch *f, const float *w) {
  for (int g = 0; g < c->groups; g++)
    for (int t = 0; t < c->taps; t++)
      th_math_get()->pack(w + ((ptrdiff_t)g * c->group_out * c->taps + t) * c->group_in, 1,
                          (ptrdiff_t)c->taps * c->group_in, c->group_in, c->group_out,
                          f->packed + f->tap * (size_t)(g * c->taps + t));
}

static void add_products(const conv *c, const forward_scratch *f, const float *x) {
  for (int g = 0; g < c->groups; g++)
    for (int t = 0; t < c->taps; t++) {
      th_gemm gemm = {.m = c->o.in_x,
                      .n = c->group_out,
                      .k = c->group_in,
                      .repeat = c->o.in_y,
                      .a = x + g * c->group_in,
                      .a_row = c->o.in_c,
                      .a_col = 1,
                      .a_repeat = (ptrdiff_t)c->o.in_x * c->o.in_c,
                      .b = f->packed + f->tap * (size_t)(g * c->taps + t),
                      .b_row = TH_MATH_PACKED,
                      .c = f->full + tap_at(c, t) + g * c->group_out,
                      .c_row = c->col_step,
                      .c_repeat = c->row_step,
                      .accumulate = true};
      th_math_get()->gemm(&gemm);
    }
}

static void forward(const th_op_run *r) {
  const conv c = inferred(r->graph, r->node);
  th_op_scratch s = {r->scratch, 0};
  const forward_scratch f = take_forward(&c, &s);
  const int64_t in = th_op_elems_in(r->graph, r->node, 0), out = th_op_elems_out(r->graph, r->node);
  const ptrdiff_t row = (ptrdiff_t)c.o.out_x * c.o.out_c;
  pack_weights(&c, &f, r->in[1]);
  for (int i = r->begin; i < r->end; i++) {
    float *y = r->out[0] + i * out;
    memset(f.full, 0, sizeof(float) * (size_t)c.full_y * (size_t)c.row);
    add_products(&c, &f, r->in[0] + i * in);
    for (int oy = 0; oy < c.o.out_y; oy++) {
      memcpy(y + oy * row, f.full + (oy + c.o.top) * c.row + (ptrdiff_t)c.o.left * c.o.out_c,
             sizeof(float) * (size_t)row);
      for (int ox = 0; ox < c.o.out_x && r->in[2]; ox++)
        th_math_get()->add(y + oy * row + (ptrdiff_t)ox * c.o.out_c, r->in[2], c.o.out_c);
    }
    th_op_activation_apply(r->node, y, out);
  }
}

/* --- backward --- */

typedef struct backward_scratch {
  float *full, *d_pre, *tail;
  ptrdiff_t *segment;
} backward_scratch;

static backward_scratch take_backward(const conv *c, const th_node *n, th_op_scratch *s) {
  const size_t pixels = (size_t)c->o.in_y * (size_t)c->o.in_x, oc = (size_t)c->group_out;
  backward_scratch b = {.full = th_op_take(s, (size_t)c->full_y * (size_t)c->row)};
  if (th_op_has_activation(n)) b.d_pre = th_op_take(s, (size_t)c->o.out_y * (size_t)c->o.out_x * (size_t)c->o.out_c);
  b.tail = th_op_take(s, 8 * (pixels > oc ? pixels : oc));
  b.segment = (ptrdiff_t *)th_op_take(s, (size_t)c->o.in_y * sizeof(ptrdiff_t) / sizeof(float));
  return b;
}

static void spread(const conv *c, const backward_scratch *b, const float *dy) {
  const ptrdiff_t row = (ptrdiff_t)c->o.out_x * c->o.out_c;
  memset(b->full, 0, sizeof(float) * (size_t)c->full_y * (size_t)c->row);
  for (int oy = 0; oy < c->o.out_y; oy++)
    memcpy(b->full + (oy + c->o.top) * c->row + (ptrdiff_t)c->o.left * c->o.out_c, dy + oy * row,
           sizeof(float) * (size_t)row);
}

static void input_gradient(const conv *c, const backward_scratch *b, const float *w, float *dx, bool accumulate) {
  for (int g = 0; g < c->groups; g++)
    for (int t = 0; t < c->taps; t++) {
      th_gemm gemm = {.m = c->o.in_x,
                      .n = c->group_in,
                      .k = c->group_out,
                      .repeat = c->o.in_y,
                      .a = b->full + tap_at(c, t) + g * c->group_out,
                      .a_row = c->col_step,
                      .a_col = 1,
                      .a_repeat = c->row_step,
                      .b = w + ((ptrdiff_t)g * c->group_out * c->taps + t) * c->group_in,
                      .b_row = (ptrdiff_t)c->taps * c->group_in,
                      .c = dx + g * c->group_in,
                      .c_row = c->o.in_c,
                      .c_repeat = (ptrdiff_t)c->o.in_x * c->o.in_c,
                      .accumulate = accumulate || t > 0,
                      .tail = b->tail};
      th_math_get()->gemm(&gemm);
    }
}

static void weight_gradient(const conv *c, const backward_scratch *b, const float *x, float *dw) {
  for (int y = 0; y < c->o.in_y; y++) b->segment[y] = y * c->row_step;
  for (int g = 0; g < c->groups; g++)
    for (int t = 0; t < c->taps; t++) {
      th_gemm gemm = {.m = c->group_out,
                      .n = c->group_in,
                      .k = c->o.in_x,
                      .segments = c->o.in_y,
                      .segment = b->segment,
                      .a = b->full + tap_at(c, t) + g * c->group_out,
                      .a_row = 1,
                      .a_col = c->col_step,
                      .b = x + g * c->group_in,
                      .b_row = c->o.in_c,
                      .c = dw + ((ptrdiff_t)g * c->group_out * c->taps + t) * c->group_in,
                      .c_row = (ptrdiff_t)c->taps * c->group_in,
                      .accumulate = true,
                      .tail = b->tail};
      th_math_get()->gemm(&gemm);
    }
}

static void backward(const th_op_run *r) {
  const conv c = inferred(r->graph, r->node);
  th_op_scratch s = {r->scratch, 0};
  const backward_scratch b = take_backward(&c, r->node, &s);
  const int64_t in = th_op_elems_in(r->graph, r->node, 0), out = th_op_elems_out(r->graph, r->node);
  for (int i = r->begin; i < r->end; i++) {
    const float *dy = th_op_activation_undo(r->node, r->out[0] + i * out, r->d_out[0] + i * out, b.d_pre, out);
    if (r->d_in[2]) th_math_get()->column_sums(dy, (int64_t)c.o.out_y * c.o.out_x, c.o.out_c, r->d_in[2]);
    spread(&c, &b, dy);
    if (r->d_in[1]) weight_gradient(&c, &b, r->in[0] + i * in, r->d_in[1]);
    if (r->d_in[0]) input_gradient(&c, &b, r->in[1], r->d_in[0] + i * in, th_op_accumulates(r, 0));
  }
}

static th_op_cost cost(const th_graph *g, const th_node *n) {
  const th_tensor *b = th_node_in(g, n, 2);
  const th_shape *in = &th_node_in(g, n, 0)->shape;
  const int64_t weights = th_op_elems_in(g, n, 1);
  return (th_op_cost){.macs = weights * in->dim[1] * in->dim[2],
                      .params = weights + (b ? th_shape_elems(&b->shape) : 0)};
}

static size_t scratch_elems(const th_graph *g, const th_node *n, int samples) {
  const conv c = inferred(g, n);
  th_op_scratch f = {NULL, 0}, b = {NULL, 0};
  take_forward(&c, &f);
  take_backward(&c, n, &b);
  return f.used > b.used ? f.used : b.used;
}

static const th_attr_id attrs[] = {TH_ATTR_STRIDE_Y, TH_ATTR_STRIDE_X,   TH_ATTR_DILATION_Y, TH_ATTR_DILATION_X,
                                   TH_ATTR_PAD_TOP,  TH_ATTR_PAD_BOTTOM, TH_ATTR_PAD_LEFT,   TH_ATTR_PAD_RIGHT,
                                   TH_ATTR_GROUPS,   TH_ATTR_ACTIVATION, TH_ATTR_COUNT};

const th_op th_op_transpose_conv2d = {.name = "transpose_conv2d",
                                      .attrs = attrs,
                                      .infer = infer,
                                      .forward = forward,
                                      .backward = backward,
                                      .cost = cost,
                                      .scratch_elems = scratch_elems};
