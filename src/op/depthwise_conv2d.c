/* depthwise_conv2d: each input channel has `multiplier` filters of its own.
 *
 * The kernels of math/ know one case: padded images, channels a multiple of 16, one filter per channel. Everything else
 * is brought into that form while the image is padded: channels are repeated `multiplier` times and filled up with
 * zeros. An image that has the form already is used where it is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

typedef struct conv {
  th_op_geometry o;
  int multiplier, channels; /* channels: out_c rounded up to 16 */
  bool plain_channels;      /* rows need no repeating and no filling up */
  bool plain_image;         /* nor padding */
  bool usual;               /* 3 x 3, stride 1 or 2, rows as they are: kernels of its own need no padded image */
  th_depthwise d;
} conv;

static conv conv_of(const th_graph *g, const th_node *n) {
  const th_shape *w = &th_node_in(g, n, 1)->shape;
  conv c = {.o = th_op_geometry_of(g, n, w->dim[1], w->dim[2])};
  c.multiplier = c.o.out_c / c.o.in_c;
  c.channels = (c.o.out_c + 15) / 16 * 16;
  c.plain_channels = c.multiplier == 1 && c.channels == c.o.out_c;
  c.plain_image = c.plain_channels && !th_op_is_padded(&c.o);
  c.d = (th_depthwise){.in_x = c.o.in_x + c.o.left + c.o.right,
                       .out_y = c.o.out_y,
                       .out_x = c.o.out_x,
                       .channels = c.channels,
                       .kernel_y = c.o.kernel_y,
                       .kernel_x = c.o.kernel_x,
                       .stride_y = c.o.stride_y,
                       .stride_x = c.o.stride_x,
                       .dilation_y = c.o.dilation_y,
                       .dilation_x = c.o.dilation_x};
  c.usual = c.plain_channels && c.o.kernel_y == 3 && c.o.kernel_x == 3 && c.o.stride_y <= 2 && c.o.stride_x <= 2 &&
            c.o.dilation_y == 1 && c.o.dilation_x == 1;
  return c;
}

static th_status infer(th_graph *g, th_node *n) {
  const th_tensor *w = th_node_in(g, n, 1), *b = th_node_in(g, n, 2);
  char text[TH_SHAPE_TEXT];
  th_op_geometry o;
  if (w->shape.rank != 4 || w->shape.dim[0] != 1)
    return th_op_fail(n, "weights %s are %s, expected 1 x kernel_y x kernel_x x out", w->name,
                      th_shape_text(&w->shape, text));
  TH_TRY(th_op_geometry_infer(g, n, w->shape.dim[1], w->shape.dim[2], &o));
  TH_TRY(th_op_activation_check(n));
  int oc = w->shape.dim[3];
  if (oc < 1 || oc % o.in_c)
    return th_op_fail(n, "weights have %d channels, expected a multiple of the input's %d", oc, o.in_c);
  if (b && th_shape_elems(&b->shape) != oc)
    return th_op_fail(n, "bias %s is %s, expected %d values", b->name, th_shape_text(&b->shape, text), oc);
  th_shape s = th_shape_make(4, 1, o.out_y, o.out_x, oc);
  th_op_set_shape(g, n, &s);
  return TH_OK;
}

/* `pixels` rows of `c` channels to rows of `to_c`, each channel repeated `times`, the rest zero. */
static void widen(const float *x, int64_t pixels, int c, int times, int to_c, float *to) {
  for (int64_t p = 0; p < pixels; p++, x += c, to += to_c) {
    if (times == 1)
      memcpy(to, x, sizeof(float) * (size_t)c);
    else
      for (int i = 0; i < c * times; i++) to[i] = x[i / times];
    memset(to + c * times, 0, sizeof(float) * (size_t)(to_c - c * times));
  }
}

