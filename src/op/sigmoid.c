/* sigmoid: 1 / (1 + exp(-x)).
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static void forward(const th_op_run *r) {
  th_op_unary_forward(r, TH_UNARY_SIGMOID, 0);
}

static void backward(const th_op_run *r) {
  th_op_unary_backward(r, TH_UNARY_SIGMOID, 0, r->out[0]);
}

const th_op th_op_sigmoid = {.name = "sigmoid",
                             .attrs = th_op_no_attrs,
                             .infer = th_op_same_shape_infer,
                             .forward = forward,
                             .backward = backward,
                             .cost = th_op_cost_none,
                             .in_place = true};
