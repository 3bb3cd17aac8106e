/* From the bytes of a model file to a graph: finds the reader by content. readers.def lists them; .thim, which may hold
 * a program instead of a graph, has its own interface (read/thim.h).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_READ_H
#define TH_READ_READ_H

#include "ir/graph.h"

typedef struct th_model_reader {
  const char *format; /* "tflite": the word of reports */
  const char *what;   /* ".tflite": for messages */
  bool (*probe)(const uint8_t *data, size_t size);
  th_status (*read)(const uint8_t *data, size_t size, const char *what, th_graph **graph); /* `what`: for messages */
} th_model_reader;

/* NULL when no reader knows the bytes. */
const th_model_reader *th_model_reader_find(const uint8_t *data, size_t size);
const th_model_reader *th_model_reader_at(int i); /* NULL behind the last */

#endif
