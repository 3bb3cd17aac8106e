/* Operators a second time: plain loops in double, written from their definitions. The oracle of tests/op.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_OP_REF_H
#define TESTS_OP_REF_H

#include "ir/graph.h"

/* Computes `samples` samples of node n. in[i]: values of the i-th input, all samples (constants: once); NULL when
 * absent. Several outputs follow each other in `out`. training: batch norm takes the statistics of the batch. Returns
 * false when the operator is not known. */
bool ref_run(const th_graph *g, const th_node *n, int samples, bool training, double *const *in, double *out);

#endif
