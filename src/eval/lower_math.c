/* Lowering of element-wise arithmetic, activations, softmax. Real multipliers are taken in double from scales in
 * float32; the casts and the order are part of the definition (docs/numerics.md). SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "eval/lower_internal.h"

/* --- add, sub, mul --- */

/* Strides of an operand over the output's last four dimensions; 0 where it is broadcast. */
static bool broadcast_strides(const th_shape *in, const th_shape *out, int32_t stride[4]) {
  int32_t step = 1;
  for (int i = 0; i < 4; i++) stride[i] = 0;
  for (int i = 0; i < in->rank; i++) {
    const int at_in = in->rank - 1 - i, at_out = out->rank - 1 - i;
    const int32_t d = in->dim[at_in];
    if (at_out < 0 || i > 3) {
      if (d != 1) return false;
      continue;
    }
    if (d != 1 && d != out->dim[at_out]) return false;
    stride[3 - i] = d == 1 ? 0 : step;
    step *= d;
  }
  return true;
}

th_status th_lower_broadcast(const th_node *n, const th_shape *a, const th_shape *b, const th_shape *y,
                             thr_elementwise_params *p) {
  if (th_shape_elems(a) == th_shape_elems(y) && th_shape_elems(b) == th_shape_elems(y)) { /* one long line */
    const int32_t elems = (int32_t)th_shape_elems(y);
    *p = (thr_elementwise_params){.dim = {1, 1, 1, elems}, .stride_a = {0, 0, 0, 1}, .stride_b = {0, 0, 0, 1}};
    return TH_OK;
  }
  *p = (thr_elementwise_params){.dim = {1, 1, 1, 1}};
  bool fits = broadcast_strides(a, y, p->stride_a) && broadcast_strides(b, y, p->stride_b);
  for (int i = 0; i < y->rank; i++) {
    if (y->rank - i > 4) {
      fits = fits && y->dim[i] == 1;
    } else {
      p->dim[4 - (y->rank - i)] = y->dim[i];
    }
  }
  return fits ? TH_OK : TH_LOWER_FAIL(n, "shapes cannot be broadcast over the last four dimensions");
}

static int add_left_shift(th_grid y) {
  return y.dtype == TH_DTYPE_S16 ? 15 : 20;
}

static void add_reals(th_grid a, th_grid b, th_grid y, double real[3]) {
  const double twice_max = 2 * fmax((double)a.scale, (double)b.scale);
  real[0] = (double)a.scale / twice_max;
  real[1] = (double)b.scale / twice_max;
  real[2] = twice_max / ((1 << add_left_shift(y)) * (double)y.scale);
}

th_status th_lower_elementwise(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *a = th_node_in(l->g, n, 0), *b = th_node_in(l->g, n, 1), *y = th_node_out(l->g, n, 0);
  if (!b) return TH_LOWER_FAIL(n, "has one input, expected two");
  th_grid ga, gb, gy;
  th_program_step *s;
  double real[3] = {0, 0, 0};
  TH_TRY(th_lower_wide_grid(n, a, &ga));
  TH_TRY(th_lower_wide_grid(n, b, &gb));
  TH_TRY(th_lower_wide_grid(n, y, &gy));
  if (ga.dtype != gy.dtype || gb.dtype != gy.dtype) return TH_LOWER_FAIL(n, "inputs and output differ in type");
  thr_kernel_id kernel = th_lower_pick(gy, THR_KERNEL_MUL_S8, THR_KERNEL_MUL_S16);
  if (n->op == TH_OP_ADD) {
    kernel = th_lower_pick(gy, THR_KERNEL_ADD_S8, THR_KERNEL_ADD_S16);
    add_reals(ga, gb, gy, real);
  } else if (n->op == TH_OP_SUB) {
    kernel = th_lower_pick(gy, THR_KERNEL_SUB_S8, THR_KERNEL_SUB_S16);
    add_reals(ga, gb, gy, real);
  } else {
    real[2] = (double)ga.scale * (double)gb.scale / (double)gy.scale;
  }
  TH_TRY(th_lower_step(l, node, kernel, n->in, 2, &s));
  thr_elementwise_params *p = &s->step.p.elementwise;
  TH_TRY(th_lower_broadcast(n, &a->shape, &b->shape, &y->shape, p));
  p->a_zero = ga.zero;
  p->b_zero = gb.zero;
  p->out_zero = gy.zero;
  p->left_shift = (uint8_t)(n->op == TH_OP_MUL ? 0 : add_left_shift(gy));
  for (int i = 0; i < 3; i++) TH_TRY(th_lower_multiplier(n, real[i], &p->mult[i], &p->shift[i]));
  return th_lower_clamp_to(n, (th_act)n->attr[TH_ATTR_ACTIVATION].i, gy, &p->lo, &p->hi);
}

