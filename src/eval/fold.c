/* See fold.h. SPDX-License-Identifier: Apache-2.0 */
#include "eval/fold.h"

#include <string.h>

#include "eval/eval.h"
#include "op/op.h"

#define MOST_BYTES ((size_t)64 << 20)

static bool all_constant(const th_graph *g, const th_node *n) {
  bool some = false;
  for (int i = 0; i < n->n_in; i++) {
    const th_tensor *t = th_node_in(g, n, i);
    if (t && !t->data) return false;
    some = some || t;
  }
  return some;
}

static bool is_small_and_inner(const th_graph *g, const th_node *n) {
  size_t bytes = 0;
  for (int i = 0; i < n->n_out; i++) {
    bytes += th_tensor_bytes(th_node_out(g, n, i));
    if (bytes > MOST_BYTES || th_graph_is_output(g, n->out[i]) || g->tensors[n->out[i]].is_variable) return false;
  }
  return true;
}

/* --- moves --- */

static bool moves_values(const th_graph *g, const th_node *n) {
  const th_dtype type = th_node_out(g, n, 0)->dtype;
  const bool reshapes = n->op == TH_OP_RESHAPE || n->op == TH_OP_FLATTEN || n->op == TH_OP_DROPOUT;
  th_move m;
  if (reshapes) return th_node_in(g, n, 0)->dtype == type;
  if (!th_op_get(n->op)->move) return false;
  for (int i = 0; th_op_get(n->op)->move(g, n, i, &m); i++)
    if (th_node_in(g, n, m.in)->dtype != type || th_node_out(g, n, m.out)->dtype != type) return false;
  return true;
}

static void move_values(const th_graph *g, const th_node *n, void *const *out) {
  th_move m;
  if (!th_op_get(n->op)->move) {
    memcpy(out[0], th_node_in(g, n, 0)->data, th_tensor_bytes(th_node_out(g, n, 0)));
    return;
  }
  for (int i = 0; th_op_get(n->op)->move(g, n, i, &m); i++)
    th_move_copy(&m, th_dtype_bytes(th_node_out(g, n, m.out)->dtype), th_node_in(g, n, m.in)->data, out[m.out]);
}

/* --- whole numbers --- */

static bool is_whole(const th_tensor *t) {
  return t->dtype == TH_DTYPE_S32 || t->dtype == TH_DTYPE_S64;
}

static int64_t load(const th_tensor *t, int64_t i) {
  return t->dtype == TH_DTYPE_S32 ? ((const int32_t *)t->data)[i] : ((const int64_t *)t->data)[i];
}

static void store(const th_tensor *t, void *to, int64_t i, int64_t v) {
  if (t->dtype == TH_DTYPE_S64)
    ((int64_t *)to)[i] = v;
  else
    ((int32_t *)to)[i] = (int32_t)(v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : v);
}

/* False: not an operator of two whole numbers, or without a result (division by 0, overflow). */
static bool combine(th_op_id op, int64_t a, int64_t b, int64_t *v) {
  switch (op) {
    case TH_OP_ADD:
    case TH_OP_SUM:
      return !__builtin_add_overflow(a, b, v);
    case TH_OP_SUB:
      return !__builtin_sub_overflow(a, b, v);
    case TH_OP_MUL:
    case TH_OP_REDUCE_PROD:
      return !__builtin_mul_overflow(a, b, v);
    case TH_OP_DIV:
      if (b == 0 || b == -1) return false;
      *v = a / b;
      return true;
    case TH_OP_MINIMUM:
    case TH_OP_REDUCE_MIN:
      *v = a < b ? a : b;
      return true;
    case TH_OP_MAXIMUM:
    case TH_OP_REDUCE_MAX:
      *v = a > b ? a : b;
      return true;
    default:
      return false;
  }
}

/* Element of an operand that stands at index `at` of the output, dimensions aligned at the last one. */
static int64_t broadcast_at(const th_shape *s, const th_shape *out, int64_t at) {
  int64_t place = 0, size = 1;
  for (int d = out->rank - 1; d >= 0; d--) {
    const int k = d - (out->rank - s->rank);
    if (k >= 0 && s->dim[k] != 1) place += at % out->dim[d] * size;
    if (k >= 0) size *= s->dim[k];
    at /= out->dim[d];
  }
  return place;
}

static bool whole_pairs(const th_graph *g, const th_node *n, void *out) {
  const th_tensor *a = th_node_in(g, n, 0), *b = th_node_in(g, n, 1), *y = th_node_out(g, n, 0);
  for (int64_t i = 0; i < th_shape_elems(&y->shape); i++) {
    int64_t v;
    if (!combine(n->op, load(a, broadcast_at(&a->shape, &y->shape, i)), load(b, broadcast_at(&b->shape, &y->shape, i)),
                 &v))
      return false;
    store(y, out, i, v);
  }
  return true;
}

/* Where element `at` of the input goes when the dimensions of `mask` are reduced. */
static int64_t reduced_at(const th_shape *s, int32_t mask, int64_t at) {
  int64_t place = 0, size = 1;
  for (int d = s->rank - 1; d >= 0; d--) {
    if (!(mask >> d & 1)) {
      place += at % s->dim[d] * size;
      size *= s->dim[d];
    }
    at /= s->dim[d];
  }
  return place;
}

