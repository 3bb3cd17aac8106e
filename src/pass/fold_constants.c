/* Computes nodes whose inputs are all constants (eval/fold.h) and puts their values in their place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/fold.h"
#include "pass/pass.h"

th_status th_pass_fold_constants(th_graph *g, const th_pass_options *o) {
  bool folded;
  (void)o;
  for (int i = 0; i < g->n_nodes; i++) TH_TRY(th_fold_node(g, i, &folded));
  return TH_OK;
}
