/* add: a + b, with broadcasting.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/common.h"

static void forward(const th_op_run *r) {
  th_op_binary_forward(r, TH_BINARY_ADD);
}

static void backward(const th_op_run *r) {
  th_op_binary_backward(r, TH_BINARY_ADD);
}

const th_op th_op_add = {.name = "add",
                         .attrs = th_op_binary_attrs,
                         .infer = th_op_binary_infer,
                         .forward = forward,
                         .backward = backward,
                         .cost = th_op_binary_cost,
                         .scratch_elems = th_op_binary_scratch};
