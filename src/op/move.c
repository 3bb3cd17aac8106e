/* Moves and the operators made of them. See move.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/move.h"

#include "op/common.h"

void th_move_dim(th_move *m, int32_t dim, int32_t in_step, int32_t out_step) {
  const int last = m->rank - 1;
  if (dim == 1) return;
  if (last >= 0 && m->in_step[last] == (int64_t)dim * in_step && m->out_step[last] == (int64_t)dim * out_step) {
    m->dim[last] *= dim;
    m->in_step[last] = in_step;
    m->out_step[last] = out_step;
    return;
  }
  m->dim[m->rank] = dim;
  m->in_step[m->rank] = in_step;
  m->out_step[m->rank++] = out_step;
}

int64_t th_move_elems(const th_move *m) {
  int64_t n = 1;
  for (int d = 0; d < m->rank; d++) n *= m->dim[d];
  return n;
}

void th_move_steps(const th_shape *s, int32_t step[TH_MAX_RANK]) {
  int32_t size = 1;
  for (int d = s->rank - 1; d >= 0; d--) {
    step[d] = size;
    size *= s->dim[d];
  }
}

/* --- walking --- */

/* The dimensions but the last `inner` ones, one index after the other. */
typedef struct walk {
  const th_move *m;
  int outer;
  int32_t index[TH_MOVE_RANK];
  int64_t in, out; /* where the block of the inner dimensions begins */
} walk;

static bool walk_begin(walk *w, const th_move *m, int inner) {
  *w = (walk){.m = m, .outer = m->rank > inner ? m->rank - inner : 0, .in = m->in_at, .out = m->out_at};
  return th_move_elems(m) > 0;
}

static bool walk_next(walk *w) {
  const th_move *m = w->m;
  for (int d = w->outer - 1; d >= 0; d--) {
    w->in += m->in_step[d];
    w->out += m->out_step[d];
    if (++w->index[d] < m->dim[d]) return true;
    w->in -= (int64_t)m->dim[d] * m->in_step[d];
    w->out -= (int64_t)m->dim[d] * m->out_step[d];
    w->index[d] = 0;
  }
  return false;
}

/* The innermost dimension; a move of a single value has none. */
typedef struct row {
  int32_t n, in, out;
} row;

static row row_of(const th_move *m) {
  const int last = m->rank - 1;
  return last < 0 ? (row){1, 1, 1} : (row){m->dim[last], m->in_step[last], m->out_step[last]};
}

static void copy_row(size_t elem_bytes, row r, const uint8_t *in, uint8_t *out) {
  const ptrdiff_t from = r.in * (ptrdiff_t)elem_bytes, to = r.out * (ptrdiff_t)elem_bytes;
  if (r.in == 1 && r.out == 1) {
    memcpy(out, in, elem_bytes * (size_t)r.n);
    return;
  }
  for (int32_t i = 0; i < r.n; i++, in += from, out += to) memcpy(out, in, elem_bytes);
}

void th_move_copy(const th_move *m, size_t elem_bytes, const void *in, void *out) {
  const row r = row_of(m);
  const ptrdiff_t bytes = (ptrdiff_t)elem_bytes;
  walk w;
  if (!walk_begin(&w, m, 1)) return;
  do {
    copy_row(elem_bytes, r, (const uint8_t *)in + w.in * bytes, (uint8_t *)out + w.out * bytes);
  } while (walk_next(&w));
}

/* --- floats --- */

static void float_row(row r, const float *x, float *y, bool add) {
  if (r.in == 1 && r.out == 1) {
    if (add)
      th_math_get()->add(y, x, r.n);
    else
      memcpy(y, x, sizeof(float) * (size_t)r.n);
    return;
  }
  for (int32_t i = 0; i < r.n; i++, x += r.in, y += r.out) *y = add ? *y + *x : *x;
}