/* --- functions with a fixed output grid --- */

th_status th_lower_fixed_grid(const th_node *n, th_grid out, float scale, int32_t zero) {
  if (out.scale == scale && out.zero == zero) return TH_OK;
  return TH_LOWER_FAIL(n, "output has scale %.9g and zero %d, the kernel gives %g and %d", (double)out.scale,
                       (int)out.zero, (double)scale, (int)zero);
}

/* Inputs further than this from the edge are out of the table: floor((2^integer_bits - 1) * 2^(31 - integer_bits -
 * shift)). */
int32_t th_lower_input_radius(int integer_bits, int shift) {
  return (int32_t)floor(ldexp((double)((1 << integer_bits) - 1), 31 - integer_bits - shift));
}

/* As check_output_grid, but scales may differ a little where TFLite Micro lets them. */
static th_status check_output_near(const th_node *n, th_grid out, float scale, int32_t zero) {
  if (fabsf(out.scale - scale) <= 0.001f * scale && out.zero == zero) return TH_OK;
  return th_lower_fixed_grid(n, out, scale, zero);
}

/* 16 bits in: the table of exp covers -10 to 0 with 65535 steps. */
static th_status softmax_s16(th_lowering *l, int node, th_grid in, th_grid out) {
  const th_node *n = &l->g->nodes[node];
  const th_shape *x = &th_node_in(l->g, n, 0)->shape;
  th_program_step *s;
  TH_TRY(check_output_near(n, out, 1.0f / 32768, 0));
  TH_TRY(th_lower_step(l, node, THR_KERNEL_SOFTMAX_S16, n->in, 1, &s));
  thr_softmax_params *p = &s->step.p.softmax;
  p->depth = x->dim[x->rank - 1];
  p->rows = (int32_t)(th_shape_elems(x) / p->depth);
  if (p->depth > 65536) return TH_LOWER_FAIL(n, "rows of %d, at most 65536 are possible", (int)p->depth);
  return th_lower_multiplier(n, (double)in.scale * (double)n->attr[TH_ATTR_BETA].f / (10.0 / 65535.0), &p->mult,
                             &p->shift);
}

th_status th_lower_softmax(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *x = th_node_in(l->g, n, 0), *y = th_node_out(l->g, n, 0);
  th_grid in, out;
  th_program_step *s;
  thr_kernel_id kernel = THR_KERNEL_SOFTMAX_S8;
  TH_TRY(th_lower_wide_grid(n, x, &in));
  TH_TRY(th_lower_any_grid(n, y, &out));
  if (x->shape.rank < 1 || !th_shape_eq(&x->shape, &y->shape))
    return TH_LOWER_FAIL(n, "input and output differ in shape");
  if (in.dtype == TH_DTYPE_S16 && out.dtype == TH_DTYPE_S16) return softmax_s16(l, node, in, out);
  if (in.dtype == TH_DTYPE_S8 && out.dtype == TH_DTYPE_S16) {
    TH_TRY(check_output_near(n, out, 1.0f / 65536, INT16_MIN));
    kernel = THR_KERNEL_SOFTMAX_S8_S16;
  } else {
    TH_TRY(th_lower_grids(l, n, &in, &out));
    TH_TRY(th_lower_fixed_grid(n, out, 1.0f / 256, -128));
  }
  const double real = fmin((double)n->attr[TH_ATTR_BETA].f * (double)in.scale * (double)(1 << 26), (double)INT32_MAX);
  if (!(real > 1)) return TH_LOWER_FAIL(n, "beta * scale of %s is %g, too small", x->name, real / (1 << 26));
  TH_TRY(th_lower_step(l, node, kernel, n->in, 1, &s));
  thr_softmax_params *p = &s->step.p.softmax;
  p->depth = x->shape.dim[x->shape.rank - 1];
  p->rows = (int32_t)(th_shape_elems(&x->shape) / p->depth);
  th_quantize_multiplier(real, &p->mult, &p->shift);
  p->diff_min = -th_lower_input_radius(5, p->shift);
  return TH_OK;
}

