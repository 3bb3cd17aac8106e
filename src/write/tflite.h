/* Graph -> .tflite, for TFLite Micro and LiteRT: float32 and int8 graphs.
 *
 * Explicit padding goes back to SAME or VALID, or into a PAD operator. Batch norm has no counterpart and must have been
 * folded. Only the graph's inputs and outputs keep their names, equal tables and vectors are stored once: the file is
 * about as small as the format allows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_WRITE_TFLITE_H
#define TH_WRITE_TFLITE_H

#include "base/bytes.h"
#include "ir/graph.h"

/* Appends the file to `out`. Refuses with TH_ERR_INPUT, naming the node, what the format or its runtimes cannot say. */
th_status th_write_tflite(const th_graph *graph, th_buf *out);

/* How weights are coded for TensorFlow Lite Micro's operator TFLM_DECODE. `code` appends its two inputs, or returns
 * false to leave the weights as they are. */
typedef struct th_tflite_coder {
  bool (*code)(void *user, const int8_t *weights, const th_shape *shape, const th_quant *quant, th_buf *stream,
               th_buf *ancillary);
  void *user;
} th_tflite_coder;

/* The same with the int8 weights of convolutions and fully connected layers coded; for TensorFlow Lite Micro alone. */
th_status th_write_tflite_coded(const th_graph *graph, const th_tflite_coder *coder, th_buf *out);

#endif
