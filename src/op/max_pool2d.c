/* max_pool2d: the largest value of each window.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static void forward(const th_op_run *r) {
  th_op_pool_forward(r, th_math_get()->max_pool);
}

static void backward(const th_op_run *r) {
  th_op_pool_backward(r, th_math_get()->max_pool_grad, NULL);
}

const th_op th_op_max_pool2d = {.name = "max_pool2d",
                                .attrs = th_op_pool_attrs,
                                .infer = th_op_pool_infer,
                                .forward = forward,
                                .backward = backward,
                                .cost = th_op_cost_none,
                                .scratch_elems = th_op_pool_scratch};
