/* From an integer graph to a program ready to be written: lowered, coded, planned.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TH_LIB_DEPLOY_H
#define TH_LIB_DEPLOY_H

#include "encode/program.h"
#include "pass/plan.h"

typedef struct th_deployed {
  th_program *program;
  th_step_bytes *bytes; /* per step; in the program's arena */
  th_plan_info plan;
} th_deployed;

/* Steps come in the order with the lowest peak (pass/order.h). `options` NULL: the smallest coder of each tensor. The
 * graph must outlive the result. */
th_status th_deploy(const th_graph *graph, const th_encode_options *options, th_deployed *deployed);
/* The same for the smallest arena: steps in the best order, run line by line where that lowers the peak, and weights
 * raw where coded ones would raise it above `enough` bytes (pass/order.h, pass/segments.h). */
th_status th_deploy_least_ram(const th_graph *graph, const th_encode_options *options, uint32_t enough,
                              th_deployed *deployed);
void th_deployed_free(th_deployed *deployed);

#endif
