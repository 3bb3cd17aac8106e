/* Lowering of operators that move values (op/move.h), resize, and multiply matrices.
 *
 * Moves become strided copies. Moves that follow each other evenly, as those of a gather of every second row do, become
 * one with a dimension more. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "eval/lower_internal.h"
#include "op/op.h"
#include "op/resize.h"

/* --- moves --- */

typedef struct runs { /* walks the moves of a node, evenly spaced ones at once */
  const th_graph *g;
  const th_node *n;
  int next;
  th_move ahead;
  bool has_ahead;
} runs;

static bool fetch(runs *r, th_move *m) {
  if (r->has_ahead) {
    r->has_ahead = false;
    *m = r->ahead;
    return true;
  }
  while (th_op_get(r->n->op)->move(r->g, r->n, r->next++, m))
    if (th_move_elems(m) > 0) return true;
  return false;
}

static bool same_block(const th_move *a, const th_move *b) {
  return a->in == b->in && a->out == b->out && a->rank == b->rank &&
         !memcmp(a->dim, b->dim, sizeof *a->dim * (size_t)a->rank) &&
         !memcmp(a->in_step, b->in_step, sizeof *a->in_step * (size_t)a->rank) &&
         !memcmp(a->out_step, b->out_step, sizeof *a->out_step * (size_t)a->rank);
}

/* The next run: *first repeated `count` times, each time these steps further. */
static bool next_run(runs *r, th_move *first, int32_t *count, int32_t *in_step, int32_t *out_step) {
  th_move last, m;
  if (!fetch(r, first)) return false;
  last = *first;
  *count = 1;
  *in_step = *out_step = 0;
  while (first->rank < TH_MOVE_RANK && fetch(r, &m)) {
    const int32_t in = m.in_at - last.in_at, out = m.out_at - last.out_at;
    const bool even = *count == 1 || (in == *in_step && out == *out_step);
    if (!same_block(first, &m) || !even || out <= 0) {
      r->ahead = m;
      r->has_ahead = true;
      break;
    }
    *in_step = in;
    *out_step = out;
    last = m;
    ++*count;
  }
  return true;
}

/* The run as one move, its new dimension in front. */
static th_move run_move(const th_move *first, int32_t count, int32_t in_step, int32_t out_step) {
  th_move m = *first;
  m.rank = 0;
  th_move_dim(&m, count, in_step, out_step);
  for (int d = 0; d < first->rank; d++) th_move_dim(&m, first->dim[d], first->in_step[d], first->out_step[d]);
  return m;
}

int th_lower_move_steps(const th_graph *g, const th_node *n) {
  runs r = {.g = g, .n = n};
  th_move m;
  int32_t count, in, out;
  int steps = 0;
  while (th_op_get(n->op)->move && next_run(&r, &m, &count, &in, &out)) steps++;
  return steps;
}

th_status th_lower_check_sides(const th_node *n, const th_tensor *x, const th_tensor *y) {
  if (x->dtype != y->dtype)
    return TH_LOWER_FAIL(n, "%s is %s, but %s is %s", x->name, th_dtype_name(x->dtype), y->name,
                         th_dtype_name(y->dtype));
  if (x->quant.count == 0 && y->quant.count == 0) return TH_OK;
  const bool same = x->quant.count == 1 && y->quant.count == 1 &&
                    fabsf(x->quant.scale[0] - y->quant.scale[0]) <= 1e-6f && x->quant.zero[0] == y->quant.zero[0];
  return same ? TH_OK : TH_LOWER_FAIL(n, "%s and %s must have the same quantization", x->name, y->name);
}

static void set_copy(const th_move *m, int32_t elem_bytes, thr_strided_copy_params *p) {
  int rank = m->rank;
  *p = (thr_strided_copy_params){.block = elem_bytes, .dim = {1, 1, 1, 1, 1, 1}};
  if (rank > 0 && m->in_step[rank - 1] == 1 && m->out_step[rank - 1] == 1) p->block *= m->dim[--rank];
  for (int d = 0; d < rank; d++) {
    const int to = d + 6 - rank;
    p->dim[to] = m->dim[d];
    p->in_step[to] = m->in_step[d] * elem_bytes;
    p->out_step[to] = m->out_step[d] * elem_bytes;
  }
  p->in_at = m->in_at * elem_bytes;
  p->out_at = m->out_at * elem_bytes;
}

