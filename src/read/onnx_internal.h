/* Shared by the files of the ONNX reader.
 *
 *   onnx.c          the file: opset, constants, inputs, outputs, nodes in order
 *   onnx_border.c   its inputs and outputs
 *   onnx_tensor.c   TensorProto -> constant
 *   onnx_attr.c     attributes of a node, and messages about it
 *   onnx_layout.c   values and where their dimensions lie; bringing them into an order; making nodes
 *   onnx_fold.c     operators on constants, computed while reading; onnx_elementwise.c: those of single elements
 *   onnx_window.c, onnx_transposed.c, onnx_resize.c, onnx_dense.c, onnx_math.c, onnx_reduce.c, onnx_shape.c,
 *   onnx_move.c, onnx_recurrent.c   operators, by kind
 *   onnx_quant.c    QuantizeLinear, DequantizeLinear, and what stands between them; onnx_qlinear.c: QLinear operators
 *
 * The idea. A value has the shape that the file gives it (its logical shape) and, when it is data, a tensor of the
 * graph whose dimensions lie in an order of their own: the layout names, for each dimension of the tensor, the logical
 * one it holds. Convolutions keep channels last; Transpose, Squeeze and Unsqueeze only rename; who needs another order
 * says so (th_onnx_arrange), and only then a transpose is made. The tensor's first dimension is always 1.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_ONNX_INTERNAL_H
#define TH_READ_ONNX_INTERNAL_H

#include "ir/graph.h"

struct Onnx__ModelProto;
struct Onnx__NodeProto;
struct Onnx__TensorProto;
struct Onnx__AttributeProto;

/* Dimension k of the tensor holds logical dimension dim[k]; -1: a 1 that the file does not have. Logical dimensions of
 * size 1 may be left out. */
typedef struct onnx_layout {
  int rank;
  int dim[TH_MAX_RANK];
} onnx_layout;

typedef enum onnx_kind { ONNX_UNSET, ONNX_CONST, ONNX_DATA } onnx_kind;

/* Grid of an integer value whose float meaning is known: DequantizeLinear says scale and zero. */
typedef struct onnx_grid {
  int count, axis; /* axis: logical; count 0: none */
  const float *scale;
  const int32_t *zero;
} onnx_grid;

typedef struct onnx_value {
  const char *name; /* in the file; "" of helpers */
  onnx_kind kind;
  th_dtype dtype;   /* constants: F32, S64, S32, S8, U8, BOOL; data: that of the tensor */
  th_shape shape;   /* logical */
  const void *data; /* constants: in logical order */
  int tensor;
  onnx_layout layout; /* of `base` */
  th_shape base;      /* == shape, unless a reshape is pending: then the shape before it */
  bool pending;
  bool image; /* made by an operator on pictures: shown channels last at the graph's border */
  bool is_u8; /* the file says uint8; the numbers here are 128 less */
  onnx_grid grid;
  const struct onnx_value *view_of; /* the integers that this float value is a view of (DequantizeLinear) */
  int uses, reader;                 /* how many read it; the last node that does, -1 for a graph output */
  int old_batch;                    /* inputs: the batch that the file fixes, when it is taken as 1; else 0 */
} onnx_value;

enum { ONNX_MAX_IN = 32, ONNX_MAX_OUT = 16 };

typedef struct onnx_reader onnx_reader;
typedef struct onnx_node onnx_node;
typedef th_status onnx_fn(onnx_reader *r, onnx_node *n);

/* How a row behaves between DequantizeLinear and QuantizeLinear. */
typedef enum onnx_int {
  ONNX_FLOAT,   /* float only */
  ONNX_MOVES,   /* moves or selects values: commutes with DequantizeLinear */
  ONNX_INTEGER, /* one node with an integer kernel */
} onnx_int;

typedef struct onnx_row {
  const char *name;
  onnx_fn *read;
  onnx_int integer;
  int min_in, max_in;
  th_op_id op; /* for functions that serve several */
} onnx_row;
const onnx_row *th_onnx_row_find(const char *name); /* NULL when not supported */

