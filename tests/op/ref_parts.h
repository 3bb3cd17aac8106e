/* What the oracle's files share. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_OP_REF_PARTS_H
#define TESTS_OP_REF_PARTS_H

#include "ir/graph.h"

double ref_activate(int act, double v);
bool ref_run_move(const th_graph *g, const th_node *n, int samples, double *const *in, double *out);

/* ref_recurrent.c */
void ref_svdf(const th_graph *g, const th_node *n, int samples, double *const *in, double *out);
void ref_lstm(const th_graph *g, const th_node *n, int samples, double *const *in, double *out);

#endif
