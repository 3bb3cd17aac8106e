/* Architecture text -> float graph without trained weights. The language: docs/guide/architecture-text.md.
 *
 *   input 28x28x1
 *   conv2d 20 kernel=5 activation=relu
 *   max_pool2d 2
 *   fully_connected 10
 *   softmax
 *
 * Weights, biases and batch norm's beta and mean are zero, gamma and variance one; th_train_init draws the weights.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_READ_ARCH_H
#define TH_READ_ARCH_H

#include "ir/graph.h"

/* `what` names the text in messages ("file:line: ..."); its base name without extension names the graph. */
th_status th_read_arch_bytes(const uint8_t *data, size_t size, const char *what, th_graph **graph);
th_status th_read_arch(const char *path, th_graph **graph);

/* True for any text: what is wrong with one is said by line. */
bool th_read_arch_probe(const uint8_t *data, size_t size);

#endif