/* A constant must be read to its end, as the runtime's check demands: others are made smaller before. */
static bool reads_all(const th_move *m, const th_tensor *x) {
  int64_t high = m->in_at;
  for (int d = 0; d < m->rank; d++) high += m->in_step[d] > 0 ? (int64_t)(m->dim[d] - 1) * m->in_step[d] : 0;
  return high + 1 == th_shape_elems(&x->shape);
}

th_status th_lower_move(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  runs r = {.g = l->g, .n = n};
  th_move first;
  int32_t count, in_step, out_step;
  while (next_run(&r, &first, &count, &in_step, &out_step)) {
    const th_move m = run_move(&first, count, in_step, out_step);
    const th_tensor *x = th_node_in(l->g, n, m.in), *y = th_node_out(l->g, n, m.out);
    th_program_step *s;
    TH_TRY(th_lower_check_sides(n, x, y));
    if (m.rank - (m.rank > 0 && m.in_step[m.rank - 1] == 1 && m.out_step[m.rank - 1] == 1) > 6)
      return TH_LOWER_FAIL(n, "moves values in %d dimensions at once, at most 6 are possible", m.rank);
    if (x->data && !reads_all(&m, x))
      return TH_LOWER_FAIL(n, "takes a part of constant %s: fold constants first", x->name);
    TH_TRY(th_lower_step_out(l, node, m.out, THR_KERNEL_STRIDED_COPY_S8, &n->in[m.in], 1, &s));
    set_copy(&m, (int32_t)th_dtype_bytes(x->dtype), &s->step.p.strided_copy);
  }
  return TH_OK;
}

/* --- resizing --- */

/* float32 s = scale * 2^-shift with the fewest bits in scale. */
static void split_scale(float s, int32_t *scale, uint8_t *shift) {
  int exponent;
  int32_t mantissa = (int32_t)ldexpf(frexpf(s, &exponent), 24);
  int bits = 24 - exponent;
  while (bits > 0 && mantissa && mantissa % 2 == 0) mantissa /= 2, bits--;
  *scale = mantissa;
  *shift = (uint8_t)(mantissa ? bits : 0);
}

static th_status check_resize(const th_lowering *l, const th_node *n, th_resize *y, th_resize *x) {
  TH_TRY(th_lower_check_sides(n, th_node_in(l->g, n, 0), th_node_out(l->g, n, 0)));
  *y = th_resize_y(l->g, n);
  *x = th_resize_x(l->g, n);
  if (y->in > 1 << 20 || x->in > 1 << 20 || y->out > UINT16_MAX || x->out > UINT16_MAX)
    return TH_LOWER_FAIL(n, "%d x %d to %d x %d pixels is too large", (int)y->in, (int)x->in, (int)y->out, (int)x->out);
  return TH_OK;
}

th_status th_lower_resize_nearest(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_resize y, x;
  th_program_step *s;
  TH_TRY(check_resize(l, n, &y, &x));
  TH_TRY(th_lower_step(l, node, THR_KERNEL_RESIZE_NEAREST_S8, n->in, 1, &s));
  const th_tensor *in = th_node_in(l->g, n, 0);
  thr_resize_nearest_params *p = &s->step.p.resize_nearest;
  *p = (thr_resize_nearest_params){.in_y = y.in,
                                   .in_x = x.in,
                                   .out_y = y.out,
                                   .out_x = x.out,
                                   .pixel = in->shape.dim[3] * (int32_t)th_dtype_bytes(in->dtype),
                                   .half = y.half_pixel,
                                   .round = y.align_corners};
  split_scale(th_resize_scale(&y), &p->scale_y, &p->shift_y);
  split_scale(th_resize_scale(&x), &p->scale_x, &p->shift_x);
  return TH_OK;
}

/* Input pixels per output pixel in 2^-10, rounded. */
static int32_t fixed_scale(const th_resize *r) {
  const int64_t less = r->align_corners && r->out > 1, in = r->in - less, out = r->out - less;
  return (int32_t)((1024 * in + out / 2) / out);
}