/* The first c channels of each row; or, the reverse of repeating, the sum over each group of `times`. */
static void narrow(const float *x, int64_t pixels, int from_c, int c, int times, float *to, bool accumulate) {
  for (int64_t p = 0; p < pixels; p++, x += from_c, to += c) {
    if (times == 1) {
      if (accumulate)
        th_math_get()->add(to, x, c);
      else
        memcpy(to, x, sizeof(float) * (size_t)c);
      continue;
    }
    for (int i = 0; i < c; i++) {
      float sum = accumulate ? to[i] : 0;
      for (int j = 0; j < times; j++) sum += x[i * times + j];
      to[i] = sum;
    }
  }
}

/* An image in the kernels' form with a border of zeros. */
static void pad_image(const float *x, int in_y, int in_x, int in_c, int times, int channels, const int border[4],
                      float *to) {
  size_t full = (size_t)(in_x + border[2] + border[3]) * channels;
  memset(to, 0, sizeof(float) * full * (size_t)border[0]);
  to += full * (size_t)border[0];
  for (int y = 0; y < in_y; y++, x += in_x * in_c, to += full) {
    memset(to, 0, sizeof(float) * (size_t)(border[2] * channels));
    widen(x, in_x, in_c, times, channels, to + border[2] * channels);
    memset(to + (size_t)(border[2] + in_x) * channels, 0, sizeof(float) * (size_t)(border[3] * channels));
  }
  memset(to, 0, sizeof(float) * full * (size_t)border[1]);
}

static const float *prepare_image(const conv *c, const float *x, float *buffer) {
  const int border[4] = {c->o.top, c->o.bottom, c->o.left, c->o.right};
  if (c->plain_image) return x;
  pad_image(x, c->o.in_y, c->o.in_x, c->o.in_c, c->multiplier, c->channels, border, buffer);
  return buffer;
}

static const float *prepare_rows(const conv *c, const float *x, int64_t rows, float *buffer) {
  if (c->channels == c->o.out_c) return x;
  widen(x, rows, c->o.out_c, 1, c->channels, buffer);
  return buffer;
}

typedef struct scratch {
  float *image, *weights, *bias, *out;                   /* forward; backward: out holds dy */
  float *d_image, *d_pre, *d_weights, *flipped, *around; /* around: dy with a border, for the gathering dx */
} scratch;

/* The gathering form of the input gradient (stride 1): how far dy must be extended on each side; false: does not apply.
 */
static bool gather_border(const conv *c, int border[4]) {
  int ey = (c->o.kernel_y - 1) * c->o.dilation_y, ex = (c->o.kernel_x - 1) * c->o.dilation_x;
  border[0] = ey - c->o.top, border[1] = ey - c->o.bottom, border[2] = ex - c->o.left, border[3] = ex - c->o.right;
  return c->o.stride_y == 1 && c->o.stride_x == 1 && border[0] >= 0 && border[1] >= 0 && border[2] >= 0 &&
         border[3] >= 0;
}

static scratch take(const conv *c, const th_node *n, th_op_scratch *s) {
  size_t taps = (size_t)c->o.kernel_y * c->o.kernel_x * c->channels;
  size_t image = (size_t)th_op_padded_elems(&c->o, c->channels), pixels = (size_t)c->o.out_y * c->o.out_x;
  int border[4];
  scratch f = {0};
  if (!c->plain_image && !c->usual) f.image = th_op_take(s, image);
  f.weights = th_op_take(s, taps);
  f.bias = th_op_take(s, (size_t)c->channels);
  f.out = th_op_take(s, pixels * (size_t)c->channels);
  f.d_image = th_op_take(s, image);
  if (th_op_has_activation(n)) f.d_pre = th_op_take(s, pixels * (size_t)c->o.out_c);
  f.d_weights = th_op_take(s, taps);
  f.flipped = th_op_take(s, taps);
  if (gather_border(c, border))
    f.around = th_op_take(
        s, (size_t)(c->o.out_y + border[0] + border[1]) * (c->o.out_x + border[2] + border[3]) * c->channels);
  return f;
}

