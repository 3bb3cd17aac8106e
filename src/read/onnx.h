/* ONNX -> graph: opset 6 and later, float and quantized (QDQ and QLinear operators).
 *
 * Pictures lie channels last: an input or output of 3 or 4 dimensions that convolutions or pools work on is (1, y, x,
 * c) here and (n, c, y, x) in the file; all others keep the file's order. A batch of any size, or a fixed one,
 * becomes 1. float16, bfloat16 and double are read as float32. What cannot be represented is refused by node, operator
 * and value. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_ONNX_H
#define TH_READ_ONNX_H

#include "ir/graph.h"

bool th_read_onnx_probe(const uint8_t *data, size_t size);
th_status th_read_onnx_bytes(const uint8_t *data, size_t size, const char *what, th_graph **graph);

#endif