static bool whole_reduction(const th_graph *g, const th_node *n, void *out) {
  const th_tensor *x = th_node_in(g, n, 0), *y = th_node_out(g, n, 0);
  const int64_t n_out = th_shape_elems(&y->shape), n_in = th_shape_elems(&x->shape);
  if (n_out > 1 << 16 || n_in > 1 << 16) return false;
  for (int64_t o = 0; o < n_out; o++) {
    int64_t v = 0;
    bool first = true;
    for (int64_t i = 0; i < n_in; i++) {
      if (reduced_at(&x->shape, n->attr[TH_ATTR_AXES_MASK].i, i) != o) continue;
      if (first) v = load(x, i);
      if (!first && !combine(n->op, v, load(x, i), &v)) return false;
      first = false;
    }
    store(y, out, o, v);
  }
  return true;
}

static bool whole_numbers(const th_graph *g, const th_node *n, void *out) {
  const th_tensor *y = th_node_out(g, n, 0);
  for (int i = 0; i < n->n_in; i++)
    if (!th_node_in(g, n, i) || !is_whole(th_node_in(g, n, i))) return false;
  if (!is_whole(y) || n->n_out != 1) return false;
  switch (n->op) {
    case TH_OP_ADD:
    case TH_OP_SUB:
    case TH_OP_MUL:
    case TH_OP_DIV:
    case TH_OP_MINIMUM:
    case TH_OP_MAXIMUM:
      return whole_pairs(g, n, out);
    case TH_OP_SUM:
    case TH_OP_REDUCE_PROD:
    case TH_OP_REDUCE_MIN:
    case TH_OP_REDUCE_MAX:
      return whole_reduction(g, n, out);
    case TH_OP_CAST:
      for (int64_t i = 0; i < th_shape_elems(&y->shape); i++) store(y, out, i, load(th_node_in(g, n, 0), i));
      return true;
    default:
      return false;
  }
}

/* --- everything else: a graph of the node alone, its first input turned into an input of the graph --- */

static th_status copy_tensor(th_graph *to, const th_tensor *t, const void *data, int *id) {
  TH_TRY(th_graph_add_tensor(to, t->name, t->dtype, &t->shape, id));
  TH_TRY(th_graph_set_quant(to, *id, t->quant.axis, t->quant.count, t->quant.scale, t->quant.zero));
  to->tensors[*id].data = data; /* outlives the graph */
  return TH_OK;
}

static th_status copy_node(const th_graph *g, const th_node *n, th_graph *to) {
  int in[TH_MAX_INPUTS], out[TH_MAX_OUTPUTS], id;
  for (int i = 0; i < n->n_in; i++) {
    const th_tensor *t = th_node_in(g, n, i);
    in[i] = TH_NO_TENSOR;
    if (t) TH_TRY(copy_tensor(to, t, i ? t->data : NULL, &in[i]));
  }
  for (int i = 0; i < n->n_out; i++) TH_TRY(copy_tensor(to, th_node_out(g, n, i), NULL, &out[i]));
  TH_TRY(th_graph_add_node(to, 0, n->op, n->name, in, n->n_in, out, n->n_out, &id));
  memcpy(to->nodes[id].attr, n->attr, sizeof n->attr);
  TH_TRY(th_graph_set_inputs(to, in, 1));
  return th_graph_set_outputs(to, out, n->n_out);
}

static th_status run_alone(const th_graph *alone, const void *input, void *const *out) {
  th_eval *e;
  TH_TRY(th_eval_open(alone, false, &e));
  const th_status status = th_eval_run(e, 1, &input, out);
  th_eval_close(e);
  return status;
}

static th_status evaluate(const th_graph *g, const th_node *n, void *const *out, bool *done) {
  th_graph *alone;
  TH_TRY(th_graph_create(&alone, "constant"));
  th_status status = copy_node(g, n, alone);
  if (status == TH_OK) status = run_alone(alone, th_node_in(g, n, 0)->data, out);
  th_graph_destroy(alone);
  *done = status == TH_OK;
  if (status != TH_ERR_INPUT) return status;
  th_error_clear(); /* not computable here: whoever needs the value will say so */
  return TH_OK;
}

static th_status compute(th_graph *g, int node, void *const *out, bool *done) {
  const th_node *n = &g->nodes[node];
  *done = true;
  if (moves_values(g, n)) {
    move_values(g, n, out);
    return TH_OK;
  }
  if (whole_numbers(g, n, out[0])) return TH_OK;
  *done = false;
  return th_node_in(g, n, 0) ? evaluate(g, n, out, done) : TH_OK;
}

/* The graph's cast knows no s64, which only exists in constants. */
static th_status infer(th_graph *g, th_node *n) {
  const th_tensor *x = th_node_in(g, n, 0);
  if (n->op != TH_OP_CAST || !x || !is_whole(x) || !is_whole(th_node_out(g, n, 0)))
    return th_op_get(n->op)->infer(g, n);
  th_node_out(g, n, 0)->shape = x->shape;
  return TH_OK;
}

th_status th_fold_node(th_graph *g, int node, bool *folded) {
  th_node *n = &g->nodes[node];
  void *out[TH_MAX_OUTPUTS];
  *folded = false;
  if (n->dead || !th_op_get(n->op) || !all_constant(g, n)) return TH_OK;
  TH_TRY(infer(g, n));
  if (!is_small_and_inner(g, n)) return TH_OK;
  for (int i = 0; i < n->n_out; i++) {
    out[i] = th_arena_alloc(g->arena, th_tensor_bytes(th_node_out(g, n, i)));
    if (!out[i]) return TH_ERR_RESOURCE;
  }
  TH_TRY(compute(g, node, out, folded));
  for (int i = 0; i < n->n_out && *folded; i++) th_node_out(g, n, i)->data = out[i];
  n->dead = *folded;
  return TH_OK;
}
