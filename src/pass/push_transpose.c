/* Moves transposes towards the outputs, past nodes that treat all values alike, until they meet: two become one, and
 * one that undoes the other is left for drop_identity. Models that were converted from channels-first formats are full
 * of pairs.
 *
 *   op(transpose(x)) = transpose(op'(x)), where op' has its axes, paddings or constants turned back
 *
 * A transpose is only moved from a tensor that nobody else reads, and never to where more values pass.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "pass/edit.h"
#include "pass/pass.h"

typedef struct perm {
  int rank;
  int32_t v[TH_MAX_RANK];
} perm;

/* The node that makes a tensor, if it is a transpose; its permutation. */
static int transpose_before(const th_graph *g, int tensor, perm *p) {
  const int node = th_graph_producer(g, tensor);
  if (node < 0 || g->nodes[node].op != TH_OP_TRANSPOSE) return -1;
  p->rank = g->tensors[tensor].shape.rank;
  memcpy(p->v, th_node_in(g, &g->nodes[node], 1)->data, sizeof *p->v * (size_t)p->rank);
  return node;
}

static bool same_perm(const perm *a, const perm *b) {
  return a->rank == b->rank && !memcmp(a->v, b->v, sizeof *a->v * (size_t)a->rank);
}

static th_status add_ints(th_graph *g, const char *name, th_shape shape, const int32_t *v, int *id) {
  return th_graph_add_const(g, name, TH_DTYPE_S32, &shape, v, id);
}

/* --- which nodes let a transpose pass, and how they change --- */

typedef enum kind { STOPS, EACH_VALUE, TWO_TENSORS, ROWS, PADS, JOINS, REDUCES } kind;

static kind kind_of(th_op_id op) {
  switch (op) {
    case TH_OP_RELU:
    case TH_OP_RELU6:
    case TH_OP_LEAKY_RELU:
    case TH_OP_HARD_SWISH:
    case TH_OP_SIGMOID:
    case TH_OP_TANH:
    case TH_OP_DROPOUT:
    case TH_OP_QUANTIZE:
    case TH_OP_DEQUANTIZE:
    case TH_OP_CAST:
    case TH_OP_ABS:
    case TH_OP_NEG:
    case TH_OP_SQRT:
    case TH_OP_RSQRT:
    case TH_OP_SQUARE:
    case TH_OP_RECIPROCAL:
    case TH_OP_EXP:
    case TH_OP_LOG:
    case TH_OP_SIN:
    case TH_OP_COS:
    case TH_OP_ERF:
    case TH_OP_SIGN:
    case TH_OP_FLOOR:
    case TH_OP_CEIL:
    case TH_OP_ROUND:
    case TH_OP_ELU:
    case TH_OP_SELU:
    case TH_OP_GELU:
    case TH_OP_SILU:
    case TH_OP_MISH:
    case TH_OP_SOFTPLUS:
    case TH_OP_SOFTSIGN:
    case TH_OP_HARD_SIGMOID:
    case TH_OP_CLIP:
      return EACH_VALUE;
    case TH_OP_ADD:
    case TH_OP_SUB:
    case TH_OP_MUL:
    case TH_OP_DIV:
    case TH_OP_POW:
    case TH_OP_MINIMUM:
    case TH_OP_MAXIMUM:
    case TH_OP_SQUARED_DIFFERENCE:
    case TH_OP_PRELU:
      return TWO_TENSORS;
    case TH_OP_SOFTMAX:
    case TH_OP_LOG_SOFTMAX:
    case TH_OP_L2_NORMALIZATION:
      return ROWS;
    case TH_OP_PAD:
    case TH_OP_MIRROR_PAD:
      return PADS;
    case TH_OP_CONCAT:
      return JOINS;
    case TH_OP_MEAN:
    case TH_OP_SUM:
    case TH_OP_REDUCE_MAX:
    case TH_OP_REDUCE_MIN:
    case TH_OP_REDUCE_PROD:
      return REDUCES;
    default:
      return STOPS;
  }
}

