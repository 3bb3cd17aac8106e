/* Lowering of element-wise arithmetic, activations, softmax, and the changes of type. Each formula for a real
 * multiplier says which steps TFLite takes in float32; the casts are part of the definition (docs/numerics.md).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "eval/eval.h"
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

enum { ADD_LEFT_SHIFT = 20 };

static void add_reals(th_grid a, th_grid b, th_grid y, double real[3]) {
  const double twice_max = 2 * fmax((double)a.scale, (double)b.scale);
  real[0] = (double)a.scale / twice_max;
  real[1] = (double)b.scale / twice_max;
  real[2] = twice_max / ((1 << ADD_LEFT_SHIFT) * (double)y.scale);
}

static void sub_reals(th_grid a, th_grid b, th_grid y, double real[3]) {
  const float twice_max = 2 * fmaxf(a.scale, b.scale);
  const float ratio_a = a.scale / twice_max, ratio_b = b.scale / twice_max;
  const float ratio_y = twice_max / ((float)(1 << ADD_LEFT_SHIFT) * y.scale);
  real[0] = (double)ratio_a;
  real[1] = (double)ratio_b;
  real[2] = (double)ratio_y;
}

th_status th_lower_elementwise(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *a = th_node_in(l->g, n, 0), *b = th_node_in(l->g, n, 1), *y = th_node_out(l->g, n, 0);
  if (!b) return TH_LOWER_FAIL(n, "has one input, expected two");
  th_grid ga, gb, gy;
  th_program_step *s;
  double real[3] = {0, 0, 0};
  TH_TRY(th_lower_grid(n, a, &ga));
  TH_TRY(th_lower_grid(n, b, &gb));
  TH_TRY(th_lower_grid(n, y, &gy));
  thr_kernel_id kernel = THR_KERNEL_MUL_S8;
  if (n->op == TH_OP_ADD) {
    kernel = THR_KERNEL_ADD_S8;
    add_reals(ga, gb, gy, real);
  } else if (n->op == TH_OP_SUB) {
    kernel = THR_KERNEL_SUB_S8;
    sub_reals(ga, gb, gy, real);
  } else {
    real[2] = (double)ga.scale * (double)gb.scale / (double)gy.scale;
  }
  TH_TRY(th_lower_step(l, node, kernel, n->in, 2, &s));
  thr_elementwise_params *p = &s->step.p.elementwise;
  TH_TRY(th_lower_broadcast(n, &a->shape, &b->shape, &y->shape, p));
  p->a_zero = ga.zero;
  p->b_zero = gb.zero;
  p->out_zero = gy.zero;
  p->left_shift = n->op == TH_OP_MUL ? 0 : ADD_LEFT_SHIFT;
  for (int i = 0; i < 3; i++) TH_TRY(th_lower_multiplier(n, real[i], &p->mult[i], &p->shift[i]));
  return th_lower_clamp(n, (th_act)n->attr[TH_ATTR_ACTIVATION].i, gy.scale, gy.zero, &p->lo, &p->hi);
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

th_status th_lower_softmax(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *x = th_node_in(l->g, n, 0), *y = th_node_out(l->g, n, 0);
  th_grid in, out;
  th_program_step *s;
  TH_TRY(th_lower_grids(l, n, &in, &out));
  TH_TRY(th_lower_fixed_grid(n, out, 1.0f / 256, -128));
  if (x->shape.rank < 1 || !th_shape_eq(&x->shape, &y->shape))
    return TH_LOWER_FAIL(n, "input and output differ in shape");
  const double real = fmin((double)n->attr[TH_ATTR_BETA].f * (double)in.scale * (double)(1 << 26), (double)INT32_MAX);
  if (!(real > 1)) return TH_LOWER_FAIL(n, "beta * scale of %s is %g, too small", x->name, real / (1 << 26));
  TH_TRY(th_lower_step(l, node, THR_KERNEL_SOFTMAX_S8, n->in, 1, &s));
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

/* One step of a unary kernel with input and output grids filled in and no clamp. */
static th_status unary_step(th_lowering *l, int node, thr_kernel_id kernel, th_grid *in, th_grid *out,
                            thr_unary_params **p) {
  const th_node *n = &l->g->nodes[node];
  th_program_step *s;
  TH_TRY(th_lower_grids(l, n, in, out));
  if (th_shape_elems(&th_node_in(l->g, n, 0)->shape) != elems_of(l, n))
    return TH_LOWER_FAIL(n, "input and output differ in size");
  TH_TRY(th_lower_step(l, node, kernel, n->in, 1, &s));
  *p = &s->step.p.unary;
  **p = (thr_unary_params){
      .n = elems_of(l, n), .in_zero = in->zero, .out_zero = out->zero, .lo = INT8_MIN, .hi = INT8_MAX};
  return TH_OK;
}