static th_depthwise usual(const th_op_geometry *o) {
  return (th_depthwise){.in_x = o->in_x,
                        .out_y = o->out_y,
                        .out_x = o->out_x,
                        .channels = o->out_c,
                        .stride_y = o->stride_y,
                        .stride_x = o->stride_x};
}

static void usual_convolution(const th_op_geometry *o, const float *x, const float *w, const float *bias, float *y) {
  th_depthwise d = usual(o);
  th_math_get()->depthwise_3x3(&d, o->in_y, o->top, o->left, x, w, bias, y);
}

static void weight_gradient(const conv *c, const scratch *f, const float *x, const float *dy, float *dw) {
  th_depthwise d = usual(&c->o);
  if (c->usual)
    th_math_get()->depthwise_weights_3x3(&d, c->o.in_y, c->o.top, c->o.left, x, dy, dw);
  else
    th_math_get()->depthwise_weights(&c->d, prepare_image(c, x, f->image), dy, dw);
}

static void forward(const th_op_run *r) {
  const th_math *m = th_math_get();
  conv c = conv_of(r->graph, r->node);
  th_op_scratch s = {r->scratch, 0};
  scratch f = take(&c, r->node, &s);
  int64_t in_elems = th_op_elems_in(r->graph, r->node, 0), out_elems = th_op_elems_out(r->graph, r->node);
  int64_t pixels = (int64_t)c.o.out_y * c.o.out_x;
  bool direct = c.channels == c.o.out_c;
  const float *w = prepare_rows(&c, r->in[1], (int64_t)c.o.kernel_y * c.o.kernel_x, f.weights);
  const float *bias = r->in[2] ? prepare_rows(&c, r->in[2], 1, f.bias) : NULL;
  for (int i = r->begin; i < r->end; i++) {
    float *y = r->out[0] + i * out_elems;
    const float *x = r->in[0] + i * in_elems;
    if (c.usual)
      usual_convolution(&c.o, x, w, bias, y);
    else
      m->depthwise(&c.d, prepare_image(&c, x, f.image), w, bias, direct ? y : f.out);
    if (!direct) narrow(f.out, pixels, c.channels, c.o.out_c, 1, y, false);
    th_op_activation_apply(r->node, y, out_elems);
  }
}

static void flip(const conv *c, const float *w, float *flipped) {
  int taps = c->o.kernel_y * c->o.kernel_x;
  for (int t = 0; t < taps; t++)
    memcpy(flipped + (ptrdiff_t)t * c->channels, w + (ptrdiff_t)(taps - 1 - t) * c->channels,
           sizeof(float) * (size_t)c->channels);
}

/* dx of one image. Stride 1: a depthwise convolution of the extended dy with the flipped weights. */
static void input_gradient(const conv *c, const scratch *f, const float *w, const float *dy, float *dx,
                           bool accumulate) {
  const th_math *m = th_math_get();
  int border[4];
  int64_t pixels = (int64_t)c->o.in_y * c->o.in_x;
  if (gather_border(c, border) && c->usual && !accumulate) {
    th_op_geometry back = c->o; /* from dy to dx */
    back.in_y = c->o.out_y, back.in_x = c->o.out_x, back.out_y = c->o.in_y, back.out_x = c->o.in_x;
    back.top = border[0], back.left = border[2];
    usual_convolution(&back, dy, f->flipped, NULL, dx);
    return;
  }
  if (gather_border(c, border)) {
    bool direct = c->plain_channels && !accumulate;
    th_depthwise d = c->d;
    d.in_x = c->o.out_x + border[2] + border[3];
    d.out_y = c->o.in_y;
    d.out_x = c->o.in_x;
    pad_image(dy, c->o.out_y, c->o.out_x, c->channels, 1, c->channels, border, f->around);
    m->depthwise(&d, f->around, f->flipped, NULL, direct ? dx : f->d_image);
    if (!direct) narrow(f->d_image, pixels, c->channels, c->o.in_c, c->multiplier, dx, accumulate);
    return;
  }
  memset(f->d_image, 0, sizeof(float) * (size_t)th_op_padded_elems(&c->o, c->channels));
  m->depthwise_input(&c->d, dy, w, f->d_image);
  const float *from = f->d_image + ((ptrdiff_t)c->o.top * c->d.in_x + c->o.left) * c->channels;
  for (int y = 0; y < c->o.in_y; y++)
    narrow(from + (ptrdiff_t)y * c->d.in_x * c->channels, c->o.in_x, c->channels, c->o.in_c, c->multiplier,
           dx + (ptrdiff_t)y * c->o.in_x * c->o.in_c, accumulate);
}

