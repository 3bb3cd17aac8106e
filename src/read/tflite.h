/* .tflite -> graph: float32 and int8 models of convolutional and fully connected networks.
 *
 * Padding becomes explicit, a dynamic batch becomes 1, constant DEQUANTIZE (float16 or int8 weights) is folded away,
 * and int8 weights of float operators become float. What cannot be represented is refused by operator, index and
 * tensor. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_TFLITE_H
#define TH_READ_TFLITE_H

#include "ir/graph.h"

bool th_read_tflite_probe(const uint8_t *data, size_t size);
th_status th_read_tflite_bytes(const uint8_t *data, size_t size, const char *what, th_graph **graph);
th_status th_read_tflite(const char *path, th_graph **graph);

#endif