static int32_t elems_of(const th_lowering *l, const th_node *n) {
  return (int32_t)th_shape_elems(&th_node_out(l->g, n, 0)->shape);
}

/* One step of a unary kernel with input and output grids filled in and no clamp. s16: NONE when there is only one of
 * int8. */
static th_status unary_step(th_lowering *l, int node, thr_kernel_id s8, thr_kernel_id s16, th_grid *in, th_grid *out,
                            thr_unary_params **p) {
  const th_node *n = &l->g->nodes[node];
  th_program_step *s;
  if (s16 == THR_KERNEL_NONE) {
    TH_TRY(th_lower_grids(l, n, in, out));
  } else {
    TH_TRY(th_lower_wide_grids(l, n, in, out));
  }
  if (th_shape_elems(&th_node_in(l->g, n, 0)->shape) != elems_of(l, n))
    return TH_LOWER_FAIL(n, "input and output differ in size");
  TH_TRY(th_lower_step(l, node, th_lower_pick(*in, s8, s16), n->in, 1, &s));
  *p = &s->step.p.unary;
  **p = (thr_unary_params){.n = elems_of(l, n),
                           .in_zero = in->zero,
                           .out_zero = out->zero,
                           .lo = th_dtype_lo(out->dtype),
                           .hi = th_dtype_hi(out->dtype)};
  return TH_OK;
}

/* 16 bits: the multiplier to the table's units of 1/12288, 15 bits of it; power-of-two scales that fit are exact. */
static th_status table_input(const th_node *n, th_grid in, th_grid out, bool tanh, thr_unary_params *p) {
  int exponent, left;
  TH_TRY(check_output_near(n, out, 1.0f / 32768, 0));
  const bool power_of_two = frexpf(in.scale, &exponent) == 0.5f;
  left = exponent - 1 + 12;
  p->shift[0] = 0;
  if (power_of_two && (left == 0 || (tanh && left == 1))) {
    p->mult[0] = 3 << left;
    return TH_OK;
  }
  double mult = (double)in.scale * 4096.0 * 3.0;
  for (; mult <= 32767.0 / 2.0 && p->shift[0] <= 30; p->shift[0]++) mult *= 2.0;
  if (mult > 32767.0 || p->shift[0] > 30)
    return TH_LOWER_FAIL(n, "input scale %g is out of the kernel's range", (double)in.scale);
  p->mult[0] = (int32_t)mult;
  return TH_OK;
}

th_status th_lower_sigmoid_tanh(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const bool tanh = n->op == TH_OP_TANH;
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, tanh ? THR_KERNEL_TANH_S8 : THR_KERNEL_LOGISTIC_S8,
                    tanh ? THR_KERNEL_TANH_S16 : THR_KERNEL_LOGISTIC_S16, &in, &out, &p));
  if (in.dtype == TH_DTYPE_S16) return table_input(n, in, out, tanh, p);
  TH_TRY(th_lower_fixed_grid(n, out, tanh ? 1.0f / 128 : 1.0f / 256, tanh ? 0 : -128));
  const double real = (double)in.scale * (double)(1 << 27);
  if (real < 1 || real >= 1073741824.0)
    return TH_LOWER_FAIL(n, "input scale %g is out of the kernel's range", (double)in.scale);
  th_quantize_multiplier(real, &p->mult[0], &p->shift[0]);
  p->radius = th_lower_input_radius(4, p->shift[0]);
  return TH_OK;
}