static void backward(const th_op_run *r) {
  const th_math *m = th_math_get();
  conv c = conv_of(r->graph, r->node);
  th_op_scratch s = {r->scratch, 0};
  scratch f = take(&c, r->node, &s);
  int64_t in_elems = th_op_elems_in(r->graph, r->node, 0), out_elems = th_op_elems_out(r->graph, r->node);
  int64_t pixels = (int64_t)c.o.out_y * c.o.out_x, taps = (int64_t)c.o.kernel_y * c.o.kernel_x;
  const float *w = prepare_rows(&c, r->in[1], taps, f.weights);
  float *d_weights = c.channels == c.o.out_c ? r->d_in[1] : f.d_weights;
  if (r->d_in[0]) flip(&c, w, f.flipped);
  if (r->d_in[1] && d_weights == f.d_weights) memset(d_weights, 0, sizeof(float) * (size_t)(taps * c.channels));
  for (int i = r->begin; i < r->end; i++) {
    const float *dy =
        th_op_activation_undo(r->node, r->out[0] + i * out_elems, r->d_out[0] + i * out_elems, f.d_pre, out_elems);
    if (r->d_in[2]) m->column_sums(dy, pixels, c.o.out_c, r->d_in[2]);
    dy = prepare_rows(&c, dy, pixels, f.out);
    if (r->d_in[1]) weight_gradient(&c, &f, r->in[0] + i * in_elems, dy, d_weights);
    if (r->d_in[0]) input_gradient(&c, &f, w, dy, r->d_in[0] + i * in_elems, th_op_accumulates(r, 0));
  }
  if (r->d_in[1] && d_weights == f.d_weights) narrow(d_weights, taps, c.channels, c.o.out_c, 1, r->d_in[1], true);
}

static th_op_cost cost(const th_graph *g, const th_node *n) {
  const th_tensor *b = th_node_in(g, n, 2);
  int64_t weights = th_op_elems_in(g, n, 1);
  const th_shape *out = &th_node_out(g, n, 0)->shape;
  return (th_op_cost){.macs = weights * out->dim[1] * out->dim[2],
                      .params = weights + (b ? th_shape_elems(&b->shape) : 0)};
}

static size_t scratch_elems(const th_graph *g, const th_node *n, int samples) {
  conv c = conv_of(g, n);
  th_op_scratch s = {NULL, 0};
  take(&c, n, &s);
  return s.used;
}

static const th_attr_id attrs[] = {TH_ATTR_STRIDE_Y,   TH_ATTR_STRIDE_X,   TH_ATTR_DILATION_Y, TH_ATTR_DILATION_X,
                                   TH_ATTR_PAD_TOP,    TH_ATTR_PAD_BOTTOM, TH_ATTR_PAD_LEFT,   TH_ATTR_PAD_RIGHT,
                                   TH_ATTR_ACTIVATION, TH_ATTR_COUNT};

const th_op th_op_depthwise_conv2d = {.name = "depthwise_conv2d",
                                      .attrs = attrs,
                                      .infer = infer,
                                      .forward = forward,
                                      .backward = backward,
                                      .cost = cost,
                                      .scratch_elems = scratch_elems};
