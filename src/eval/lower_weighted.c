/* Lowering of the layers with weights: convolution, depthwise and transposed convolution, fully
 * connected.
 *
 * Their multipliers carry TFLite Micro's precision: (double)s_in * (double)s_w[c] / (double)s_out, also for a fully
 * connected layer with one weight scale, where older TFLite took s_in * s_w in float32 first.
 *
 * Weights of type u8 are those of TFLite's uint8 models, whose activations the reader has made int8: there the product
 * s_in * s_w is taken in float32, and the weights have a zero point. They become int8 by subtracting 128.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "eval/lower_internal.h"

/* Where everything about one weighted node is gathered before the kernel's struct is filled. */
typedef struct weighted {
  const th_node *node;
  const th_tensor *x, *w, *b, *y;
  th_grid in, out;
  int32_t lo, hi;
  int32_t channels;
  bool legacy; /* u8 weights */
  int32_t w_zero;
  bool acc64;
} weighted;

static th_status legacy_zero(const th_node *n, const th_tensor *w, int32_t *zero) {
  if (w->quant.count != 1)
    return TH_LOWER_FAIL(n, "weights %s are u8 with %d scales, expected one", w->name, w->quant.count);
  *zero = (w->quant.zero ? w->quant.zero[0] : 0) - 128;
  return *zero >= INT8_MIN && *zero <= INT8_MAX
             ? TH_OK
             : TH_LOWER_FAIL(n, "weights %s have zero point %d, expected 0 to 255", w->name, (int)*zero + 128);
}

static th_status check_weight_zeros(const th_node *n, const th_tensor *w) {
  for (int c = 0; w->quant.zero && c < w->quant.count; c++) {
    if (w->quant.zero[c] != 0)
      return TH_LOWER_FAIL(n, "weights %s have zero point %d in channel %d, expected 0", w->name, (int)w->quant.zero[c],
                           c);
  }
  return TH_OK;
}

/* A 16-bit layer with a bias of 64 bits, or none, sums in 64. */
static th_status check_bias(weighted *d) {
  const bool s16 = d->in.dtype == TH_DTYPE_S16;
  const th_tensor *b = d->b;
  if (b && (!b->data || (b->dtype != TH_DTYPE_S32 && !(s16 && b->dtype == TH_DTYPE_S64)) ||
            th_shape_elems(&b->shape) != d->channels))
    return TH_LOWER_FAIL(d->node, "bias %s is not %d constant s32 values%s", b->name, (int)d->channels,
                         s16 ? " (or s64)" : "");
  d->acc64 = s16 && (!b || b->dtype == TH_DTYPE_S64);
  return TH_OK;
}

/* `channel_axis`: that of the weights. */
static th_status gather(const th_lowering *l, const th_node *n, int channel_axis, weighted *d) {
  d->node = n;
  d->x = th_node_in(l->g, n, 0);
  d->w = th_node_in(l->g, n, 1);
  d->b = th_node_in(l->g, n, 2);
  d->y = th_node_out(l->g, n, 0);
  d->legacy = d->w && d->w->dtype == TH_DTYPE_U8;
  d->w_zero = 0;
  if (!d->w || !d->w->data || (d->w->dtype != TH_DTYPE_S8 && d->w->dtype != TH_DTYPE_S4 && !d->legacy))
    return TH_LOWER_FAIL(n, "weights %s are not constant s8 values", d->w ? d->w->name : "(none)");
  if (d->w->shape.rank <= channel_axis) return TH_LOWER_FAIL(n, "weights %s have too few dimensions", d->w->name);
  d->channels = d->w->shape.dim[channel_axis];
  const int scales = d->w->quant.count;
  if (scales != 1 && (scales != d->channels || d->w->quant.axis != channel_axis))
    return TH_LOWER_FAIL(n, "weights %s have %d scales along dimension %d, expected 1 or %d along %d", d->w->name,
                         scales, d->w->quant.axis, (int)d->channels, channel_axis);
  TH_TRY(d->legacy ? legacy_zero(n, d->w, &d->w_zero) : check_weight_zeros(n, d->w));
  TH_TRY(th_lower_wide_grids(l, n, &d->in, &d->out));
  TH_TRY(check_bias(d));
  return th_lower_clamp_to(n, (th_act)n->attr[TH_ATTR_ACTIVATION].i, d->out, &d->lo, &d->hi);
}

static double real_multiplier(const weighted *d, int channel) {
  const float w_scale = d->w->quant.scale[d->w->quant.count == 1 ? 0 : channel];
  const float product = d->in.scale * w_scale;
  if (d->legacy) return (double)product / (double)d->out.scale;
  return (double)d->in.scale * (double)w_scale / (double)d->out.scale;
}

