/* batch_matmul: products of matrices, (..., m, k) by (..., k, n), one for each index of the leading dimensions.
 *
 * Leading dimensions broadcast as in elementwise operators. adj_x and adj_y: the operand is stored transposed, (..., k,
 * m) or (..., n, k). Either operand may be a constant.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

typedef struct product {
  int m, n, k;
  int batches;                                      /* products of one sample */
  int rank;                                         /* leading dimensions of the output */
  int32_t dim[TH_MAX_RANK];                         /* their sizes */
  int32_t x_step[TH_MAX_RANK], y_step[TH_MAX_RANK]; /* matrices from one index to the next; 0 where it broadcasts */
  ptrdiff_t x_row, x_col, y_row, y_col;             /* element (m, k) and element (k, n) */
} product;

static int32_t rows(const th_shape *s, bool adj) {
  return s->dim[s->rank - (adj ? 1 : 2)];
}
static int32_t cols(const th_shape *s, bool adj) {
  return s->dim[s->rank - (adj ? 2 : 1)];
}

/* Matrices between neighbours of the leading dimensions, aligned with those of the output. */
static void leading_steps(const th_shape *s, int rank, int32_t *step) {
  int32_t size = 1;
  for (int d = rank - 1; d >= 0; d--) {
    const int k = d - (rank - (s->rank - 2));
    step[d] = k < 0 || s->dim[k] == 1 ? 0 : size;
    if (k >= 0) size *= s->dim[k];
  }
}

static product product_of(const th_graph *g, const th_node *n) {
  const th_shape *x = &th_node_in(g, n, 0)->shape, *y = &th_node_in(g, n, 1)->shape;
  const th_shape *out = &th_node_out(g, n, 0)->shape;
  const bool adj_x = n->attr[TH_ATTR_ADJ_X].i != 0, adj_y = n->attr[TH_ATTR_ADJ_Y].i != 0;
  product p = {.m = rows(x, adj_x), .k = cols(x, adj_x), .n = cols(y, adj_y), .batches = 1, .rank = out->rank - 2};
  for (int d = 0; d < p.rank; d++) p.batches *= p.dim[d] = out->dim[d];
  leading_steps(x, p.rank, p.x_step);
  leading_steps(y, p.rank, p.y_step);
  p.x_row = adj_x ? 1 : p.k;
  p.x_col = adj_x ? p.m : 1;
  p.y_row = adj_y ? 1 : p.n;
  p.y_col = adj_y ? p.k : 1;
  if (!adj_x && th_shape_elems(y) == (int64_t)p.k * p.n) { /* one matrix for all: the rows of all are one matrix */
    p.m *= p.batches;
    p.batches = 1;
    p.rank = 0;
  }
  return p;
}

static th_status leading(const th_node *n, const th_shape *x, const th_shape *y, th_shape *out) {
  char text[TH_SHAPE_TEXT], other[TH_SHAPE_TEXT];
  *out = (th_shape){.rank = x->rank > y->rank ? x->rank : y->rank};
  for (int d = 0; d < out->rank - 2; d++) {
    const int i = d - (out->rank - x->rank), j = d - (out->rank - y->rank);
    const int32_t a = i < 0 ? 1 : x->dim[i], b = j < 0 ? 1 : y->dim[j];
    if (a != b && a != 1 && b != 1)
      return th_op_fail(n, "%s and %s: leading dimensions %d and %d do not fit each other", th_shape_text(x, text),
                        th_shape_text(y, other), a, b);
    out->dim[d] = a > b ? a : b;
  }
  return TH_OK;
}

static th_status infer(th_graph *g, th_node *n) {
  const th_shape *x = &th_node_in(g, n, 0)->shape, *y = &th_node_in(g, n, 1)->shape;
  const bool adj_x = n->attr[TH_ATTR_ADJ_X].i != 0, adj_y = n->attr[TH_ATTR_ADJ_Y].i != 0;
  char text[TH_SHAPE_TEXT], other[TH_SHAPE_TEXT];
  th_shape out;
  if (x->rank < 2 || y->rank < 2)
    return th_op_fail(n, "operands are %s and %s, expected matrices", th_shape_text(x, text), th_shape_text(y, other));
  if (cols(x, adj_x) != rows(y, adj_y) || cols(x, adj_x) < 1)
    return th_op_fail(n, "%s has rows of %d values, %s columns of %d", th_shape_text(x, text), cols(x, adj_x),
                      th_shape_text(y, other), rows(y, adj_y));
  TH_TRY(leading(n, x, y, &out));
  out.dim[out.rank - 2] = rows(x, adj_x);
  out.dim[out.rank - 1] = cols(y, adj_y);
  return th_op_set_out(g, n, 0, &out);
}

/* Which matrix of each operand product `b` takes. */
static void matrices(const product *p, int b, int64_t *x, int64_t *y) {
  *x = *y = 0;
  for (int d = p->rank - 1; d >= 0; d--) {
    *x += (int64_t)(b % p->dim[d]) * p->x_step[d];
    *y += (int64_t)(b % p->dim[d]) * p->y_step[d];
    b /= p->dim[d];
  }
}