/* --- relu and its relatives --- */

static int32_t clamp_to(th_dtype dtype, double v) {
  const int32_t lo = th_dtype_lo(dtype), hi = th_dtype_hi(dtype);
  return v < lo ? lo : v > hi ? hi : (int32_t)v;
}

th_status th_lower_relu(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, THR_KERNEL_RELU_S8, THR_KERNEL_RELU_S16, &in, &out, &p));
  const double ratio = (double)in.scale / (double)out.scale;
  p->lo = out.zero;
  return th_lower_multiplier(n, ratio, &p->mult[0], &p->shift[0]);
}

/* TFLite's RELU6 keeps the scale. When the output has another one, this is RELU with an upper limit. */
th_status th_lower_relu6(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, THR_KERNEL_RELU_S8, THR_KERNEL_RELU_S16, &in, &out, &p));
  const double ratio = (double)in.scale / (double)out.scale;
  p->lo = out.zero;
  p->hi = clamp_to(out.dtype, (double)roundf(6.0f / out.scale) + out.zero);
  return th_lower_multiplier(n, ratio, &p->mult[0], &p->shift[0]);
}

/* Limits on both sides, likewise. */
th_status th_lower_clip(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, THR_KERNEL_RELU_S8, THR_KERNEL_RELU_S16, &in, &out, &p));
  const float ratio = in.scale / out.scale;
  p->lo = clamp_to(out.dtype, (double)roundf(n->attr[TH_ATTR_LO].f / out.scale) + out.zero);
  p->hi = clamp_to(out.dtype, (double)roundf(n->attr[TH_ATTR_HI].f / out.scale) + out.zero);
  return th_lower_multiplier(n, (double)ratio, &p->mult[0], &p->shift[0]);
}

/* For int8 in double, as TFLite Micro has it since 2025. For int16 in float32, as its recorded outputs have it. */
static void leaky_ratios(th_grid in, th_grid out, float alpha, double *ratio, double *slope) {
  *ratio = (double)in.scale / (double)out.scale;
  *slope = (double)in.scale * (double)alpha / (double)out.scale;
  if (in.dtype != TH_DTYPE_S16) return;
  const float product = in.scale * alpha, above = in.scale / out.scale, below = product / out.scale;
  *ratio = (double)above;
  *slope = (double)below;
}

th_status th_lower_leaky_relu(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  thr_unary_params *p;
  double ratio, slope;
  TH_TRY(unary_step(l, node, THR_KERNEL_LEAKY_RELU_S8, THR_KERNEL_LEAKY_RELU_S16, &in, &out, &p));
  leaky_ratios(in, out, n->attr[TH_ATTR_ALPHA].f, &ratio, &slope);
  TH_TRY(th_lower_multiplier(n, ratio, &p->mult[0], &p->shift[0]));
  TH_TRY(th_lower_multiplier(n, fabs(slope), &p->mult[1], &p->shift[1]));
  if (slope < 0) p->mult[1] = -p->mult[1];
  return TH_OK;
}

/* The upper 16 bits of a multiplier, rounded; values that would round to 2^15 stay below. */
static int32_t upper_half(int32_t mult) {
  return mult >= INT32_MAX - (1 << 15) ? INT16_MAX : (mult + (1 << 15)) >> 16;
}

th_status th_lower_hard_swish(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, THR_KERNEL_HARD_SWISH_S8, THR_KERNEL_NONE, &in, &out, &p));
  const double fine = (double)in.scale / 128.0;
  TH_TRY(th_lower_multiplier(n, fine / (double)out.scale, &p->mult[0], &p->shift[0]));
  TH_TRY(th_lower_multiplier(n, fine / (3.0 / 32768.0), &p->mult[1], &p->shift[1]));
  if (p->shift[0] > 0)
    return TH_LOWER_FAIL(n, "output scale %g is too small for input scale %g", (double)out.scale, (double)in.scale);
  p->mult[0] = upper_half(p->mult[0]);
  p->mult[1] = upper_half(p->mult[1]);
  return TH_OK;
}