enum { MOST_INDEXED = 256 }; /* pairs that a byte per channel can tell apart */

/* Fills mult[], shift[] with the distinct pairs in order of appearance and entry[c] with the pair of channel c. */
static th_status distinct_pairs(const weighted *d, int32_t *mult, int8_t *shift, int32_t *entry, int *distinct) {
  *distinct = 0;
  for (int c = 0; c < d->channels; c++) {
    int32_t m;
    int8_t s;
    TH_TRY(th_lower_multiplier(d->node, real_multiplier(d, c), &m, &s));
    if (d->acc64 && s > 7)
      return TH_LOWER_FAIL(d->node, "the scales give a multiplier of %g, expected less than 128 with 64-bit sums",
                           real_multiplier(d, c));
    if (*distinct > MOST_INDEXED) continue; /* too many for an index: no need to know which */
    int e = 0;
    while (e < *distinct && (mult[e] != m || shift[e] != s)) e++;
    if (e == *distinct) {
      mult[e] = m;
      shift[e] = s;
      ++*distinct;
    }
    entry[c] = e;
  }
  return TH_OK;
}

/* A pair takes 5 bytes, an index 1: whichever table is smaller. */
static th_status set_requant(th_lowering *l, const weighted *d, th_program_step *s, thr_requant *r) {
  th_arena *arena = l->p->arena;
  const int n = d->channels;
  int32_t *mult = TH_ARRAY(arena, int32_t, n), *entry = TH_ARRAY(arena, int32_t, n);
  int8_t *shift = TH_ARRAY(arena, int8_t, n);
  uint8_t *index = TH_ARRAY(arena, uint8_t, n);
  if (!mult || !entry || !shift || !index) return TH_ERR_RESOURCE;
  int distinct;
  TH_TRY(distinct_pairs(d, mult, shift, entry, &distinct));
  const bool indexed = distinct > 1 && distinct <= MOST_INDEXED && 5 * distinct + n < 5 * n;
  if (distinct > 1 && !indexed) {
    distinct = n;
    for (int c = 0; c < n; c++) TH_TRY(th_lower_multiplier(d->node, real_multiplier(d, c), &mult[c], &shift[c]));
  }
  for (int c = 0; indexed && c < n; c++) index[c] = (uint8_t)entry[c];
  s->mult = mult;
  s->shift = shift;
  s->index = indexed ? index : NULL;
  s->requant_count = (uint32_t)distinct;
  *r = (thr_requant){.mult = mult, .shift = shift, .index = s->index, .per_channel = distinct > 1 && !indexed};
  return TH_OK;
}

/* The runtime reads biases as little-endian bytes, whatever machine this is. */
static th_status set_bias(th_lowering *l, const weighted *d, th_program_step *s, thr_bias *bias) {
  *bias = (thr_bias){0};
  if (!d->b) return TH_OK;
  const int n = d->channels;
  const uint8_t width = (uint8_t)th_dtype_bytes(d->b->dtype);
  uint8_t *bytes = TH_ARRAY(l->p->arena, uint8_t, width * n);
  int64_t *full = TH_ARRAY(l->p->arena, int64_t, n);
  if (!bytes || !full) return TH_ERR_RESOURCE;
  for (int i = 0; i < n; i++)
    full[i] = width == 8 ? ((const int64_t *)d->b->data)[i] : ((const int32_t *)d->b->data)[i];
  for (int i = 0; i < width * n; i++) bytes[i] = (uint8_t)((uint64_t)full[i / width] >> 8 * (i % width));
  s->bias = full;
  s->bias_count = (uint32_t)n;
  *bias = (thr_bias){bytes, width, 0};
  return TH_OK;
}

/* The weights as int8; NULL without memory. */
static const int8_t *weight_data(th_arena *arena, const weighted *d) {
  if (!d->legacy) return d->w->data;
  const uint8_t *from = d->w->data;
  const size_t n = th_tensor_bytes(d->w);
  int8_t *to = TH_ARRAY(arena, int8_t, n);
  for (size_t i = 0; to && i < n; i++) to[i] = (int8_t)(from[i] - 128);
  return to;
}

static th_status set_weights(th_program_step *s, const int8_t *data, uint32_t count, uint32_t rows,
                             thr_weights *weights) {
  if (!data) return TH_ERR_RESOURCE;
  s->weights = data;
  s->weight_count = count;
  s->row_elems = count / rows;
  *weights = (thr_weights){.data = (const uint8_t *)data, .bytes = count};
  return TH_OK;
}