th_status th_lower_resize_bilinear(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  th_resize y, x;
  th_grid grid;
  th_program_step *s;
  TH_TRY(th_lower_same_grid(l, n, &grid));
  TH_TRY(check_resize(l, n, &y, &x));
  TH_TRY(th_lower_step(l, node, THR_KERNEL_RESIZE_BILINEAR_S8, n->in, 1, &s));
  s->step.p.resize_bilinear = (thr_resize_bilinear_params){.in_y = y.in,
                                                           .in_x = x.in,
                                                           .out_y = y.out,
                                                           .out_x = x.out,
                                                           .c = th_node_in(l->g, n, 0)->shape.dim[3],
                                                           .scale_y = fixed_scale(&y),
                                                           .scale_x = fixed_scale(&x),
                                                           .half = y.half_pixel};
  return TH_OK;
}

/* --- products --- */

/* Leading dimensions of the product, those that both operands walk alike merged; matrices become steps in elements. */
static th_status set_leading(const th_node *n, const th_shape *a, const th_shape *b, const th_shape *y,
                             thr_batch_matmul_params *p) {
  int32_t a_step = p->m * p->k, b_step = p->k * p->n;
  int at = 2;
  for (int d = 0; d < 3; d++) p->dim[d] = 1;
  for (int d = y->rank - 3; d >= 0; d--) {
    const int i = d - (y->rank - a->rank), j = d - (y->rank - b->rank);
    const int32_t of_a = i < 0 ? 1 : a->dim[i], of_b = j < 0 ? 1 : b->dim[j], dim = y->dim[d];
    if (dim == 1) continue;
    const int32_t in_a = of_a == 1 ? 0 : a_step, in_b = of_b == 1 ? 0 : b_step;
    a_step *= of_a;
    b_step *= of_b;
    const bool merged =
        at < 2 && in_a == p->a_step[at + 1] * p->dim[at + 1] && in_b == p->b_step[at + 1] * p->dim[at + 1];
    if (merged) {
      p->dim[at + 1] *= dim;
      continue;
    }
    if (at < 0) return TH_LOWER_FAIL(n, "leading dimensions broadcast in too many ways");
    p->dim[at] = dim;
    p->a_step[at] = in_a;
    p->b_step[at--] = in_b;
  }
  return TH_OK;
}

th_status th_lower_batch_matmul(th_lowering *l, int node) {
  const th_node *n = &l->g->nodes[node];
  const th_tensor *a = th_node_in(l->g, n, 0), *b = th_node_in(l->g, n, 1), *y = th_node_out(l->g, n, 0);
  const bool adj_a = n->attr[TH_ATTR_ADJ_X].i != 0, adj_b = n->attr[TH_ATTR_ADJ_Y].i != 0;
  th_grid ga, gb, gy;
  th_program_step *s;
  TH_TRY(th_lower_wide_grid(n, a, &ga));
  TH_TRY(th_lower_wide_grid(n, b, &gb));
  TH_TRY(th_lower_wide_grid(n, y, &gy));
  if (ga.dtype != gb.dtype || ga.dtype != gy.dtype)
    return TH_LOWER_FAIL(n, "%s, %s and %s must have the same type", a->name, b->name, y->name);
  TH_TRY(
      th_lower_step(l, node, th_lower_pick(gy, THR_KERNEL_BATCH_MATMUL_S8, THR_KERNEL_BATCH_MATMUL_S16), n->in, 2, &s));
  thr_batch_matmul_params *p = &s->step.p.batch_matmul;
  *p = (thr_batch_matmul_params){.m = y->shape.dim[y->shape.rank - 2],
                                 .n = y->shape.dim[y->shape.rank - 1],
                                 .k = a->shape.dim[a->shape.rank - (adj_a ? 2 : 1)],
                                 .a_zero = ga.zero,
                                 .b_zero = gb.zero,
                                 .out_zero = gy.zero,
                                 .adj_a = adj_a,
                                 .adj_b = adj_b};
  TH_TRY(set_leading(n, &a->shape, &b->shape, &y->shape, p));
  const double real = (double)ga.scale * (double)gb.scale / (double)gy.scale;
  TH_TRY(th_lower_multiplier(n, real, &p->mult, &p->shift));
  if (gy.dtype == TH_DTYPE_S16 && p->shift > 7) return TH_LOWER_FAIL(n, "scale ratio %g, expected below 128", real);
  return TH_OK;
}