/* A constant operand as it is in front of the transpose: dimension p[i] gets what is dimension i behind it. */
static th_status turn_constant(th_graph *g, int node, int input, const perm *p) {
  const th_tensor t = *th_node_in(g, &g->nodes[node], input);
  th_shape aligned = {.rank = p->rank}, turned = {.rank = p->rank};
  int32_t from[TH_MAX_RANK], to[TH_MAX_RANK];
  th_move m = {0};
  int id;
  if (th_shape_elems(&t.shape) == 1) return TH_OK;
  for (int d = 0; d < p->rank; d++) {
    const int k = d - (p->rank - t.shape.rank);
    aligned.dim[d] = k < 0 ? 1 : t.shape.dim[k];
    turned.dim[p->v[d]] = aligned.dim[d];
  }
  th_move_steps(&aligned, from);
  th_move_steps(&turned, to);
  for (int d = 0; d < p->rank; d++) th_move_dim(&m, aligned.dim[d], from[d], to[p->v[d]]);
  void *data = th_arena_alloc(g->arena, th_tensor_bytes(&t));
  if (!data) return TH_ERR_RESOURCE;
  th_move_copy(&m, th_dtype_bytes(t.dtype), t.data, data);
  TH_TRY(th_graph_add_const(g, t.name, t.dtype, &turned, data, &id));
  TH_TRY(th_graph_set_quant(g, id, t.quant.axis, t.quant.count, t.quant.scale, t.quant.zero));
  g->nodes[node].in[input] = id;
  return TH_OK;
}

static th_status turn_paddings(th_graph *g, int node, const perm *p) {
  const th_tensor *t = th_node_in(g, &g->nodes[node], 1);
  const int32_t *old = t->data;
  int32_t pads[2 * TH_MAX_RANK];
  for (int d = 0; d < p->rank; d++) memcpy(pads + 2 * p->v[d], old + 2 * d, 2 * sizeof *pads);
  return add_ints(g, t->name, th_shape_make(2, p->rank, 2), pads, &g->nodes[node].in[1]);
}

/* The permutation behind a reduction: without the dimensions that go. */
static void turn_reduction(th_node *n, perm *p) {
  const int32_t mask = n->attr[TH_ATTR_AXES_MASK].i;
  perm kept = {0};
  int32_t turned = 0, place[TH_MAX_RANK];
  for (int d = 0; d < p->rank; d++) turned |= (mask >> d & 1) << p->v[d];
  n->attr[TH_ATTR_AXES_MASK].i = turned;
  if (n->attr[TH_ATTR_KEEP_DIMS].i) return;
  for (int d = 0, at = 0; d < p->rank; d++) place[d] = turned >> d & 1 ? -1 : at++;
  for (int d = 0; d < p->rank; d++)
    if (!(mask >> d & 1)) kept.v[kept.rank++] = place[p->v[d]];
  *p = kept;
}

static bool constant_fits(const th_tensor *t, const perm *p) {
  return t->data && t->shape.rank <= p->rank && t->quant.count <= 1;
}

/* Whether every operand that carries values comes from the same transpose, or is a constant that can be turned. */
static bool lets_pass(const th_graph *g, int node, kind k, const perm *p) {
  const th_node *n = &g->nodes[node];
  const int operands = k == JOINS ? n->n_in : k == TWO_TENSORS ? 2 : 1;
  const int64_t elems = th_shape_elems(&th_node_out(g, n, 0)->shape);
  perm other;
  if (k == STOPS || n->n_out != 1 || (k == ROWS && p->v[p->rank - 1] != p->rank - 1)) return false;
  for (int i = 0; i < operands; i++) {
    const th_tensor *t = th_node_in(g, n, i);
    if (k == TWO_TENSORS && constant_fits(t, p)) continue;
    if (transpose_before(g, n->in[i], &other) < 0 || !same_perm(p, &other)) return false;
    if (!th_used_only_by(g, n->in[i], node)) return false;
    if (k == TWO_TENSORS && th_shape_elems(&t->shape) != elems) return false;
  }
  return true;
}

