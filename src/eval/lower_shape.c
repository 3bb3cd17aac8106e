/* Lowering of operators that move or gather values: pools, mean, concat, pad. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "eval/lower_internal.h"

/* --- pools --- */

static th_status pool_attr(const th_node *n, th_attr_id id, int least, int most, int16_t *v) {
  const int32_t a = n->attr[id].i;
  if (a < least || a > most)
    return TH_LOWER_FAIL(n, "%s is %d, expected %d to %d", th_attr_name(id), (int)a, least, most);
  *v = (int16_t)a;
  return TH_OK;
}

/* Padding below the kernel's size and an output that does not reach past the input: then every window has a point. */
static th_status set_window(const th_node *n, thr_pool2d_params *p) {
  TH_TRY(pool_attr(n, TH_ATTR_KERNEL_Y, 1, INT16_MAX, &p->kernel_y));
  TH_TRY(pool_attr(n, TH_ATTR_KERNEL_X, 1, INT16_MAX, &p->kernel_x));
  TH_TRY(pool_attr(n, TH_ATTR_STRIDE_Y, 1, INT16_MAX, &p->stride_y));
  TH_TRY(pool_attr(n, TH_ATTR_STRIDE_X, 1, INT16_MAX, &p->stride_x));
  TH_TRY(pool_attr(n, TH_ATTR_PAD_TOP, 0, p->kernel_y - 1, &p->pad_y));
  TH_TRY(pool_attr(n, TH_ATTR_PAD_LEFT, 0, p->kernel_x - 1, &p->pad_x));
  if ((int64_t)(p->out_y - 1) * p->stride_y - p->pad_y >= p->in_y ||
      (int64_t)(p->out_x - 1) * p->stride_x - p->pad_x >= p->in_x)
    return TH_LOWER_FAIL(n, "%d x %d windows reach past the %d x %d input", (int)p->out_y, (int)p->out_x, (int)p->in_y,
                         (int)p->in_x);
  return TH_OK;
}

th_status th_lower_pool2d(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_shape *x = &th_node_in(l->g, n, 0)->shape, *y = &th_node_out(l->g, n, 0)->shape;
  th_grid grid;
  th_program_step *s;
  TH_TRY(th_lower_same_wide_grid(l, n, &grid));
  if (x->rank != 4 || y->rank != 4 || x->dim[0] != 1 || y->dim[0] != 1 || x->dim[3] != y->dim[3])
    return TH_LOWER_FAIL(n, "shapes of input and output do not fit each other");
  const bool max = n->op == TH_OP_MAX_POOL2D, up = n->attr[TH_ATTR_HALVES_UP].i != 0;
  const thr_kernel_id s8 = max ? THR_KERNEL_MAX_POOL2D_S8 : up ? THR_KERNEL_AVG_POOL2D_UP_S8 : THR_KERNEL_AVG_POOL2D_S8;
  const thr_kernel_id s16 = max ? THR_KERNEL_MAX_POOL2D_S16 : THR_KERNEL_AVG_POOL2D_S16;
  TH_TRY(th_lower_step(l, node, th_lower_pick(grid, s8, s16), n->in, 1, &s));
  thr_pool2d_params *p = &s->step.p.pool2d;
  *p =
      (thr_pool2d_params){.in_y = x->dim[1], .in_x = x->dim[2], .c = x->dim[3], .out_y = y->dim[1], .out_x = y->dim[2]};
  TH_TRY(set_window(n, p));
  return th_lower_clamp_to(n, (th_act)n->attr[TH_ATTR_ACTIVATION].i, grid, &p->lo, &p->hi);
}

/* --- mean --- */

/* The division by N goes into the multiplier, which is first shifted left by floor(log2(N)) so that it loses no bits.
 */
