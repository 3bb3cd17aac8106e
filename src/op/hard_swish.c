/* hard_swish: x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, section 5.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static void forward(const th_op_run *r) {
  th_op_unary_forward(r, TH_UNARY_HARD_SWISH, 0);
}

static void backward(const th_op_run *r) {
  th_op_unary_backward(r, TH_UNARY_HARD_SWISH, 0, r->in[0]);
}

const th_op th_op_hard_swish = {.name = "hard_swish",
                                .attrs = th_op_no_attrs,
                                .infer = th_op_same_shape_infer,
                                .forward = forward,
                                .backward = backward,
                                .cost = th_op_cost_none};
