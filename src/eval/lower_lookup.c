/* Lowering of functions of one element: a table of 256 entries, made here once, for the kernel lookup_s8.
 *
 * Most tables come from the operator's own float arithmetic, as TFLite makes those of its table-driven operators: x
 * = s_in (q - z_in), f(x), round(f(x) (1 / s_out)) + z_out, all in float32. Abs and rsqrt are integer operators of
 * TFLite Micro; their tables are made by the runtime's own fixed-point functions. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>

#include "../../rt/kernel/ref/fixed_root.h"
#include "eval/lower_internal.h"
#include "op/op.h"

enum { ENTRIES = 256 };

typedef struct grids {
  th_grid in, out;
} grids;

static int8_t to_int8(int64_t v) {
  return (int8_t)(v < INT8_MIN ? INT8_MIN : v > INT8_MAX ? INT8_MAX : v);
}

/* f of 256 numbers, by the operator's forward on a graph of that one node. */
static th_status run_float(const th_node *n, const float *x, float *y) {
  const th_shape shape = th_shape_make(1, ENTRIES);
  th_graph *g;
  int in, out, id;
  TH_TRY(th_graph_create(&g, "table"));
  th_status status = th_graph_add_tensor(g, "x", TH_DTYPE_F32, &shape, &in);
  if (status == TH_OK) status = th_graph_add_tensor(g, "y", TH_DTYPE_F32, &shape, &out);
  if (status == TH_OK) status = th_graph_add_node(g, 0, n->op, n->name, &in, 1, &out, 1, &id);
  if (status == TH_OK) {
    for (int i = 0; i < TH_ATTR_COUNT; i++) g->nodes[0].attr[i] = n->attr[i];
    const th_op_run run = {.graph = g, .node = &g->nodes[0], .end = 1, .batch = 1, .in = {x}, .out = {y}};
    th_op_get(n->op)->forward(&run);
  }
  th_graph_destroy(g);
  return status;
}

/* TFLite Micro's elu subtracts 1 from the exponential, which rounds otherwise than expm1. */
static void elu_as_tflm(float alpha, const float *x, float *y) {
  for (int i = 0; i < ENTRIES; i++) y[i] = x[i] < 0 ? alpha * (expf(x[i]) - 1) : x[i];
}

static th_status float_table(const th_node *n, const grids *g, int8_t *table) {
  float x[ENTRIES], y[ENTRIES];
  const float inverse = 1 / g->out.scale;
  for (int i = 0; i < ENTRIES; i++) x[i] = g->in.scale * (float)(i - 128 - g->in.zero);
  TH_TRY(run_float(n, x, y));
  if (n->op == TH_OP_ELU) elu_as_tflm(n->attr[TH_ATTR_ALPHA].f, x, y);
  for (int i = 0; i < ENTRIES; i++) {
    const float v = roundf(y[i] * inverse) + (float)g->out.zero;
    table[i] = v != v ? INT8_MIN : v > 1000 ? INT8_MAX : v < -1000 ? INT8_MIN : to_int8((int64_t)v);
  }
  return TH_OK;
}

/* |x - z_in| times s_in / s_out; equal scales take no detour. */
static th_status abs_table(const th_node *n, const grids *g, int8_t *table) {
  int32_t mult;
  int8_t shift;
  TH_TRY(th_lower_multiplier(n, (double)g->in.scale / (double)g->out.scale, &mult, &shift));
  for (int i = 0; i < ENTRIES; i++) {
    const int32_t v = abs(i - 128 - g->in.zero);
    table[i] = to_int8((g->in.scale == g->out.scale ? v : thr_scale(v, mult, shift)) + g->out.zero);
  }
  return TH_OK;
}

enum { FRACTION = 20 };

/* The shift is less by the bits of fraction. */
static th_status rsqrt_multiplier(const th_node *n, const grids *g, int32_t *mult, int8_t *shift) {
  TH_TRY(th_lower_multiplier(n, 1.0 / (sqrt((double)g->in.scale) * (double)g->out.scale), mult, shift));
  if (*shift - FRACTION < -31)
    return TH_LOWER_FAIL(n, "scales %g and %g are too far apart", (double)g->in.scale, (double)g->out.scale);
  *shift = (int8_t)(*shift - FRACTION);
  return TH_OK;
}

/* 1 / sqrt(x - z_in) with 20 bits of fraction, times 1 / (sqrt(s_in) s_out). 0 gives the largest value; so do numbers
 * below zero, for which TFLite Micro fails. */
static th_status rsqrt_table(const th_node *n, const grids *g, int8_t *table) {
  int32_t mult;
  int8_t shift;
  TH_TRY(rsqrt_multiplier(n, g, &mult, &shift));
  for (int i = 0; i < ENTRIES; i++) {
    const int32_t v = i - 128 - g->in.zero;
    int root_shift;
    const int32_t root = thr_inverse_root(v, &root_shift), fraction = thr_scale(1, root, root_shift + FRACTION);
    table[i] = v <= 0 ? INT8_MAX : to_int8((int64_t)thr_scale(fraction, mult, shift) + g->out.zero);
  }
  return TH_OK;
}

/* 16 bits have no table, but kernels for abs and rsqrt. */
static th_status lower_s16(th_lowering *l, int node, const grids *g, int64_t elems) {
  const th_node *n = &l->g->nodes[node];
  th_program_step *s;
  if (n->op != TH_OP_ABS && n->op != TH_OP_RSQRT) return TH_LOWER_FAIL(n, "has no kernel of s16");
  TH_TRY(th_lower_step(l, node, n->op == TH_OP_ABS ? THR_KERNEL_ABS_S16 : THR_KERNEL_RSQRT_S16, n->in, 1, &s));
  thr_unary_params *p = &s->step.p.unary;
  *p = (thr_unary_params){.n = (int32_t)elems, .lo = INT16_MIN, .hi = INT16_MAX};
  if (n->op == TH_OP_RSQRT) return rsqrt_multiplier(n, g, &p->mult[0], &p->shift[0]);
  return th_lower_multiplier(n, (double)g->in.scale / (double)g->out.scale, &p->mult[0], &p->shift[0]);
}

th_status th_lower_lookup(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const int64_t elems = th_shape_elems(&th_node_out(l->g, n, 0)->shape);
  grids g;
  th_program_step *s;
  TH_TRY(th_lower_wide_grids(l, n, &g.in, &g.out));
  if (th_shape_elems(&th_node_in(l->g, n, 0)->shape) != elems)
    return TH_LOWER_FAIL(n, "input and output differ in size");
  if (g.in.dtype == TH_DTYPE_S16) return lower_s16(l, node, &g, elems);
  int8_t *table = th_arena_alloc(l->p->arena, ENTRIES);
  if (!table) return TH_ERR_RESOURCE;
  TH_TRY(n->op == TH_OP_ABS     ? abs_table(n, &g, table)
         : n->op == TH_OP_RSQRT ? rsqrt_table(n, &g, table)
                                : float_table(n, &g, table));
  TH_TRY(th_lower_step(l, node, THR_KERNEL_LOOKUP_S8, n->in, 1, &s));
  s->step.p.lookup.n = (int32_t)elems;
  return th_lower_add_constant(l, s, table, ENTRIES);
}