/* --- rewriting --- */

/* Lets an operand read what is in front of its transpose. */
static void skip_transpose(th_graph *g, int node, int input) {
  perm p;
  const int before = transpose_before(g, g->nodes[node].in[input], &p);
  if (before < 0) return;
  g->nodes[node].in[input] = g->nodes[before].in[0];
  if (th_graph_uses(g, g->nodes[before].out[0]) == 0) th_graph_remove_node(g, before);
}

static th_status turn_operands(th_graph *g, int node, kind k, perm *p) {
  const int operands = k == JOINS ? g->nodes[node].n_in : k == TWO_TENSORS ? 2 : 1;
  for (int i = 0; i < operands; i++) {
    if (th_node_in(g, &g->nodes[node], i)->data)
      TH_TRY(turn_constant(g, node, i, p));
    else
      skip_transpose(g, node, i);
  }
  if (k == PADS) return turn_paddings(g, node, p);
  if (k == JOINS) {
    const int32_t axis = g->nodes[node].attr[TH_ATTR_AXIS].i;
    g->nodes[node].attr[TH_ATTR_AXIS].i = p->v[axis < 0 ? axis + p->rank : axis];
  }
  if (k == REDUCES) turn_reduction(&g->nodes[node], p);
  return TH_OK;
}

/* Puts the transpose behind the node: the node gets a tensor of its own, the old one becomes the transpose's. */
static th_status transpose_behind(th_graph *g, int node, const perm *p) {
  const int y = g->nodes[node].out[0];
  const th_tensor t = g->tensors[y];
  int in[2];
  TH_TRY(th_graph_add_tensor(g, t.name, t.dtype, &t.shape, &in[0]));
  TH_TRY(th_graph_set_quant(g, in[0], t.quant.axis, t.quant.count, t.quant.scale, t.quant.zero));
  TH_TRY(add_ints(g, "perm", th_shape_make(1, p->rank), p->v, &in[1]));
  g->nodes[node].out[0] = in[0];
  TH_TRY(th_op_get(g->nodes[node].op)->infer(g, &g->nodes[node]));
  return th_graph_add_node(g, node + 1, TH_OP_TRANSPOSE, "transpose", in, 2, &y, 1, NULL);
}

/* transpose(transpose(x)) reads x. */
static th_status compose(th_graph *g, int node) {
  th_node *n = &g->nodes[node];
  perm first, both;
  const int before = transpose_before(g, n->in[0], &first);
  if (before < 0) return TH_OK;
  const int32_t *second = th_node_in(g, n, 1)->data;
  both.rank = first.rank;
  for (int d = 0; d < both.rank; d++) both.v[d] = first.v[second[d]];
  TH_TRY(add_ints(g, "perm", th_shape_make(1, both.rank), both.v, &g->nodes[node].in[1]));
  skip_transpose(g, node, 0);
  return TH_OK;
}

static th_status visit(th_graph *g, int node) {
  const th_node *n = &g->nodes[node];
  const kind k = kind_of(n->op);
  perm p;
  if (n->op == TH_OP_TRANSPOSE) return compose(g, node);
  if (k == STOPS || n->n_in < 1) return TH_OK;
  const int lead = k == TWO_TENSORS && th_node_in(g, n, 0)->data ? 1 : 0;
  if (n->in[lead] < 0 || transpose_before(g, n->in[lead], &p) < 0 || !lets_pass(g, node, k, &p)) return TH_OK;
  TH_TRY(turn_operands(g, node, k, &p));
  return transpose_behind(g, node, &p);
}

/* Nodes are in order, so a transpose that was moved is met again behind the next node. */
th_status th_pass_push_transpose(th_graph *g, const th_pass_options *o) {
  (void)o;
  for (int i = 0; i < g->n_nodes; i++)
    if (!g->nodes[i].dead) TH_TRY(visit(g, i));
  return TH_OK;
}