/* The two innermost dimensions swap: a matrix transpose. */
static bool is_transpose(const th_move *m) {
  const int k = m->rank - 1;
  return k >= 1 && ((m->in_step[k] == 1 && m->out_step[k - 1] == 1 && m->in_step[k - 1] > 0 && m->out_step[k] > 0) ||
                    (m->out_step[k] == 1 && m->in_step[k - 1] == 1 && m->in_step[k] > 0 && m->out_step[k - 1] > 0));
}

static void float_transpose(const th_move *m, const float *x, float *y, bool add) {
  const int k = m->rank - 1, a = m->in_step[k] == 1 ? k : k - 1, b = 2 * k - 1 - a; /* a: along rows of x */
  th_math_get()->transpose(x, m->in_step[b], m->dim[b], m->dim[a], y, m->out_step[a], add);
}

static void move_floats(const th_move *m, const float *in, float *out, bool add) {
  const bool transpose = is_transpose(m);
  const row r = row_of(m);
  walk w;
  if (!walk_begin(&w, m, transpose ? 2 : 1)) return;
  do {
    if (transpose)
      float_transpose(m, in + w.in, out + w.out, add);
    else
      float_row(r, in + w.in, out + w.out, add);
  } while (walk_next(&w));
}

static th_move reversed(const th_move *m) {
  th_move r = *m;
  memcpy(r.in_step, m->out_step, sizeof r.in_step);
  memcpy(r.out_step, m->in_step, sizeof r.out_step);
  r.in_at = m->out_at;
  r.out_at = m->in_at;
  return r;
}

/* --- operators --- */

static bool stays(const th_move *m) {
  bool same = m->in == 0 && m->in_at == m->out_at;
  for (int d = 0; d < m->rank; d++) same = same && m->in_step[d] == m->out_step[d];
  return same || th_move_elems(m) == 0;
}

bool th_op_moves_nothing(const th_graph *g, const th_node *n) {
  const th_op *op = th_op_get(n->op);
  const th_tensor *x = th_node_in(g, n, 0);
  th_move m;
  if (!op || !op->move || n->n_out != 1 || !x || x->data) return false;
  if (th_shape_elems(&x->shape) != th_shape_elems(&th_node_out(g, n, 0)->shape)) return false;
  for (int i = 0; op->move(g, n, i, &m); i++)
    if (!stays(&m)) return false;
  return true;
}

static int64_t sample_elems(const th_graph *g, int tensor) {
  return g->tensors[tensor].data ? 0 : th_shape_elems(&g->tensors[tensor].shape);
}

void th_op_move_forward(const th_op_run *r) {
  const th_op *op = th_op_get(r->node->op);
  th_move m;
  for (int i = 0; op->move(r->graph, r->node, i, &m); i++) {
    const int64_t in = sample_elems(r->graph, r->node->in[m.in]), out = sample_elems(r->graph, r->node->out[m.out]);
    if (!r->out[m.out]) continue;
    for (int s = r->begin; s < r->end; s++) move_floats(&m, r->in[m.in] + s * in, r->out[m.out] + s * out, false);
  }
}

static void clear_gradients(const th_op_run *r) {
  for (int k = 0; k < r->node->n_in; k++) {
    if (!r->d_in[k] || th_op_is_const(r->graph, r->node, k) || th_op_accumulates(r, k)) continue;
    const int64_t n = th_op_elems_in(r->graph, r->node, k);
    memset(r->d_in[k] + r->begin * n, 0, sizeof(float) * (size_t)(th_op_samples(r) * n));
  }
}

void th_op_move_backward(const th_op_run *r) {
  const th_op *op = th_op_get(r->node->op);
  th_move m;
  clear_gradients(r);
  for (int i = 0; op->move(r->graph, r->node, i, &m); i++) {
    const int64_t in = sample_elems(r->graph, r->node->in[m.in]), out = sample_elems(r->graph, r->node->out[m.out]);
    const th_move back = reversed(&m);
    if (!r->d_in[m.in] || !r->d_out[m.out]) continue;
    for (int s = r->begin; s < r->end; s++) move_floats(&back, r->d_out[m.out] + s * out, r->d_in[m.in] + s * in, true);
  }
}