/* Attribute as a kernel's int16_t. */
static th_status small(const th_node *n, th_attr_id id, int least, int16_t *v) {
  const int32_t a = n->attr[id].i;
  if (a < least || a > INT16_MAX)
    return TH_LOWER_FAIL(n, "%s is %d, expected %d to %d", th_attr_name(id), (int)a, least, INT16_MAX);
  *v = (int16_t)a;
  return TH_OK;
}

static th_status set_geometry(const weighted *d, thr_conv2d_params *p) {
  const th_node *n = d->node;
  const th_shape *x = &d->x->shape, *y = &d->y->shape, *w = &d->w->shape;
  if (x->rank != 4 || y->rank != 4 || w->rank != 4 || x->dim[0] != 1 || y->dim[0] != 1 || y->dim[3] != d->channels)
    return TH_LOWER_FAIL(n, "shapes of %s, %s and %s do not fit each other", d->x->name, d->w->name, d->y->name);
  if (w->dim[1] > INT16_MAX || w->dim[2] > INT16_MAX) return TH_LOWER_FAIL(n, "kernel of %s is too large", d->w->name);
  *p = (thr_conv2d_params){.in_y = x->dim[1],
                           .in_x = x->dim[2],
                           .in_c = x->dim[3],
                           .out_y = y->dim[1],
                           .out_x = y->dim[2],
                           .out_c = y->dim[3],
                           .kernel_y = (int16_t)w->dim[1],
                           .kernel_x = (int16_t)w->dim[2],
                           .in_zero = d->in.zero,
                           .out_zero = d->out.zero,
                           .lo = d->lo,
                           .hi = d->hi};
  TH_TRY(small(n, TH_ATTR_STRIDE_Y, 1, &p->stride_y));
  TH_TRY(small(n, TH_ATTR_STRIDE_X, 1, &p->stride_x));
  TH_TRY(small(n, TH_ATTR_DILATION_Y, 1, &p->dilation_y));
  TH_TRY(small(n, TH_ATTR_DILATION_X, 1, &p->dilation_x));
  TH_TRY(small(n, TH_ATTR_PAD_TOP, 0, &p->pad_y));
  return small(n, TH_ATTR_PAD_LEFT, 0, &p->pad_x);
}

th_status th_lower_conv2d(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  weighted d;
  th_program_step *s;
  TH_TRY(gather(l, n, 0, &d));
  TH_TRY(th_lower_step(
      l, node, th_lower_pick(d.in, d.w_zero ? THR_KERNEL_CONV2D_ZERO_S8 : THR_KERNEL_CONV2D_S8, THR_KERNEL_CONV2D_S16),
      n->in, 1, &s));
  thr_conv2d_params *p = &s->step.p.conv2d;
  TH_TRY(set_geometry(&d, p));
  p->acc64 = d.acc64;
  p->groups = n->attr[TH_ATTR_GROUPS].i;
  if (p->groups < 1 || p->in_c % p->groups || p->out_c % p->groups || d.w->shape.dim[3] != p->in_c / p->groups)
    return TH_LOWER_FAIL(n, "%d input and %d output channels in %d groups do not fit weights with %d", (int)p->in_c,
                         (int)p->out_c, (int)p->groups, (int)d.w->shape.dim[3]);
  TH_TRY(set_requant(l, &d, s, &p->requant));
  TH_TRY(set_bias(l, &d, s, &p->bias));
  p->w_zero = d.w_zero;
  const int8_t *weights = weight_data(l->p->arena, &d);
  return set_weights(s, weights, (uint32_t)th_tensor_bytes(d.w), (uint32_t)p->out_c, &p->weights);
}

th_status th_lower_transpose_conv2d(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  weighted d;
  th_program_step *s;
  TH_TRY(gather(l, n, 0, &d));
  TH_TRY(th_lower_step(l, node, th_lower_pick(d.in, THR_KERNEL_TRANSPOSE_CONV2D_S8, THR_KERNEL_TRANSPOSE_CONV2D_S16),
                       n->in, 1, &s));
  thr_conv2d_params *p = &s->step.p.conv2d;
  TH_TRY(set_geometry(&d, p));
  p->acc64 = d.acc64;
  p->groups = 1;
  if (d.legacy) return TH_LOWER_FAIL(n, "weights %s are u8, which has no integer kernel here", d.w->name);
  if (n->attr[TH_ATTR_GROUPS].i != 1 || p->dilation_y != 1 || p->dilation_x != 1)
    return TH_LOWER_FAIL(n, "groups and dilation have no integer kernel");
  if (d.w->shape.dim[3] != p->in_c)
    return TH_LOWER_FAIL(n, "%d input channels do not fit weights with %d", (int)p->in_c, (int)d.w->shape.dim[3]);
  if (p->out_y > UINT16_MAX || p->out_x > UINT16_MAX)
    return TH_LOWER_FAIL(n, "%d x %d outputs are too many", (int)p->out_y, (int)p->out_x);
  TH_TRY(set_requant(l, &d, s, &p->requant));
  TH_TRY(set_bias(l, &d, s, &p->bias));
  return set_weights(s, d.w->data, (uint32_t)th_tensor_bytes(d.w), (uint32_t)p->out_c, &p->weights);
}

