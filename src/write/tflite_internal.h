/* Shared by tflite.c (laying out the file) and tflite_ops.c (graph nodes -> operators of the file).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_TFLITE_INTERNAL_H
#define TH_WRITE_TFLITE_INTERNAL_H

#include "format/flatbuf.h"
#include "ir/graph.h"
#include "write/tflite.h"

enum { TFL_MAX_OPTIONS = 8 };

typedef struct tfl_tensor {
  const char *name; /* NULL: none in the file */
  th_dtype dtype;
  th_shape shape;
  th_quant quant;
  const void *data;            /* NULL: an activation */
  bool is_variable, is_handle; /* a state of SVDF or LSTM; what VAR_HANDLE gives, whose dtype does not matter */
} tfl_tensor;

typedef struct tfl_operator {
  int code, version, options_type; /* options_type 0: none */
  int in[TH_MAX_INPUTS], n_in, out[TH_MAX_OUTPUTS], n_out;
  th_fb_field options[TFL_MAX_OPTIONS];
  int n_options;
  const char *name;   /* of the variable of a VAR_HANDLE, whose option is a reference to it; else NULL */
  const char *custom; /* the name of an operator whose code is TFL_CODE_CUSTOM_OP; else NULL */
} tfl_operator;

typedef struct tfl_writer {
  const th_graph *g;
  th_arena *scratch;
  tfl_tensor *tensors;
  int n_tensors, tensor_capacity;
  tfl_operator *ops;
  int n_ops, op_capacity;
  int *place; /* graph tensor -> index in `tensors`, -1: not there yet */
} tfl_writer;

typedef struct tfl_out_row {
  int code, version_f32, version_s8, options;
  th_status (*write)(tfl_writer *w, const th_node *n, const struct tfl_out_row *row);
} tfl_out_row;

/* The functions of the rows. */
#define TFL_OUT(op, code, version_f32, version_s8, options, function) \
  th_status th_tfl_write_##function(tfl_writer *w, const th_node *n, const tfl_out_row *row);
#include "write/tflite_ops.def"
#undef TFL_OUT

/* --- what those functions use --- */

#define TFL_NODE_FAIL(n, text) th_fail(TH_ERR_INPUT, "%s (%s): " text, (n)->name, th_op_name((n)->op))
/* An operator with the node's first `n_in` inputs and its outputs. */
th_status th_tfl_begin(tfl_writer *w, const th_node *n, const tfl_out_row *row, int n_in, tfl_operator **op);
/* The same without inputs and outputs. */
th_status th_tfl_add_operator(tfl_writer *w, const th_node *n, const tfl_out_row *row, tfl_operator **op);
void th_tfl_option(tfl_operator *op, th_fb_field field);
th_status th_tfl_put_activation(const th_node *n, tfl_operator *op, int field);
th_status th_tfl_put_numbers(tfl_writer *w, const int32_t *values, th_shape shape, int *index); /* a new s32 constant */
/* Layers: their weights and bias are as files want them; the bias with its scale. */
th_status th_tfl_check_weights(const tfl_writer *w, const th_node *n);
th_status th_tfl_place_bias(tfl_writer *w, const th_node *n, int *index); /* -1: none */
/* For conv2d and depthwise_conv2d, which LiteRT refuses without a bias: one of zeros where there is none. */
th_status th_tfl_place_needed_bias(tfl_writer *w, const th_node *n, int *index);
/* Operators that only move or select values: TFLite's kernels demand the same scale and zero on both sides. */
th_status th_tfl_same_grid(const tfl_writer *w, const th_node *n, int inputs);
int th_tfl_type_code(th_dtype t); /* -1 when files have none */
th_status th_tfl_add_tensor(tfl_writer *w, const tfl_tensor *t, int *index);
th_status th_tfl_place(tfl_writer *w, int graph_tensor, int *index); /* adds it when it is not there yet */
/* The operators of one node. */
th_status th_tfl_write_node(tfl_writer *w, const th_node *n);
/* Keeps float weights that are exact in half precision so, behind a DEQUANTIZE, where that is smaller. */
th_status th_tfl_halve_weights(tfl_writer *w);
/* Puts operators that decode weights before those that read them. */
th_status th_tfl_decode_weights(tfl_writer *w, const th_tflite_coder *coder);

#endif