static void divide_multiplier(int32_t *mult, int8_t *shift, int64_t count) {
  int k = 63 - __builtin_clzll((unsigned long long)count);
  if (k > 32) k = 32;
  if (k > 31 + *shift) k = 31 + *shift;
  *mult = (int32_t)(((int64_t)*mult << k) / count);
  *shift = (int8_t)(*shift - k);
}

/* The dimensions behind the batch as (y, x, c), and which of them are summed over. */
th_status th_lower_mean_view(const th_lowering *l, const th_node *n, thr_mean_params *p) {
  const th_shape *x = &th_node_in(l->g, n, 0)->shape;
  const uint32_t mask = n->op == TH_OP_GLOBAL_AVG_POOL ? 6u : (uint32_t)n->attr[TH_ATTR_AXES_MASK].i;
  if (x->rank > 4 || (x->rank == 4 && x->dim[0] != 1) || x->rank < 1)
    return TH_LOWER_FAIL(n, "input of %d dimensions, expected 1 to 4", x->rank);
  if (n->op == TH_OP_GLOBAL_AVG_POOL && x->rank != 4) return TH_LOWER_FAIL(n, "input is not (1, y, x, c)");
  int32_t dim[3] = {1, 1, 1};
  uint8_t over[3] = {0, 0, 0};
  int64_t count = 1;
  for (int i = x->rank == 4 ? 1 : 0; i < x->rank; i++) {
    const int to = i + 3 - x->rank;
    dim[to] = x->dim[i];
    over[to] = mask >> i & 1u;
    if (over[to]) count *= x->dim[i];
  }
  *p = (thr_mean_params){.y = dim[0],
                         .x = dim[1],
                         .c = dim[2],
                         .over_y = over[0],
                         .over_x = over[1],
                         .over_c = over[2],
                         .count = (int32_t)count};
  const int64_t elems = th_shape_elems(x);
  if (elems / count != th_shape_elems(&th_node_out(l->g, n, 0)->shape) ||
      count > INT32_MAX / (th_node_in(l->g, n, 0)->dtype == TH_DTYPE_S16 ? 65536 : 256))
    return TH_LOWER_FAIL(n, "%lld elements by %lld do not fit the output", (long long)elems, (long long)count);
  return TH_OK;
}

th_status th_lower_mean(th_lowering *l, int node) {
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
  TH_TRY(th_lower_multiplier(n, (double)in.scale / (double)out.scale, &p->mult, &p->shift));
  divide_multiplier(&p->mult, &p->shift, p->count);
  if (p->shift < -31)
    return TH_LOWER_FAIL(n, "scales %g and %g are too far apart", (double)in.scale, (double)out.scale);
  return TH_OK;
}

/* --- concat --- */

static int32_t elems_between(const th_shape *s, int from, int to) {
  int32_t n = 1;
  for (int i = from; i < to; i++) n *= s->dim[i];
  return n;
}

static th_status check_part(const th_node *n, const th_tensor *part, const th_tensor *out, int axis) {
  th_grid a, b;
  TH_TRY(th_lower_any_grid(n, part, &a));
  TH_TRY(th_lower_any_grid(n, out, &b));
  if (a.dtype != b.dtype || a.scale != b.scale || a.zero != b.zero)
    return TH_LOWER_FAIL(n, "part %s (scale %g, zero %d) must have the quantization of %s (scale %g, zero %d)",
                         part->name, (double)a.scale, (int)a.zero, out->name, (double)b.scale, (int)b.zero);
  bool fits = part->shape.rank == out->shape.rank;
  for (int i = 0; fits && i < part->shape.rank; i++) fits = i == axis || part->shape.dim[i] == out->shape.dim[i];
  return fits ? TH_OK : TH_LOWER_FAIL(n, "part %s does not fit the output's shape", part->name);
}

