/* Lowering of minimum, maximum, prelu, squared_difference and div. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "eval/lower_internal.h"

typedef struct grids {
  th_grid a, b, y;
} grids;

static th_status get_grids(const th_node *n, const th_tensor *a, const th_tensor *b, const th_tensor *y, grids *g) {
  TH_TRY(th_lower_wide_grid(n, a, &g->a));
  TH_TRY(th_lower_wide_grid(n, b, &g->b));
  TH_TRY(th_lower_wide_grid(n, y, &g->y));
  if (g->a.dtype == g->b.dtype && g->a.dtype == g->y.dtype) return TH_OK;
  return TH_LOWER_FAIL(n, "%s, %s and %s must have the same type", a->name, b->name, y->name);
}

/* A step of two operands with shapes, zero points and no clamp; the multipliers are left to the caller. s16: NONE when
 * there is only a kernel of int8. */
static th_status two_step(th_lowering *l, int node, thr_kernel_id s8, thr_kernel_id s16, grids *g,
                          thr_elementwise_params **p) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *a = th_node_in(l->g, n, 0), *b = th_node_in(l->g, n, 1), *y = th_node_out(l->g, n, 0);
  th_program_step *s;
  if (!b) return TH_LOWER_FAIL(n, "has one input, expected two");
  TH_TRY(get_grids(n, a, b, y, g));
  if (g->y.dtype == TH_DTYPE_S16 && s16 == THR_KERNEL_NONE) return TH_LOWER_FAIL(n, "has no kernel of s16");
  TH_TRY(th_lower_step(l, node, th_lower_pick(g->y, s8, s16), n->in, 2, &s));
  *p = &s->step.p.elementwise;
  TH_TRY(th_lower_broadcast(n, &a->shape, &b->shape, &y->shape, *p));
  (*p)->a_zero = g->a.zero;
  (*p)->b_zero = g->b.zero;
  (*p)->out_zero = g->y.zero;
  return th_lower_clamp_to(n, (th_act)n->attr[TH_ATTR_ACTIVATION].i, g->y, &(*p)->lo, &(*p)->hi);
}

static bool same(th_grid a, th_grid b) {
  return a.zero == b.zero && fabsf(a.scale - b.scale) <= 1e-6f;
}

/* TFLite compares the stored integers, which is only right when they mean the same. */
th_status th_lower_extreme(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  thr_elementwise_params *p;
  grids g;
  const bool max = n->op == TH_OP_MAXIMUM;
  TH_TRY(two_step(l, node, max ? THR_KERNEL_MAXIMUM_S8 : THR_KERNEL_MINIMUM_S8,
                  max ? THR_KERNEL_MAXIMUM_S16 : THR_KERNEL_MINIMUM_S16, &g, &p));
  if (same(g.a, g.b) && same(g.a, g.y)) return TH_OK;
  return TH_LOWER_FAIL(n, "%s, %s and %s must have the same quantization", th_node_in(l->g, n, 0)->name,
                       th_node_in(l->g, n, 1)->name, th_node_out(l->g, n, 0)->name);
}

th_status th_lower_prelu(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  thr_elementwise_params *p;
  grids g;
  TH_TRY(two_step(l, node, THR_KERNEL_PRELU_S8, THR_KERNEL_NONE, &g, &p));
  const double above = (double)g.a.scale / (double)g.y.scale;
  const double below = (double)g.a.scale * (double)g.b.scale / (double)g.y.scale;
  TH_TRY(th_lower_multiplier(n, above, &p->mult[0], &p->shift[0]));
  return th_lower_multiplier(n, below, &p->mult[1], &p->shift[1]);
}

enum { SQUARE_LEFT_SHIFT = 7 };

th_status th_lower_squared_difference(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  thr_elementwise_params *p;
  grids g;
  TH_TRY(two_step(l, node, THR_KERNEL_SQUARED_DIFFERENCE_S8, THR_KERNEL_SQUARED_DIFFERENCE_S16, &g, &p));
  p->left_shift = g.y.dtype == TH_DTYPE_S16 ? 0 : SQUARE_LEFT_SHIFT;
  const double twice_max = 2.0 * (double)fmaxf(g.a.scale, g.b.scale);
  const float divisor = (float)(1 << 2 * p->left_shift) * g.y.scale;
  const double real[3] = {(double)g.a.scale / twice_max, (double)g.b.scale / twice_max,
                          twice_max * twice_max / (double)divisor};
  for (int i = 0; i < 3; i++) TH_TRY(th_lower_multiplier(n, real[i], &p->mult[i], &p->shift[i]));
  return TH_OK;
}

th_status th_lower_div(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  thr_elementwise_params *p;
  grids g;
  TH_TRY(two_step(l, node, THR_KERNEL_DIV_S8, THR_KERNEL_NONE, &g, &p));
  const float divisor = g.b.scale * g.y.scale, real = g.a.scale / divisor;
  return th_lower_multiplier(n, (double)real, &p->mult[2], &p->shift[2]);
}