struct onnx_node {
  const struct Onnx__NodeProto *proto;
  const onnx_row *row;
  int index;
  onnx_value *in[ONNX_MAX_IN]; /* NULL when absent */
  int n_in;
  onnx_value *out[ONNX_MAX_OUT]; /* NULL when nobody asks for it */
  int n_out;
  bool integer;          /* inputs are the integers, the output will be put on a grid */
  const onnx_grid *grid; /* that grid; NULL where integers only move */
};

struct onnx_reader {
  const char *what; /* the file, for messages */
  const struct Onnx__ModelProto *model;
  th_graph *g;
  th_arena *arena; /* everything that lives as long as the reading */
  int64_t opset;
  onnx_value **values; /* hash table by name */
  size_t n_slots, n_values;
  bool *done;    /* nodes that an earlier one has taken in */
  int64_t work;  /* elements that folding may still touch */
  int old_batch; /* a batch fixed in the file and taken as 1; 0: none */
};

/* --- messages --- */
th_status th_onnx_fail(const onnx_reader *r, const onnx_node *n, const char *fmt, ...) TH_PRINTF(3, 4);
const char *th_onnx_word(onnx_reader *r, const char *name,
                         const char *otherwise); /* a name the graph's text can hold */

/* --- attributes (onnx_attr.c): fail when the kind is wrong or a number does not fit --- */
const struct Onnx__AttributeProto *th_onnx_attr(const onnx_node *n, const char *name);
th_status th_onnx_attr_int(onnx_reader *r, const onnx_node *n, const char *name, int32_t otherwise, int32_t *v);
th_status th_onnx_attr_float(onnx_reader *r, const onnx_node *n, const char *name, float otherwise, float *v);
th_status th_onnx_attr_text(onnx_reader *r, const onnx_node *n, const char *name, const char *otherwise,
                            const char **v);
/* count is 0 when the attribute is absent. */
th_status th_onnx_attr_ints(onnx_reader *r, const onnx_node *n, const char *name, int32_t *v, int limit, int *count);
/* The numbers of constant input i; count 0 when absent. Numbers beyond 32 bits are clamped. */
th_status th_onnx_in_ints(onnx_reader *r, const onnx_node *n, int i, int32_t *v, int limit, int *count);
/* Of input i or, in older opsets, of the attribute. */
th_status th_onnx_ints(onnx_reader *r, const onnx_node *n, int i, const char *name, int32_t *v, int limit, int *count);
th_status th_onnx_in_float(onnx_reader *r, const onnx_node *n, int i, float otherwise, float *v);
th_status th_onnx_axis(onnx_reader *r, const onnx_node *n, int32_t axis, int rank, int *v); /* -rank..rank-1 -> 0.. */

/* --- constants (onnx_tensor.c, onnx_fold.c) --- */
th_dtype th_onnx_type(int type); /* of a TensorProto.DataType; TH_DTYPE_NONE when not supported */
const char *th_onnx_type_name(int type);
th_status th_onnx_tensor_read(onnx_reader *r, const struct Onnx__TensorProto *t, const char *name, onnx_value *v);
/* out[i] = in at the sum of index * step, for each index of `shape` in order; elements of `bytes` bytes. */
th_status th_onnx_pick(onnx_reader *r, const void *data, size_t bytes, int64_t at, const th_shape *shape,
                       const int64_t *step, void **out);
