/* Keras models -> graph: .h5 (HDF5, written by Keras 2 and, as its legacy format, 3) and .keras (a zip archive of
 * config.json, metadata.json and model.weights.h5).
 *
 * Sequential and Functional models, with models in them, shared layers, several inputs and outputs. Layers stay what
 * training needs: batch norm and activations are nodes of their own, dropout stays, weights are float32. What cannot be
 * represented is refused by layer and class; layers that hold Python code always are.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_KERAS_H
#define TH_READ_KERAS_H

#include "ir/graph.h"

bool th_read_keras_h5_probe(const uint8_t *data, size_t size);
th_status th_read_keras_h5_bytes(const uint8_t *data, size_t size, const char *what, th_graph **graph);
bool th_read_keras_zip_probe(const uint8_t *data, size_t size);
th_status th_read_keras_zip_bytes(const uint8_t *data, size_t size, const char *what, th_graph **graph);

#endif