th_status th_lower_sigmoid_tanh(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const bool tanh = n->op == TH_OP_TANH;
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, tanh ? THR_KERNEL_TANH_S8 : THR_KERNEL_LOGISTIC_S8, &in, &out, &p));
  TH_TRY(th_lower_fixed_grid(n, out, tanh ? 1.0f / 128 : 1.0f / 256, tanh ? 0 : -128));
  const double real = (double)in.scale * (double)(1 << 27);
  if (real < 1 || real >= 1073741824.0)
    return TH_LOWER_FAIL(n, "input scale %g is out of the kernel's range", (double)in.scale);
  th_quantize_multiplier(real, &p->mult[0], &p->shift[0]);
  p->radius = th_lower_input_radius(4, p->shift[0]);
  return TH_OK;
}

/* --- relu and its relatives --- */

static int32_t int8_clamp(double v) {
  return v < INT8_MIN ? INT8_MIN : v > INT8_MAX ? INT8_MAX : (int32_t)v;
}

th_status th_lower_relu(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, THR_KERNEL_RELU_S8, &in, &out, &p));
  const float ratio = in.scale / out.scale;
  p->lo = out.zero;
  return th_lower_multiplier(n, (double)ratio, &p->mult[0], &p->shift[0]);
}

/* TFLite's RELU6 keeps the scale. When the output has another one, this is RELU with an upper limit. */
th_status th_lower_relu6(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, THR_KERNEL_RELU_S8, &in, &out, &p));
  const float ratio = in.scale / out.scale;
  p->lo = out.zero;
  p->hi = int8_clamp((double)roundf(6.0f / out.scale) + out.zero);
  return th_lower_multiplier(n, (double)ratio, &p->mult[0], &p->shift[0]);
}

/* Limits on both sides, likewise. */
th_status th_lower_clip(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, THR_KERNEL_RELU_S8, &in, &out, &p));
  const float ratio = in.scale / out.scale;
  p->lo = int8_clamp((double)roundf(n->attr[TH_ATTR_LO].f / out.scale) + out.zero);
  p->hi = int8_clamp((double)roundf(n->attr[TH_ATTR_HI].f / out.scale) + out.zero);
  return th_lower_multiplier(n, (double)ratio, &p->mult[0], &p->shift[0]);
}

th_status th_lower_leaky_relu(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, THR_KERNEL_LEAKY_RELU_S8, &in, &out, &p));
  const float product = in.scale * n->attr[TH_ATTR_ALPHA].f;
  const float slope = product / out.scale, ratio = in.scale / out.scale;
  TH_TRY(th_lower_multiplier(n, (double)ratio, &p->mult[0], &p->shift[0]));
  TH_TRY(th_lower_multiplier(n, fabs((double)slope), &p->mult[1], &p->shift[1]));
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
  TH_TRY(unary_step(l, node, THR_KERNEL_HARD_SWISH_S8, &in, &out, &p));
  const float fine = (1.0f / 128.0f) * in.scale;
  const float of_output = fine / out.scale, of_gate = fine / (3.0f / 32768.0f);
  TH_TRY(th_lower_multiplier(n, (double)of_output, &p->mult[0], &p->shift[0]));
  TH_TRY(th_lower_multiplier(n, (double)of_gate, &p->mult[1], &p->shift[1]));
  if (p->shift[0] > 0)
    return TH_LOWER_FAIL(n, "output scale %g is too small for input scale %g", (double)out.scale, (double)in.scale);
  p->mult[0] = upper_half(p->mult[0]);
  p->mult[1] = upper_half(p->mult[1]);
  return TH_OK;
}

/* --- changes of type and scale --- */

static th_status lower_float_border(th_lowering *l, int node, thr_kernel_id kernel, const th_tensor *quantized) {
  const th_node *n = &l->g->nodes[node];
  th_grid grid;
  th_program_step *s;
  TH_TRY(th_lower_grid(n, quantized, &grid));
  if (th_shape_elems(&th_node_in(l->g, n, 0)->shape) != elems_of(l, n))
    return TH_LOWER_FAIL(n, "input and output differ in size");
  TH_TRY(th_lower_step(l, node, kernel, n->in, 1, &s));
  s->step.p.quantize = (thr_quantize_params){elems_of(l, n), grid.zero, grid.scale};
  return TH_OK;
}