th_status th_onnx_spend(onnx_reader *r, int64_t elems); /* fails when folding gets too much */
double th_onnx_const_at(const onnx_value *v, int64_t i);
/* The constant with its dimensions in another order (rank of them). */
th_status th_onnx_const_order(onnx_reader *r, const onnx_value *v, const int *order, onnx_value *out);
th_status th_onnx_floats(onnx_reader *r, const onnx_node *n, const onnx_value *v, const float **data);
/* Output 0 becomes a constant with room for its elements; th_onnx_store puts one there, whatever the type. */
th_status th_onnx_result(onnx_reader *r, onnx_node *n, th_dtype dtype, const th_shape *shape, void **data);
void th_onnx_store(th_dtype dtype, void *data, int64_t i, double v);
/* NumPy's broadcasting of all inputs, which are constants: the result's shape, and steps of each input over it. */
th_status th_onnx_broadcast(onnx_reader *r, const onnx_node *n, th_shape *out, int64_t step[][TH_MAX_RANK]);
int64_t th_onnx_offset(const th_shape *shape, const int64_t *step, int64_t i); /* of the i-th element of the shape */
th_status th_onnx_fold_elementwise(onnx_reader *r, onnx_node *n, bool *folded);
/* Computes the node when all it needs is constant. *folded says whether. */
th_status th_onnx_fold(onnx_reader *r, onnx_node *n, bool *folded);

/* --- values and layouts (onnx_layout.c) --- */
onnx_value *th_onnx_value(onnx_reader *r, const char *name); /* made when new; NULL: out of memory */
onnx_layout th_onnx_as_is(const th_shape *logical);          /* the logical order, with a 1 in front where needed */
onnx_layout th_onnx_channels_last(int rank);                 /* {0, 2, 3, 1}; a rank of 3 gets a height of 1 */
int th_onnx_place(const onnx_layout *l, int logical);        /* where a logical dimension lies; -1: left out */
th_shape th_onnx_physical(const th_shape *logical, const onnx_layout *l);
/* Input i as float data or integers (n->integer), no reshape pending; constants and absent inputs are refused. */
th_status th_onnx_data(onnx_reader *r, const onnx_node *n, int i, onnx_value *v);
/* Finishes a pending reshape. */
th_status th_onnx_settle(onnx_reader *r, const onnx_node *n, const onnx_value *v, onnx_value *out);
/* The tensor that holds the value in exactly this layout; makes a reshape or a transpose where needed. Constants are
 * put into the graph in that order. */
th_status th_onnx_arrange(onnx_reader *r, const onnx_node *n, const onnx_value *v, const onnx_layout *want,
                          int *tensor);

/* Values of one logical dimension by index: a gather. */
th_status th_onnx_pick_indices(onnx_reader *r, const onnx_node *n, const onnx_value *v, int axis, const int32_t *index,
                               int count, onnx_value *out);

/* --- making nodes --- */
th_status th_onnx_const(onnx_reader *r, const char *name, th_dtype dtype, const th_shape *shape, const void *data,
                        int *tensor);
/* Appends a node whose output is a new tensor like its first input's; attributes are set in *node, then
 * th_onnx_finish infers the shape. The pointer is valid until the next node is made. */
th_status th_onnx_node(onnx_reader *r, const onnx_node *n, th_op_id op, const int *in, int n_in, th_node **node);
th_status th_onnx_finish(onnx_reader *r, const onnx_node *n, int *tensor);
/* The same numbers in another shape: nothing when it is that already. */
th_status th_onnx_reshape(onnx_reader *r, const onnx_node *n, int from, const th_shape *shape, int *tensor);
/* Output 0 is v, data or a constant, under another logical shape (onnx_shape.c). */
th_status th_onnx_give_shape(onnx_reader *r, onnx_node *n, const onnx_value *v, const th_shape *to);
/* Output k of the node: a tensor of the graph with this logical shape in this layout. */
th_status th_onnx_set(onnx_reader *r, const onnx_node *n, int k, int tensor, const th_shape *shape,
                      const onnx_layout *layout);
/* *out = op(a, b) with NumPy's broadcasting, float or integers (n->integer); either side may be a constant. */
th_status th_onnx_two(onnx_reader *r, onnx_node *n, th_op_id op, const onnx_value *a, const onnx_value *b,
                      onnx_value *out);
