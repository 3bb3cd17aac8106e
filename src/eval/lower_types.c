/* Lowering of the changes of type and scale: float to integers and back at the borders of a model, integers to
 * integers. SPDX-License-Identifier: Apache-2.0 */
#include "eval/eval.h"
#include "eval/lower_internal.h"

static th_status check_sizes(const th_lowering *l, const th_node *n, int32_t *elems) {
  const int64_t in = th_shape_elems(&th_node_in(l->g, n, 0)->shape),
                out = th_shape_elems(&th_node_out(l->g, n, 0)->shape);
  *elems = (int32_t)out;
  return in == out ? TH_OK : TH_LOWER_FAIL(n, "input and output differ in size");
}

static th_status lower_float_border(th_lowering *l, int node, thr_kernel_id s8, thr_kernel_id any,
                                    const th_tensor *quantized) {
  const th_node *n = &l->g->nodes[node];
  th_grid grid;
  th_program_step *s;
  int32_t elems;
  TH_TRY(th_lower_any_grid(n, quantized, &grid));
  TH_TRY(check_sizes(l, n, &elems));
  if (grid.dtype == TH_DTYPE_S32 && any == THR_KERNEL_QUANTIZE_F32_ANY)
    return TH_LOWER_FAIL(n, "float to s32 has no kernel");
  TH_TRY(th_lower_step(l, node, grid.dtype == TH_DTYPE_S8 ? s8 : any, n->in, 1, &s));
  s->step.p.quantize = (thr_quantize_params){elems, grid.zero, grid.scale, th_runtime_dtype(grid.dtype)};
  return TH_OK;
}

/* int8 to int8 is a relu without limits. */
static th_status requantize_s8(th_lowering *l, int node, th_grid in, th_grid out, int32_t elems) {
  const th_node *n = &l->g->nodes[node];
  th_program_step *s;
  TH_TRY(th_lower_step(l, node, THR_KERNEL_RELU_S8, n->in, 1, &s));
  thr_unary_params *p = &s->step.p.unary;
  *p = (thr_unary_params){.n = elems, .in_zero = in.zero, .out_zero = out.zero, .lo = INT8_MIN, .hi = INT8_MAX};
  return th_lower_multiplier(n, (double)in.scale / (double)out.scale, &p->mult[0], &p->shift[0]);
}

th_status th_lower_quantize(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *x = th_node_in(l->g, n, 0), *y = th_node_out(l->g, n, 0);
  if (x->dtype == TH_DTYPE_F32)
    return lower_float_border(l, node, THR_KERNEL_QUANTIZE_F32_S8, THR_KERNEL_QUANTIZE_F32_ANY, y);
  th_grid in, out;
  th_program_step *s;
  int32_t elems;
  TH_TRY(th_lower_any_grid(n, x, &in));
  TH_TRY(th_lower_any_grid(n, y, &out));
  TH_TRY(check_sizes(l, n, &elems));
  if (in.dtype == TH_DTYPE_S8 && out.dtype == TH_DTYPE_S8) return requantize_s8(l, node, in, out, elems);
  TH_TRY(th_lower_step(l, node, THR_KERNEL_REQUANTIZE_ANY, n->in, 1, &s));
  thr_requantize_params *p = &s->step.p.requantize;
  *p = (thr_requantize_params){.n = elems,
                               .in_zero = in.zero,
                               .out_zero = out.zero,
                               .in_type = th_runtime_dtype(in.dtype),
                               .out_type = th_runtime_dtype(out.dtype)};
  return th_lower_multiplier(n, (double)in.scale / (double)out.scale, &p->mult, &p->shift);
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
  return lower_float_border(l, node, THR_KERNEL_DEQUANTIZE_S8_F32, THR_KERNEL_DEQUANTIZE_ANY_F32, x);
}
