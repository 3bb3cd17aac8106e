/* Shared by tflite.c (laying out the file) and tflite_ops.c (graph nodes -> operators of the file).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_TFLITE_INTERNAL_H
#define TH_WRITE_TFLITE_INTERNAL_H

#include "format/flatbuf.h"
#include "ir/graph.h"

enum { TFL_MAX_OPTIONS = 8 };

typedef struct tfl_tensor {
  const char *name; /* NULL: none in the file */
  th_dtype dtype;
  th_shape shape;
  th_quant quant;
  const void *data; /* NULL: an activation */
} tfl_tensor;

typedef struct tfl_operator {
  int code, version, options_type; /* options_type 0: none */
  int in[TH_MAX_INPUTS], n_in, out;
  th_fb_field options[TFL_MAX_OPTIONS];
  int n_options;
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

th_status th_tfl_add_tensor(tfl_writer *w, const tfl_tensor *t, int *index);
th_status th_tfl_place(tfl_writer *w, int graph_tensor, int *index); /* adds it when it is not there yet */
/* The operators of one node. */
th_status th_tfl_write_node(tfl_writer *w, const th_node *n);

#endif