th_status th_onnx_two_number(onnx_reader *r, onnx_node *n, th_op_id op, const onnx_value *a, float b, onnx_value *out);
/* *out = op(v) of one value, elementwise. */
th_status th_onnx_one(onnx_reader *r, onnx_node *n, th_op_id op, const onnx_value *v, onnx_value *out);
/* *out: op over the dimensions of the mask, which become ones. */
th_status th_onnx_over(onnx_reader *r, onnx_node *n, th_op_id op, unsigned mask, const onnx_value *v, onnx_value *out);
/* Output k is input value v under another shape or layout. */
void th_onnx_rename(onnx_node *n, int k, const onnx_value *v);

/* --- layers with weights (onnx_dense.c) --- */
th_status th_onnx_weights(onnx_reader *r, const onnx_node *n, int i, onnx_value *w);
/* Input i as one number per channel, or the constant that an Add right behind the node adds to channels that `behind`
 * dimensions of the `rank` follow (the node then makes the Add's output); TH_NO_TENSOR when there is neither. x: the
 * data's tensor. */
th_status th_onnx_bias(onnx_reader *r, onnx_node *n, int i, int x, const onnx_value *w, int channels, int behind,
                       int rank, int *tensor);
/* Where the right side is data too. */
th_status th_onnx_mat_mul_data(onnx_reader *r, onnx_node *n);
th_status th_onnx_gemm_data(onnx_reader *r, onnx_node *n, const bool swap[2], float alpha, float beta);
th_status th_onnx_scaled(onnx_reader *r, const onnx_node *n, const onnx_value *v, float factor, onnx_value *out);

/* --- rewriting around a node --- */
const struct Onnx__AttributeProto *th_onnx_attr_of(const struct Onnx__NodeProto *p, const char *name);
/* The only node that reads v, when there is one and its operator is called `name`; else NULL. */
const struct Onnx__NodeProto *th_onnx_only_reader(const onnx_reader *r, const onnx_value *v, const char *name,
                                                  int *index);

/* --- borders (onnx_border.c) --- */
th_status th_onnx_inputs(onnx_reader *r);
th_status th_onnx_outputs(onnx_reader *r);

/* --- quantized models (onnx_quant.c) --- */
const onnx_value *th_onnx_input(const onnx_node *n, int i); /* NULL when absent */
/* Scale and zero point from constants, for uint8 shifted to int8. `of`: the integers' type when there is no zero point.
 */
th_status th_onnx_grid(onnx_reader *r, const onnx_node *n, const onnx_value *scale, const onnx_value *zero, th_dtype of,
                       int axis, onnx_grid *g, bool *is_u8);
/* Input i as integers on the grid that inputs s and z say. */
th_status th_onnx_ints_of(onnx_reader *r, const onnx_node *n, int i, int s, int z, int axis, onnx_value **out);

typedef struct onnx_target { /* where an integer operator's result goes */
  onnx_grid grid;
  bool is_u8;
  th_act act;
} onnx_target;
/* Integers of one grid as those of another: data by a quantize node. */
th_status th_onnx_regrid(onnx_reader *r, const onnx_node *n, onnx_value *v, const onnx_grid *g);
/* Runs the row on n's inputs, which are integers; output 0 becomes the result on the grid. */
th_status th_onnx_run_integer(onnx_reader *r, onnx_node *n, const onnx_target *t);

/* Between DequantizeLinear and QuantizeLinear: runs the row on integers when all that it needs is there. */
th_status th_onnx_try_integer(onnx_reader *r, onnx_node *n, bool *done);
/* The float values behind v: constants are computed, data get a dequantize node. */
th_status th_onnx_to_float(onnx_reader *r, const onnx_node *n, const onnx_value *v, onnx_value *out);

#define ONNX_OP(name, function, integer, lo, hi, op) onnx_fn th_onnx_op_##function;
#include "read/onnx_ops.def"
#undef ONNX_OP

#endif