/* One copy per part, all into the same output value. */
th_status th_lower_concat(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *out = th_node_out(l->g, n, 0);
  const int rank = out->shape.rank;
  const int axis = n->attr[TH_ATTR_AXIS].i + (n->attr[TH_ATTR_AXIS].i < 0 ? rank : 0);
  if (axis < 0 || axis >= rank) return TH_LOWER_FAIL(n, "axis %d of %d dimensions", axis, rank);
  const int32_t outer = elems_between(&out->shape, 0, axis), elem_bytes = (int32_t)th_dtype_bytes(out->dtype);
  const int32_t out_step = elems_between(&out->shape, axis, rank) * elem_bytes;
  int32_t offset = 0;
  for (int i = 0; i < n->n_in; i++) {
    const th_tensor *part = th_node_in(l->g, n, i);
    th_program_step *s;
    if (!part) return TH_LOWER_FAIL(n, "part %d is absent", i);
    TH_TRY(check_part(n, part, out, axis));
    TH_TRY(th_lower_step(l, node, THR_KERNEL_COPY_S8, &n->in[i], 1, &s));
    const int32_t block = elems_between(&part->shape, axis, rank) * elem_bytes;
    s->step.p.copy = (thr_copy_params){outer, block, out_step, offset};
    offset += block;
  }
  return offset == out_step ? TH_OK : TH_LOWER_FAIL(n, "parts of %d in all fill %d", (int)offset, (int)out_step);
}

/* --- pad --- */

static th_status pad_value(const th_lowering *l, const th_node *n, th_grid grid, int32_t *value) {
  const th_tensor *t = th_node_in(l->g, n, 2);
  th_grid own;
  *value = grid.zero;
  if (!t) return TH_OK;
  if (!t->data || th_shape_elems(&t->shape) != 1) return TH_LOWER_FAIL(n, "value %s is not one constant", t->name);
  TH_TRY(th_lower_wide_grid(n, t, &own));
  if (own.dtype != grid.dtype || own.scale != grid.scale || own.zero != grid.zero)
    return TH_LOWER_FAIL(n, "value %s is quantized otherwise than the tensor", t->name);
  *value = own.dtype == TH_DTYPE_S16 ? *(const int16_t *)t->data : *(const int8_t *)t->data;
  return TH_OK;
}

th_status th_lower_pad(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *pads = th_node_in(l->g, n, 1);
  const th_shape *x = &th_node_in(l->g, n, 0)->shape, *y = &th_node_out(l->g, n, 0)->shape;
  th_grid grid;
  th_program_step *s;
  TH_TRY(th_lower_same_wide_grid(l, n, &grid));
  if (x->rank > 4 || y->rank != x->rank) return TH_LOWER_FAIL(n, "%d dimensions, expected up to 4", x->rank);
  if (!pads || !pads->data || pads->dtype != TH_DTYPE_S32 || th_shape_elems(&pads->shape) != 2 * x->rank)
    return TH_LOWER_FAIL(n, "paddings are not %d x 2 constant s32 values", x->rank);
  TH_TRY(th_lower_step(l, node, th_lower_pick(grid, THR_KERNEL_PAD_S8, THR_KERNEL_PAD_S16), n->in, 1, &s));
  thr_pad_params *p = &s->step.p.pad;
  *p = (thr_pad_params){.in = {1, 1, 1, 1}};
  const int32_t *amount = pads->data;
  for (int i = 0; i < x->rank; i++) {
    const int to = i + 4 - x->rank;
    p->in[to] = x->dim[i];
    p->before[to] = amount[2 * i];
    p->after[to] = amount[2 * i + 1];
    if (amount[2 * i] < 0 || amount[2 * i + 1] < 0 ||
        (int64_t)amount[2 * i] + amount[2 * i + 1] + x->dim[i] != y->dim[i])
      return TH_LOWER_FAIL(n, "dimension %d: %d + %d + %d is not the output's %d", i, (int)amount[2 * i],
                           (int)x->dim[i], (int)amount[2 * i + 1], (int)y->dim[i]);
  }
  return pad_value(l, n, grid, &p->value);
}
