/* Graph rewrites. Each pass is one file, pass/<name>.c, one row of passes.def, and one function
 *   th_status th_pass_<name>(th_graph *g, const th_pass_options *o)
 * that changes the graph and nothing else. th_pass_run() verifies and re-infers shapes after each (always in debug
 * builds, with o->verify otherwise) and compacts.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_PASS_PASS_H
#define TH_PASS_PASS_H

#include "base/log.h"
#include "ir/graph.h"

typedef struct th_pass_options {
  const th_context *ctx;
  bool verify;
  th_buf *dump; /* the text form after each pass is appended; NULL: no */
} th_pass_options;

typedef th_status th_pass_fn(th_graph *g, const th_pass_options *o);
#define TH_PASS(name, what) th_pass_fn th_pass_##name;
#include "pass/passes.def"
#undef TH_PASS

/* The i-th row of passes.def, NULL past the last; `what` may be NULL. */
const char *th_pass_list(int i, const char **what);

/* Runs the named passes in order: "fold_bn,fuse_activation". */
th_status th_pass_run(th_graph *g, const char *names, const th_pass_options *o);

#endif
