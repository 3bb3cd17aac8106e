/* The graph: tensors and nodes in arrays, named by small ids.
 *
 * Nodes are kept in execution order. A tensor is an input of the graph, a constant (data != NULL), or the output of
 * exactly one node. Activations have batch dimension 1; whoever runs a graph may process many samples at once.
 * A graph owns its arena: strings, shapes, quantization arrays and constant data that are attached to it live there or
 * outlive it. Constant data are never changed in place; a pass attaches a new blob (th_graph_set_data copies it in).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_IR_GRAPH_H
#define TH_IR_GRAPH_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "ir/types.h"

typedef enum th_act { TH_ACT_NONE, TH_ACT_RELU, TH_ACT_RELU6, TH_ACT_RELU_N1_1, TH_ACT_TANH, TH_ACT_COUNT } th_act;
const char *th_act_name(th_act a);
th_act th_act_from_name(const char *name); /* TH_ACT_COUNT when unknown */

typedef enum th_attr_id {
#define TH_ATTR(id, text, kind, def) TH_ATTR_##id,
#include "ir/attrs.def"
#undef TH_ATTR
  TH_ATTR_COUNT
} th_attr_id;

typedef union th_attr {
  int32_t i;
  float f;
} th_attr;

typedef enum th_attr_kind { TH_ATTR_KIND_INT, TH_ATTR_KIND_FLOAT, TH_ATTR_KIND_ACT } th_attr_kind;
const char *th_attr_name(th_attr_id id);
th_attr_kind th_attr_kind_of(th_attr_id id);
th_attr th_attr_default(th_attr_id id);
th_attr_id th_attr_from_name(const char *name); /* TH_ATTR_COUNT when unknown */

typedef enum th_op_id {
  TH_OP_NONE,
#define TH_OP(id, name, min_in, max_in) TH_OP_##id,
#include "ir/ops.def"
#undef TH_OP
  TH_OP_COUNT
} th_op_id;
const char *th_op_name(th_op_id op);        /* "conv2d" */
th_op_id th_op_from_name(const char *name); /* TH_OP_NONE when unknown */

#define TH_NO_TENSOR (-1) /* an optional input that is absent */
#define TH_MAX_INPUTS 32
#define TH_MAX_OUTPUTS 32

typedef struct th_tensor {
  const char *name; /* unique, never NULL */
  th_dtype dtype;
  th_shape shape;
  th_quant quant;
  const void *data; /* constants: th_tensor_bytes() bytes; else NULL */
  bool is_variable; /* keeps its value between inferences (streaming models); only assign_variable may have it as output
                     */
  const void *initial; /* variables: th_tensor_bytes() bytes to begin with; NULL: zero (int8: the zero point) */
  bool dead;           /* removed; skipped by everybody, gone after th_graph_compact */
} th_tensor;

typedef struct th_node {
  const char *name; /* for messages and reports: the layer's name */
  th_op_id op;
  int n_in, n_out;
  int in[TH_MAX_INPUTS];
  int out[TH_MAX_OUTPUTS];
  th_attr attr[TH_ATTR_COUNT];
  bool dead;
} th_node;

typedef struct th_graph {
  th_arena *arena;
  const char *name;
  th_tensor *tensors;
  int n_tensors;
  th_node *nodes; /* execution order */
  int n_nodes;
  int *inputs, n_inputs;
  int *outputs, n_outputs;
  int tensor_capacity, node_capacity;
} th_graph;

th_status th_graph_create(th_graph **graph, const char *name);
void th_graph_destroy(th_graph *graph); /* accepts NULL */
th_status th_graph_clone(const th_graph *graph, th_graph **copy);

/* --- building. Names that are taken get a suffix. Ids returned through the last argument. --- */
th_status th_graph_add_tensor(th_graph *g, const char *name, th_dtype dtype, const th_shape *shape, int *id);
th_status th_graph_add_const(th_graph *g, const char *name, th_dtype dtype, const th_shape *shape, const void *data,
                             int *id); /* copies the data */
/* Appends a node with default attributes (at == n_nodes) or inserts it before node `at`. */
th_status th_graph_add_node(th_graph *g, int at, th_op_id op, const char *name, const int *in, int n_in, const int *out,
                            int n_out, int *id);
th_status th_graph_set_inputs(th_graph *g, const int *ids, int n);
th_status th_graph_set_outputs(th_graph *g, const int *ids, int n);
th_status th_graph_set_data(th_graph *g, int tensor, th_dtype dtype, const th_shape *shape, const void *data);
th_status th_graph_set_quant(th_graph *g, int tensor, int axis, int count, const float *scale, const int32_t *zero);

/* --- editing --- */
void th_graph_replace_uses(th_graph *g, int old_tensor, int new_tensor); /* in node inputs and graph outputs */
void th_graph_remove_node(th_graph *g, int node);                        /* marks it and its now unused outputs dead */
th_status th_graph_sort(th_graph *g);                                    /* restores execution order after insertions */
th_status th_graph_compact(th_graph *g); /* drops dead nodes and tensors nobody names; renumbers */

/* --- asking --- */
int th_graph_producer(const th_graph *g, int tensor);  /* node id or -1 */
int th_graph_uses(const th_graph *g, int tensor);      /* number of live uses, graph outputs included */
int th_graph_only_user(const th_graph *g, int tensor); /* node id if exactly one live use and no output, else -1 */
int th_graph_find_tensor(const th_graph *g, const char *name); /* -1 when absent */
bool th_graph_is_input(const th_graph *g, int tensor);
bool th_graph_is_output(const th_graph *g, int tensor);
static inline th_tensor *th_graph_tensor(const th_graph *g, int id) {
  return id < 0 ? (th_tensor *)0 : &g->tensors[id];
}
/* Tensor of a node's input; NULL when absent. */
static inline th_tensor *th_node_in(const th_graph *g, const th_node *n, int i) {
  return i < n->n_in ? th_graph_tensor(g, n->in[i]) : (th_tensor *)0;
}
static inline th_tensor *th_node_out(const th_graph *g, const th_node *n, int i) {
  return &g->tensors[n->out[i]];
}
size_t th_tensor_bytes(const th_tensor *t);

/* Checks order, ids, names, constants' sizes, quantization counts; shapes are checked by th_op_infer_all (op/op.h). */
th_status th_graph_verify(const th_graph *g);

/* --- text form (docs/design/graph-text.md): the language of pass tests, --dump-after and bug reports ---
 *   graph lenet
 *   input  %x f32 1x28x28x1
 *   const  %w f32 20x5x5x1 = {0.1 0.2 ...}       small: inline; large: #<fnv64 hex> (printed only, unless a blob is
 * given) node   conv1 = conv2d(%x %w %b) -> %y f32 1x24x24x20 {stride_y=1 activation=relu} output %y Quantization
 * follows the shape: q(0.02,-128) or q[0](0.1,0 0.2,0 ...). Absent optional input: "-". */
th_status th_graph_print(const th_graph *g, int inline_max_elems, th_buf *text);
/* `blobs` (may be NULL) resolves "#hash" constants: returns data of exactly `bytes` bytes or NULL. */
typedef const void *th_blob_lookup(void *user, uint64_t hash, size_t bytes);
th_status th_graph_parse(const char *text, size_t size, const char *what, th_blob_lookup *lookup, void *user,
                         th_graph **graph);

#endif
