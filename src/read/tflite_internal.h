/* Shared by tflite.c (the file: tensors, constants, wiring), tflite_ops.c and others (one function per kind of
 * operator). SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_TFLITE_INTERNAL_H
#define TH_READ_TFLITE_INTERNAL_H

#include "format/flatbuf.h"
#include "ir/graph.h"

typedef struct tfl_variable { /* tflite_variables.c */
  const char *container, *name;
  int tensor;  /* of the graph; -1 before the first read or assignment */
  int now;     /* the value assigned last; -1: still the old one */
  int initial; /* a constant, when has_initial */
  int assigned_by;
  bool has_initial, is_read;
} tfl_variable;
#define TFL_NO_HANDLE (-2)
#define TFL_UNBOUND_HANDLE (-1)

typedef struct tfl_reader {
  th_fb fb;
  th_fb_table model;
  th_graph *g; /* its tensor ids are the file's tensor indices + base; tensors made here come behind */
  th_arena *scratch;
  th_fb_vec buffers;
  int base, n_tensors; /* tensors of the subgraph being read */
  int *handle;         /* per tensor of it: number of the variable, or TFL_NO_HANDLE, TFL_UNBOUND_HANDLE */
  tfl_variable *variables;
  int n_variables;
  bool in_init; /* the subgraph is that of a CALL_ONCE */
  bool *called; /* per subgraph: has been read as that */
  int n_subgraphs;
  uint64_t dense_bytes; /* of sparse constants so far */
} tfl_reader;

typedef struct tfl_op {
  int index;        /* in the file */
  const char *name; /* "CONV_2D" */
  th_op_id op;
  int in[TH_MAX_INPUTS], n_in, out;
  int outs[TH_MAX_OUTPUTS], n_out; /* of operators with several; `out` is the first */
  th_fb_table options;             /* absent: all defaults */
} tfl_op;

typedef th_status tfl_op_fn(tfl_reader *r, const tfl_op *o);

typedef struct tfl_op_row {
  int code, options;
  const char *name;
  tfl_op_fn *read;
  th_op_id op;
} tfl_op_row;
const tfl_op_row *th_tfl_op_find(int code); /* NULL when not supported */

/* The functions of the rows. */
#define TFL_OP(code, name, options, function, op) tfl_op_fn th_tfl_read_##function;
#include "read/tflite_ops.def"
#undef TFL_OP

const char *th_tfl_op_name(int code); /* also of those not supported; "operator" when unknown */

/* --- what those functions use --- */

th_tensor *th_tfl_tensor(tfl_reader *r, int id);
/* Adds the node, named after its place in the file: "conv2d_3". */
th_status th_tfl_node(tfl_reader *r, const tfl_op *o, const int *in, int n_in, th_node **node);
th_status th_tfl_need_inputs(const tfl_reader *r, const tfl_op *o, int lo, int hi); /* the first `lo` must be there */
th_status th_tfl_need_rank(tfl_reader *r, const tfl_op *o, int input, int rank);
th_status th_tfl_activation(tfl_reader *r, const tfl_op *o, int field, th_node *n);
/* A small constant of whole numbers (axes, paddings). */
th_status th_tfl_numbers(tfl_reader *r, const tfl_op *o, int input, int32_t *values, int limit, int *count);
/* Weights (input 1) and bias (input 2) of a layer: constants; in a float layer, float. */
th_status th_tfl_settle_weights(tfl_reader *r, const tfl_op *o);
th_status th_tfl_fail(const tfl_reader *r, const tfl_op *o, const char *fmt, ...) TH_PRINTF(3, 4);
/* Turns a constant of another type into float in place: tensor by its scale and zero, float16 by widening. */
th_status th_tfl_make_float(tfl_reader *r, const tfl_op *o, int tensor);
/* Writes out a sparse constant: *dense gets th_tensor_bytes() bytes from the scratch arena (tflite_sparse.c). */
th_status th_tfl_densify(tfl_reader *r, th_fb_table sparsity, int tensor, const uint8_t *data, uint64_t bytes,
                         const uint8_t **dense);
/* Reads subgraph `index` as the initialization that operator `o` calls: it gives variables what they begin with. */
th_status th_tfl_read_init(tfl_reader *r, const tfl_op *o, int index);
/* After all operators: the variables get their new values (tflite_variables.c). */
th_status th_tfl_assign_variables(tfl_reader *r);
/* A name as the graph's text form has them; "t<index>" for none. From the scratch arena. */
const char *th_tfl_clean_name(tfl_reader *r, const char *name, int index);
/* Uint8 activations to int8, once the graph is complete (tflite_uint8.c). */
th_status th_tfl_from_uint8(tfl_reader *r);

#endif