typedef struct matrix { /* element (i, j) at data[i * row + j * col] */
  const float *data;
  ptrdiff_t row, col;
} matrix;

/* c (m x n) = or += a (m x k) b (k x n) */
static void multiply(int m, int n, int k, matrix a, matrix b, float *c, bool add, float *packed) {
  th_math_get()->pack(b.data, b.row, b.col, k, n, packed);
  th_gemm gemm = {.m = m,
                  .n = n,
                  .k = k,
                  .a = a.data,
                  .a_row = a.row,
                  .a_col = a.col,
                  .b = packed,
                  .b_row = TH_MATH_PACKED,
                  .c = c,
                  .c_row = n,
                  .accumulate = add};
  th_math_get()->gemm(&gemm);
}

static int64_t sample_elems(const th_op_run *r, int input) {
  return th_op_is_const(r->graph, r->node, input) ? 0 : th_op_elems_in(r->graph, r->node, input);
}

static void forward(const th_op_run *r) {
  const product p = product_of(r->graph, r->node);
  const int64_t x_elems = sample_elems(r, 0), y_elems = sample_elems(r, 1), out = th_op_elems_out(r->graph, r->node);
  for (int i = r->begin; i < r->end; i++)
    for (int b = 0; b < p.batches; b++) {
      int64_t at_x, at_y;
      matrices(&p, b, &at_x, &at_y);
      const matrix x = {r->in[0] + i * x_elems + at_x * p.m * p.k, p.x_row, p.x_col};
      const matrix y = {r->in[1] + i * y_elems + at_y * p.k * p.n, p.y_row, p.y_col};
      multiply(p.m, p.n, p.k, x, y, r->out[0] + i * out + (int64_t)b * p.m * p.n, false, r->scratch);
    }
}

/* dx = dz y', stored as x is; likewise dy = x' dz. */
static void x_gradient(const product *p, const float *y, const float *dz, float *dx, float *packed) {
  const matrix z = {dz, p->n, 1}, y_t = {y, p->y_col, p->y_row};
  if (p->x_col == 1 && p->x_row == p->k)
    multiply(p->m, p->k, p->n, z, y_t, dx, true, packed);
  else
    multiply(p->k, p->m, p->n, (matrix){y, p->y_row, p->y_col}, (matrix){dz, 1, p->n}, dx, true, packed);
}

static void y_gradient(const product *p, const float *x, const float *dz, float *dy, float *packed) {
  if (p->y_col == 1 && p->y_row == p->n)
    multiply(p->k, p->n, p->m, (matrix){x, p->x_col, p->x_row}, (matrix){dz, p->n, 1}, dy, true, packed);
  else
    multiply(p->n, p->k, p->m, (matrix){dz, 1, p->n}, (matrix){x, p->x_row, p->x_col}, dy, true, packed);
}

static void backward(const th_op_run *r) {
  const product p = product_of(r->graph, r->node);
  const int64_t elems[2] = {sample_elems(r, 0), sample_elems(r, 1)}, out = th_op_elems_out(r->graph, r->node);
  for (int k = 0; k < 2; k++)
    if (r->d_in[k] && elems[k] && !th_op_accumulates(r, k))
      memset(r->d_in[k] + r->begin * elems[k], 0, sizeof(float) * (size_t)(th_op_samples(r) * elems[k]));
  for (int i = r->begin; i < r->end; i++)
    for (int b = 0; b < p.batches; b++) {
      int64_t at_x, at_y;
      matrices(&p, b, &at_x, &at_y);
      const float *dz = r->d_out[0] + i * out + (int64_t)b * p.m * p.n;
      const int64_t x = i * elems[0] + at_x * p.m * p.k, y = i * elems[1] + at_y * p.k * p.n;
      if (r->d_in[0]) x_gradient(&p, r->in[1] + y, dz, r->d_in[0] + x, r->scratch);
      if (r->d_in[1]) y_gradient(&p, r->in[0] + x, dz, r->d_in[1] + y, r->scratch);
    }
}

static size_t most(size_t a, size_t b) {
  return a > b ? a : b;
}

/* The right-hand side of any of the products above, packed. */
static size_t scratch_elems(const th_graph *g, const th_node *n, int samples) {
  const product p = product_of(g, n);
  return most(most(th_math_pack_elems(p.k, p.n), most(th_math_pack_elems(p.n, p.k), th_math_pack_elems(p.n, p.m))),
              most(th_math_pack_elems(p.m, p.n), th_math_pack_elems(p.m, p.k)));
}

static th_op_cost cost(const th_graph *g, const th_node *n) {
  const product p = product_of(g, n);
  th_op_cost c = {.macs = (int64_t)p.batches * p.m * p.n * p.k};
  for (int k = 0; k < 2; k++)
    if (th_op_is_const(g, n, k)) c.params += th_op_elems_in(g, n, k);
  return c;
}

static const th_attr_id attrs[] = {TH_ATTR_ADJ_X, TH_ATTR_ADJ_Y, TH_ATTR_COUNT};

const th_op th_op_batch_matmul = {.name = "batch_matmul",
                                  .attrs = attrs,
                                  .infer = infer,
                                  .forward = forward,
                                  .backward = backward,
                                  .cost = cost,
                                  .scratch_elems = scratch_elems};