/* Scale and zero of a tensor quantized as a whole, of any of the types that a quantize node may connect. */
static th_status border_grid(const th_node *n, const th_tensor *t, th_grid *grid) {
  if (t->dtype != TH_DTYPE_U8) return th_lower_grid(n, t, grid);
  if (t->quant.count != 1) return TH_LOWER_FAIL(n, "tensor %s has %d scales, expected one", t->name, t->quant.count);
  *grid = (th_grid){t->quant.scale[0], t->quant.zero ? t->quant.zero[0] : 0};
  if (!(grid->scale >= 1e-30f && grid->scale <= 1e30f) || grid->zero < 0 || grid->zero > UINT8_MAX)
    return TH_LOWER_FAIL(n, "tensor %s has scale %g and zero point %d", t->name, (double)grid->scale, (int)grid->zero);
  return TH_OK;
}

/* Between int8 and uint8, as the borders of uint8 models have it. */
static th_status lower_requantize_u8(th_lowering *l, int node, const th_tensor *x, const th_tensor *y) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  th_program_step *s;
  TH_TRY(border_grid(n, x, &in));
  TH_TRY(border_grid(n, y, &out));
  if (x->dtype == y->dtype) return TH_LOWER_FAIL(n, "from u8 to u8 is not supported");
  if (th_shape_elems(&x->shape) != elems_of(l, n)) return TH_LOWER_FAIL(n, "input and output differ in size");
  const thr_kernel_id kernel = x->dtype == TH_DTYPE_U8 ? THR_KERNEL_REQUANTIZE_U8_S8 : THR_KERNEL_REQUANTIZE_S8_U8;
  TH_TRY(th_lower_step(l, node, kernel, n->in, 1, &s));
  thr_unary_params *p = &s->step.p.unary;
  *p = (thr_unary_params){.n = elems_of(l, n), .in_zero = in.zero, .out_zero = out.zero};
  p->lo = th_dtype_lo(y->dtype);
  p->hi = th_dtype_hi(y->dtype);
  return th_lower_multiplier(n, (double)in.scale / (double)out.scale, &p->mult[0], &p->shift[0]);
}

th_status th_lower_quantize(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *x = th_node_in(l->g, n, 0), *y = th_node_out(l->g, n, 0);
  if (x->dtype == TH_DTYPE_U8 || (y->dtype == TH_DTYPE_U8 && x->dtype != TH_DTYPE_F32))
    return lower_requantize_u8(l, node, x, y);
  if (x->dtype == TH_DTYPE_F32) return lower_float_border(l, node, THR_KERNEL_QUANTIZE_F32_S8, y);
  th_grid in, out;
  thr_unary_params *p;
  TH_TRY(unary_step(l, node, THR_KERNEL_RELU_S8, &in, &out, &p));
  return th_lower_multiplier(n, (double)in.scale / (double)out.scale, &p->mult[0], &p->shift[0]);
}

/* Integer weights of a float layer, per channel perhaps: dequantized here, once, to a constant. */
static th_status dequantize_constant(th_lowering *l, const th_node *n, const th_tensor *x, const th_tensor *y) {
  const int64_t elems = th_shape_elems(&x->shape);
  const int scales = x->quant.count, axis = x->quant.axis;
  float *data = TH_ARRAY(l->p->arena, float, elems);
  if (!data) return TH_ERR_RESOURCE;
  if (!th_dtype_is_int(x->dtype) || x->dtype == TH_DTYPE_S64 || th_shape_elems(&y->shape) != elems || scales < 1 ||
      (scales > 1 && (axis < 0 || axis >= x->shape.rank || x->shape.dim[axis] != scales)))
    return TH_LOWER_FAIL(n, "constant %s (%s) cannot be dequantized", x->name, th_dtype_name(x->dtype));
  int64_t inner = scales > 1 ? 1 : elems;
  for (int i = axis + 1; scales > 1 && i < x->shape.rank; i++) inner *= x->shape.dim[i];
  for (int64_t i = 0; i < elems; i += inner) {
    const int c = (int)(i / inner % scales);
    const uint8_t *from = (const uint8_t *)x->data + (size_t)i * th_dtype_bytes(x->dtype);
    th_dequantize(from, x->dtype, inner, x->quant.scale[c], x->quant.zero ? x->quant.zero[c] : 0, data + i);
  }
  int value;
  TH_TRY(th_lower_output(l, n, n->out[0], &value));
  l->p->values[value].data = data;
  return TH_OK;
}

th_status th_lower_dequantize(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *x = th_node_in(l->g, n, 0), *y = th_node_out(l->g, n, 0);
  if (x->data && y->dtype == TH_DTYPE_F32) return dequantize_constant(l, n, x, y);
  if (y->dtype != TH_DTYPE_F32) return TH_LOWER_FAIL(n, "output is %s, expected f32", th_dtype_name(y->dtype));
  return lower_float_border(l, node, THR_KERNEL_DEQUANTIZE_S8_F32, x);
}
