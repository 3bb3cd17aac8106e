/* The planner at work, shared by net_plan.c, net_steps.c and net_gradients.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_TRAIN_NET_PLAN_H
#define TH_TRAIN_NET_PLAN_H

#include "train/net.h"

typedef struct th_planner {
  th_net *net;
  const th_graph *g;
  const th_constraints *cs;
  bool training;
  const bool *kept; /* by tensor; NULL: none */
  bool *wanted;     /* by tensor: an ancestor of the logits, or they themselves */
  bool *needed;     /* by node: makes such a tensor */
  bool *alias;      /* by node: no step, the output is the input */
  void **states;    /* by node */
  int chunk_max, lane_max;
} th_planner;

/* Rounds a number of floats up to whole cache lines. */
static inline int64_t th_plan_aligned(int64_t elems) {
  return (elems + 15) / 16 * 16;
}
th_status th_plan_no_memory(void);
float *th_plan_floats(th_planner *p, int64_t n); /* of the net's arena; zeroed; n may be 0 */

/* Nodes this small per sample adopt the granularity of their neighbour. */
#define TH_PLAN_NEUTRAL_BYTES (8 << 10)
int64_t th_plan_sample_bytes(const th_planner *p, const th_node *n); /* of activations, in and out */
/* Whether a node is a batch norm whose result only an in-place relu sees: one pass over memory does both; or that relu.
 */
bool th_plan_takes_relu(const th_planner *p, int node);
bool th_plan_is_taken_relu(const th_planner *p, int node);
bool th_plan_is_kept(const th_planner *p, int tensor);

/* Lists the steps of both sweeps, once values have their places. */
th_status th_plan_steps(th_planner *p);
/* Gives each gradient its place; then decides which consumer sets it (the first in backward order) and which add. */
th_status th_plan_gradients(th_planner *p);
th_status th_plan_accumulation(th_planner *p);

#endif
