/* avg_pool2d: the mean of each window; padding is not counted.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static void forward(const th_op_run *r) {
  th_op_pool_forward(r, th_math_get()->avg_pool);
}

static void backward(const th_op_run *r) {
  th_op_pool_backward(r, NULL, th_math_get()->avg_pool_grad);
}

const th_op th_op_avg_pool2d = {.name = "avg_pool2d",
                                .attrs = th_op_pool_attrs,
                                .infer = th_op_pool_infer,
                                .forward = forward,
                                .backward = backward,
                                .cost = th_op_cost_none,
                                .scratch_elems = th_op_pool_scratch};
