/* Computing nodes whose inputs are all constants, once and for all.
 *
 * Moves and reshapes copy elements of any type; whole numbers (s32, s64: shapes and indices) are computed exactly; all
 * other nodes run as the evaluator runs them. SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_EVAL_FOLD_H
#define TH_EVAL_FOLD_H

#include "ir/graph.h"

/* Where all inputs of node `node` are constants: infers its shapes, gives its outputs their values, and marks it dead.
 * *folded false: it has other inputs, makes an output of the graph, would make more than 64 MiB, or has no way to be
 * computed; nothing is changed then but its outputs' shapes. */
th_status th_fold_node(th_graph *g, int node, bool *folded);

#endif
