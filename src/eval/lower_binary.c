/* Lowering of minimum, maximum, prelu, squared_difference and div. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "eval/lower_internal.h"

typedef struct grids {
  th_grid a, b, y;
} grids;

/* A step of two int8 operands with shapes, zero points and no clamp; the multipliers are left to the caller. */
static th_status two_step(th_lowering *l, int node, thr_kernel_id kernel, grids *g, thr_elementwise_params **p) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *a = th_node_in(l->g, n, 0), *b = th_node_in(l->g, n, 1), *y = th_node_out(l->g, n, 0);
  th_program_step *s;
  if (!b) return TH_LOWER_FAIL(n, "has one input, expected two");
  TH_TRY(th_lower_grid(n, a, &g->a));
  TH_TRY(th_lower_grid(n, b, &g->b));
  TH_TRY(th_lower_grid(n, y, &g->y));
  TH_TRY(th_lower_step(l, node, kernel, n->in, 2, &s));
  *p = &s->step.p.elementwise;
  TH_TRY(th_lower_broadcast(n, &a->shape, &b->shape, &y->shape, *p));
  (*p)->a_zero = g->a.zero;
  (*p)->b_zero = g->b.zero;
  (*p)->out_zero = g->y.zero;
  return th_lower_clamp(n, (th_act)n->attr[TH_ATTR_ACTIVATION].i, g->y.scale, g->y.zero, &(*p)->lo, &(*p)->hi);
}

static bool same(th_grid a, th_grid b) {
  return a.zero == b.zero && fabsf(a.scale - b.scale) <= 1e-6f;
}

/* TFLite compares the stored integers, which is only right when they mean the same. */
th_status th_lower_extreme(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  thr_elementwise_params *p;
  grids g;
  TH_TRY(two_step(l, node, n->op == TH_OP_MAXIMUM ? THR_KERNEL_MAXIMUM_S8 : THR_KERNEL_MINIMUM_S8, &g, &p));
  if (same(g.a, g.b) && same(g.a, g.y)) return TH_OK;
  return TH_LOWER_FAIL(n, "%s, %s and %s must have the same quantization", th_node_in(l->g, n, 0)->name,
                       th_node_in(l->g, n, 1)->name, th_node_out(l->g, n, 0)->name);
}

th_status th_lower_prelu(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  thr_elementwise_params *p;
  grids g;
  TH_TRY(two_step(l, node, THR_KERNEL_PRELU_S8, &g, &p));
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
  TH_TRY(two_step(l, node, THR_KERNEL_SQUARED_DIFFERENCE_S8, &g, &p));
  const double twice_max = 2.0 * (double)fmaxf(g.a.scale, g.b.scale);
  const float divisor = (float)(1 << 2 * SQUARE_LEFT_SHIFT) * g.y.scale;
  const double real[3] = {(double)g.a.scale / twice_max, (double)g.b.scale / twice_max,
                          twice_max * twice_max / (double)divisor};
  p->left_shift = SQUARE_LEFT_SHIFT;
  for (int i = 0; i < 3; i++) TH_TRY(th_lower_multiplier(n, real[i], &p->mult[i], &p->shift[i]));
  return TH_OK;
}

th_status th_lower_div(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  thr_elementwise_params *p;
  grids g;
  TH_TRY(two_step(l, node, THR_KERNEL_DIV_S8, &g, &p));
  const float divisor = g.b.scale * g.y.scale, real = g.a.scale / divisor;
  return th_lower_multiplier(n, (double)real, &p->mult[2], &p->shift[2]);
}
