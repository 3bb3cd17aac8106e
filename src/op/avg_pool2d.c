/* avg_pool2d: the mean of each window; padding is not counted.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static void forward(const th_op_run *r) {
  th_op_pool_forward(r, th_math_get()->avg_pool);
}

static void backward(const th_op_run *r) {
  th_op_pool_backward(r, NULL, th_math_get()->avg_pool_grad);
}

/* As max_pool2d, and how integers are rounded; float has no use for that. */
static const th_attr_id attrs[] = {TH_ATTR_KERNEL_Y,   TH_ATTR_KERNEL_X,  TH_ATTR_STRIDE_Y,   TH_ATTR_STRIDE_X,
                                   TH_ATTR_PAD_TOP,    TH_ATTR_PAD_LEFT,  TH_ATTR_PAD_BOTTOM, TH_ATTR_PAD_RIGHT,
                                   TH_ATTR_ACTIVATION, TH_ATTR_HALVES_UP, TH_ATTR_COUNT};

const th_op th_op_avg_pool2d = {.name = "avg_pool2d",
                                .attrs = attrs,
                                .infer = th_op_pool_infer,
                                .forward = forward,
                                .backward = backward,
                                .cost = th_op_cost_none,
                                .scratch_elems = th_op_pool_scratch};
