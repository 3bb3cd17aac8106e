/* Lowering of sum, reduce_max, reduce_min, argmax, argmin, l2_normalization and log_softmax.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "eval/lower_internal.h"

/* The kernel of mean, without the division. */
th_status th_lower_sum(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  th_program_step *s;
  TH_TRY(th_lower_wide_grids(l, n, &in, &out));
  TH_TRY(th_lower_step(l, node, th_lower_pick(in, THR_KERNEL_MEAN_S8, THR_KERNEL_MEAN_S16), n->in, 1, &s));
  thr_mean_params *p = &s->step.p.mean;
  TH_TRY(th_lower_mean_view(l, n, p));
  p->in_zero = in.zero;
  p->out_zero = out.zero;
  p->lo = th_dtype_lo(out.dtype);
  p->hi = th_dtype_hi(out.dtype);
  return th_lower_multiplier(n, (double)in.scale / (double)out.scale, &p->mult, &p->shift);
}

th_status th_lower_reduce_extreme(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const thr_kernel_id kernel = n->op == TH_OP_REDUCE_MAX ? THR_KERNEL_REDUCE_MAX_S8 : THR_KERNEL_REDUCE_MIN_S8;
  th_grid grid;
  th_program_step *s;
  TH_TRY(th_lower_same_grid(l, n, &grid));
  TH_TRY(th_lower_step(l, node, kernel, n->in, 1, &s));
  thr_mean_params *p = &s->step.p.mean;
  TH_TRY(th_lower_mean_view(l, n, p));
  p->in_zero = p->out_zero = grid.zero;
  p->lo = INT8_MIN;
  p->hi = INT8_MAX;
  return TH_OK;
}

th_status th_lower_argmax(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *x = th_node_in(l->g, n, 0), *y = th_node_out(l->g, n, 0);
  int axis = n->attr[TH_ATTR_AXIS].i;
  th_grid grid;
  th_program_step *s;
  TH_TRY(th_lower_grid(n, x, &grid));
  if (axis < 0) axis += x->shape.rank;
  if (axis < 0 || axis >= x->shape.rank || y->dtype != TH_DTYPE_S32)
    return TH_LOWER_FAIL(n, "axis %d of %d dimensions, output %s", axis, x->shape.rank, th_dtype_name(y->dtype));
  TH_TRY(th_lower_step(l, node, THR_KERNEL_ARGMAX_S8, n->in, 1, &s));
  thr_argmax_params *p = &s->step.p.argmax;
  *p = (thr_argmax_params){.outer = 1, .depth = x->shape.dim[axis], .inner = 1};
  for (int i = 0; i < axis; i++) p->outer *= x->shape.dim[i];
  for (int i = axis + 1; i < x->shape.rank; i++) p->inner *= x->shape.dim[i];
  p->smallest = n->op == TH_OP_ARGMIN;
  p->last = n->attr[TH_ATTR_SELECT_LAST].i != 0;
  if (th_shape_elems(&y->shape) == (int64_t)p->outer * p->inner) return TH_OK;
  return TH_LOWER_FAIL(n, "output %s has another size", y->name);
}

static th_status rows_of(const th_lowering *l, const th_node *n, int32_t *rows, int32_t *depth) {
  const th_shape *x = &th_node_in(l->g, n, 0)->shape;
  if (x->rank < 1 || !th_shape_eq(x, &th_node_out(l->g, n, 0)->shape))
    return TH_LOWER_FAIL(n, "input and output differ in shape");
  *depth = x->dim[x->rank - 1];
  *rows = (int32_t)(th_shape_elems(x) / *depth);
  return TH_OK;
}

th_status th_lower_l2_normalization(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  th_program_step *s;
  TH_TRY(th_lower_grids(l, n, &in, &out));
  TH_TRY(th_lower_fixed_grid(n, out, 1.0f / 128, 0));
  TH_TRY(th_lower_step(l, node, THR_KERNEL_L2_NORMALIZATION_S8, n->in, 1, &s));
  s->step.p.l2_normalization.in_zero = in.zero;
  return rows_of(l, n, &s->step.p.l2_normalization.rows, &s->step.p.l2_normalization.depth);
}

th_status th_lower_log_softmax(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_grid in, out;
  th_program_step *s;
  TH_TRY(th_lower_grids(l, n, &in, &out));
  TH_TRY(th_lower_fixed_grid(n, out, 16.0f / 256, 127));
  TH_TRY(th_lower_step(l, node, THR_KERNEL_LOG_SOFTMAX_S8, n->in, 1, &s));
  thr_log_softmax_params *p = &s->step.p.log_softmax;
  TH_TRY(rows_of(l, n, &p->rows, &p->depth));
  const double real = fmin((double)in.scale * (double)(1 << 26), (double)INT32_MAX);
  if (!(real > 1)) return TH_LOWER_FAIL(n, "input scale %g is too small", (double)in.scale);
  th_quantize_multiplier(real, &p->mult, &p->shift);
  p->diff_min = -th_lower_input_radius(5, p->shift);
  return th_lower_multiplier(n, ldexp(1, 31 - p->shift) / (double)p->mult, &p->back_mult, &p->back_shift);
}