/* (1, ky, kx, oc) -> (oc, ky, kx) */
static const int8_t *transposed(th_arena *arena, const weighted *d) {
  const th_tensor *w = d->w;
  const int8_t *from = weight_data(arena, d);
  if (!from) return NULL;
  const int32_t taps = w->shape.dim[1] * w->shape.dim[2], channels = w->shape.dim[3];
  int8_t *to = TH_ARRAY(arena, int8_t, (size_t)taps * (size_t)channels);
  for (int32_t t = 0; to && t < taps; t++) {
    for (int32_t oc = 0; oc < channels; oc++) to[(size_t)oc * taps + t] = *from++;
  }
  return to;
}

th_status th_lower_depthwise_conv2d(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  weighted d;
  th_program_step *s;
  TH_TRY(gather(l, n, 3, &d));
  TH_TRY(
      th_lower_step(l, node,
                    th_lower_pick(d.in, d.w_zero ? THR_KERNEL_DEPTHWISE_CONV2D_ZERO_S8 : THR_KERNEL_DEPTHWISE_CONV2D_S8,
                                  THR_KERNEL_DEPTHWISE_CONV2D_S16),
                    n->in, 1, &s));
  thr_conv2d_params *p = &s->step.p.conv2d;
  TH_TRY(set_geometry(&d, p));
  p->acc64 = d.acc64;
  p->groups = p->in_c;
  if (p->out_c % p->in_c || d.w->shape.dim[0] != 1)
    return TH_LOWER_FAIL(n, "%d output channels are no multiple of %d input channels", (int)p->out_c, (int)p->in_c);
  TH_TRY(set_requant(l, &d, s, &p->requant));
  TH_TRY(set_bias(l, &d, s, &p->bias));
  const int8_t *rows = transposed(l->p->arena, &d);
  p->w_zero = d.w_zero;
  return set_weights(s, rows, (uint32_t)th_tensor_bytes(d.w), (uint32_t)p->out_c, &p->weights);
}

th_status th_lower_fully_connected(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  weighted d;
  th_program_step *s;
  TH_TRY(gather(l, n, 0, &d));
  TH_TRY(
      th_lower_step(l, node,
                    th_lower_pick(d.in, d.w_zero ? THR_KERNEL_FULLY_CONNECTED_ZERO_S8 : THR_KERNEL_FULLY_CONNECTED_S8,
                                  THR_KERNEL_FULLY_CONNECTED_S16),
                    n->in, 1, &s));
  thr_fully_connected_params *p = &s->step.p.fully_connected;
  *p = (thr_fully_connected_params){.in_n = d.w->shape.dim[1],
                                    .out_n = d.channels,
                                    .in_zero = d.in.zero,
                                    .out_zero = d.out.zero,
                                    .lo = d.lo,
                                    .hi = d.hi,
                                    .acc64 = d.acc64};
  if (d.w->shape.rank != 2 || th_shape_elems(&d.x->shape) != p->in_n || th_shape_elems(&d.y->shape) != p->out_n)
    return TH_LOWER_FAIL(n, "%s and %s do not fit weights of %d x %d", d.x->name, d.y->name, (int)p->out_n,
                         (int)p->in_n);
  if (p->in_n > THR_FULLY_CONNECTED_MOST || p->out_n > THR_FULLY_CONNECTED_MOST)
    return TH_LOWER_FAIL(n, "weights of %d x %d, at most 2^24 inputs and outputs can be run", (int)p->out_n,
                         (int)p->in_n);
  TH_TRY(set_requant(l, &d, s, &p->requant));
  TH_TRY(set_bias(l, &d, s, &p->bias));
  p->w_zero = d.w_zero;
  return set_weights(s, weight_data(l->p->arena, &d), (uint32_t)th_tensor_bytes(d.w), (uint32_t)p->out_n, &p->weights);
}
