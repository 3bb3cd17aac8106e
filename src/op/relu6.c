/* relu6: min(max(x, 0), 6).
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static void forward(const th_op_run *r) {
  th_op_unary_forward(r, TH_UNARY_RELU6, 0);
}

static void backward(const th_op_run *r) {
  th_op_unary_backward(r, TH_UNARY_RELU6, 0, r->out[0]);
}

const th_op th_op_relu6 = {.name = "relu6",
                           .attrs = th_op_no_attrs,
                           .infer = th_op_same_shape_infer,
                           .forward = forward,
                           .backward = backward,
                           .cost = th_op_cost_none,
                           .in_place = true};
